//! The seeds of `capture`: captures of both formats, good and not.

use scenarios::fuzz::capture::run;
use testpkt::capture::Fault;
use testpkt::synth::{Synth, Tunnel};

use super::Seeds;

const TARGET: &str = "capture";

/// The interface's link type.
const ETHERNET: u16 = 1;

/// A section header of pcapng, little-endian, of unknown length.
fn section() -> Vec<u8> {
    block(
        0x0A0D_0D0A,
        &[&[0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0][..], &[0xFF; 8]].concat(),
    )
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes(), &length, body, &length].concat()
}

/// Pads the bytes to a multiple of 4.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(4), 0);
    padded
}

fn interface(link: u16) -> Vec<u8> {
    // Nanoseconds.
    let options = [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
    block(1, &[&link.to_le_bytes()[..], &[0; 6], &options].concat())
}

/// An enhanced packet with a comment.
fn packet(frame: &[u8], comment: &str) -> Vec<u8> {
    let length = (frame.len() as u32).to_le_bytes();
    let head = [&[0; 12][..], &length, &length, &padded(frame)].concat();
    let option = [[1, 0], (comment.len() as u16).to_le_bytes()].concat();
    let options = [&option, &padded(comment.as_bytes())[..], &[0; 4]].concat();
    block(6, &[head, options].concat())
}

/// A classic file in nanoseconds, big-endian or little-endian.
fn classic(frames: &[Vec<u8>], big: bool) -> Vec<u8> {
    let word = |word: u32| {
        if big {
            word.to_be_bytes()
        } else {
            word.to_le_bytes()
        }
    };
    let version = if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    let mut file = [
        word(0xA1B2_3C4D),
        version,
        word(0),
        word(0),
        word(65_535),
        word(1),
    ]
    .concat();
    for frame in frames {
        let length = word(frame.len() as u32);
        file.extend([word(1), word(2), length, length].concat());
        file.extend(frame);
    }
    file
}

/// Large sends of every kind, short ones.
fn frames() -> Vec<Vec<u8>> {
    let mut frames: Vec<_> = [
        Synth::v4(100, 40),
        Synth::v6(100, 40).vlan(&[7]),
        Synth::udp_v4(100, 40),
        Synth::v4(100, 40).inside(Tunnel::vxlan_v4()),
        Synth::v6(100, 40).inside(Tunnel::nvgre_v4()),
    ]
    .map(|synth| synth.frame(true))
    .into();
    // As Linux sends packets longer than 64 KiB: its option gives a length of 8 + 32 + 90 bytes.
    let jumbo = Synth::v6(90, 40).extension(0, &[0, 0, 0xC2, 4, 0, 0, 0, 130]);
    frames.push(jumbo.frame(false));
    frames
}

fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    let mut add = |name: &str, bytes: Vec<u8>| seeds.insert(name.into(), bytes);
    let packets: Vec<u8> = frames()
        .iter()
        .flat_map(|frame| packet(frame, "mss=40"))
        .collect();
    let head = [section(), interface(ETHERNET)].concat();
    add("pcapng", [head.clone(), packets.clone()].concat());
    let others = [
        block(4, &[0xFF; 8]),
        block(5, &[0; 12]),
        block(0x0BAD_F00D, &[]),
    ]
    .concat();
    let simple = block(3, &[&[3, 0, 0, 0][..], &[1, 2, 3, 0]].concat());
    let more = [section(), interface(ETHERNET), packet(&frames()[0], "")].concat();
    add("sections", [head.clone(), others, simple, more].concat());
    add("cut-short", [&head[..], &packets[..50]].concat());
    add(
        "no-mss",
        [head.clone(), packet(&[0; 60], "mss=many")].concat(),
    );
    let wifi = [section(), interface(105), packet(&[0; 60], "")].concat();
    add("no-ethernet", wifi);
    add("classic-big", classic(&frames(), true));
    add("classic-little", classic(&frames(), false));
    seeds
}

#[test]
fn the_files_match_the_code_that_makes_them() {
    super::assert_are_files(TARGET, &seeds());
}

#[test]
fn each_seed_is_read_as_intended() {
    for (name, bytes) in seeds() {
        let read = run(&bytes);
        match name.as_str() {
            // TCP over IPv4 in four forms by two versions of LSO, twice IPv6 by one; UDP in one form,
            // VXLAN in three, for it is UDP too, and NVGRE in two, whatever the version.
            "pcapng" => assert!(matches!(read, Ok((6, 28))), "{read:?}"),
            "sections" => assert!(matches!(read, Ok((2, _)))),
            "cut-short" => assert!(matches!(read, Err(Fault::Truncated { .. }))),
            "no-mss" => assert!(matches!(read, Err(Fault::BadMss { .. }))),
            "no-ethernet" => assert!(matches!(read, Err(Fault::NotEthernet { .. }))),
            // Without an MSS, none is longer than it.
            _ => assert!(matches!(read, Ok((6, 0))), "{name}"),
        }
    }
}

#[test]
fn no_seed_and_no_input_that_was_found_is_misread() {
    super::replay(TARGET, |bytes| {
        let _ = run(bytes);
    });
}
