//! Any bytes as a capture file: it is read or refused, and each large send in it is brought to a
//! shape in which it can be sent.

use harness::ingest::{Form, LargeSend, LsoVersion, Terms, ingest_as};
use reference::cut;
use testpkt::capture::{Captured, Fault, frames, parse};
use testpkt::synth::Tunnel;

/// So many packets of a file are made large sends.
const MOST: usize = 16;

/// The MSS if the file has none.
const MSS: u32 = 1000;

/// Reads `bytes`. Returns how many packets there are, and how many large sends were made of them.
///
/// # Errors
/// The fault in the file.
///
/// # Panics
/// If the reader finds something that is not in the file, or a large send differs from its
/// description.
pub fn run(bytes: &[u8]) -> Result<(usize, usize), Fault> {
    let read = match parse(bytes) {
        Ok(read) => read,
        Err(fault) => {
            assert!(!fault.to_string().contains('\n'), "{fault}");
            return Err(fault);
        }
    };
    let one_by_one = frames(bytes).expect("a capture as before");
    assert!(one_by_one.map_while(Result::ok).eq(read.iter().cloned()));
    let length: usize = read.iter().map(|packet| packet.bytes.len()).sum();
    assert!(length <= bytes.len());
    let sends = read.iter().take(MOST).map(large_sends).sum();
    Ok((read.len(), sends))
}

/// Makes a large send of `packet` in each form, and returns of how many forms it is one.
fn large_sends(packet: &Captured) -> usize {
    let mut count = 0;
    let forms = [
        Form::Tcp,
        Form::Uso,
        Form::Tunnel(Tunnel::vxlan_v4()),
        Form::Tunnel(Tunnel::nvgre_v6()),
    ];
    for form in forms {
        for lso in [LsoVersion::V1, LsoVersion::V2] {
            let min_segments = 2;
            let terms = Terms { lso, min_segments };
            let mss = packet.mss.unwrap_or(MSS);
            if let Ok(Some(send)) = ingest_as(&packet.bytes, mss, terms, &form) {
                check(&send, mss);
                count += 1;
            }
        }
    }
    count
}

fn check(send: &LargeSend, mss: u32) {
    assert_eq!(send.mss, mss);
    assert!(send.payload > mss && send.headers() < send.frame.len() as u32);
    assert_eq!(send.clone().with_tag_beside().whole_frame(), send.frame);
    match cut(&send.frame, send.kind, mss, 16) {
        Ok(packets) => assert_eq!(packets.len() as u32, send.payload.div_ceil(mss)),
        Err(error) => panic!("a large send that cannot be judged: {error}"),
    }
}
