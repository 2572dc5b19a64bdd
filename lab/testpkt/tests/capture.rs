//! Capture files: what is written is read again, and no damaged file makes
//! the reader panic, stall or drop a packet in silence.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use testpkt::capture::{CaptureError, CaptureWriter, Captured, Fault, parse, read};

const SECTION: &[u8] = &[
    0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 28, 0, 0, 0,
];

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn captured(bytes: &[u8], mss: Option<u32>, nanos: u64) -> Captured {
    Captured {
        bytes: bytes.to_vec(),
        mss,
        timestamp: Duration::from_nanos(nanos),
    }
}

fn write(name: &str, frames: &[Captured]) -> PathBuf {
    let path = scratch(name);
    let mut writer = CaptureWriter::create(&path).unwrap();
    for frame in frames {
        let comment = frame.mss.map(|mss| format!("mss={mss}"));
        writer
            .packet(&frame.bytes, frame.timestamp, comment.as_deref())
            .unwrap();
    }
    writer.finish().unwrap();
    path
}

/// A little-endian block of pcapng.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes(), &len, body, &len].concat()
}

fn interface(link_type: u8) -> Vec<u8> {
    block(1, &[link_type, 0, 0, 0, 0, 0, 0, 0])
}

/// An enhanced packet of four bytes on interface 0, one second after the epoch
/// in the default microseconds.
fn packet(original: u8, options: &[u8]) -> Vec<u8> {
    let head = [
        0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x42, 0x0F, 0, 4, 0, 0, 0, original, 0, 0, 0,
    ];
    block(6, &[&head, &[9, 8, 7, 6][..], options].concat())
}

/// Big-endian classic pcap in microseconds with one packet of 3 bytes.
fn classic(link_type: u8, original: u8) -> Vec<u8> {
    let mut file = vec![0xA1, 0xB2, 0xC3, 0xD4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    // A snap length of 2, below the packet: seen in the field, and ignored.
    file.extend([0, 0, 0, 2, 0, 0, 0, link_type]);
    file.extend([
        0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, original, 5, 6, 7,
    ]);
    file
}

#[test]
fn what_is_written_is_read() {
    let long: Vec<u8> = (0..520_001u32).map(|i| (i / 7) as u8).collect();
    let frames = [
        captured(&[1, 2, 3], Some(1448), 1_732_000_000_123_456_789),
        captured(&[], None, 0),
        captured(&long, Some(8948), 5),
    ];
    assert_eq!(read(write("roundtrip.pcapng", &frames)).unwrap(), frames);
}

#[test]
fn packets_of_16_mib_pass() {
    let frames = [
        captured(&vec![0x5A; 16 << 20], None, 1),
        captured(&[1], None, 2),
    ];
    assert_eq!(read(write("16mib.pcapng", &frames)).unwrap(), frames);
}

#[test]
fn pcapng_literal() {
    let comment = [
        1, 0, 6, 0, b'm', b's', b's', b'=', b'5', b'7', 0, 0, 0, 0, 0, 0,
    ];
    // Name resolution (4) and an unknown block: neither is a packet.
    let others = [block(4, &[0xFF; 8]), block(0x0BAD_F00D, &[])].concat();
    let simple = block(3, &[2, 0, 0, 0, 0xAA, 0xBB, 0, 0]);
    let file = [
        SECTION,
        &interface(1),
        &others,
        &packet(4, &comment),
        &simple,
    ]
    .concat();
    let frames = [
        captured(&[9, 8, 7, 6], Some(57), 1_000_000_000),
        captured(&[0xAA, 0xBB], None, 0),
    ];
    assert_eq!(parse(&file).unwrap(), frames);
}

#[test]
fn classic_literal() {
    assert_eq!(
        parse(&classic(1, 3)).unwrap(),
        [captured(&[5, 6, 7], None, 1_000_002_000)]
    );
}

#[test]
fn each_fault_is_reported() {
    let ethernet = [SECTION, &interface(1)].concat();
    let with = |blocks: &[u8]| parse(&[&ethernet, blocks].concat()).unwrap_err();
    let bad_mss = [
        1, 0, 5, 0, b'm', b's', b's', b'=', b'x', 0, 0, 0, 0, 0, 0, 0,
    ];
    let mut unequal = packet(4, &[]);
    *unequal.last_mut().unwrap() = 1;
    let wifi = [SECTION, &interface(105), &packet(4, &[])].concat();
    let mut too_long = packet(4, &[]);
    too_long[20] = 40;
    let cases = [
        (
            parse(b"").unwrap_err(),
            "is no capture file in pcapng or pcap;",
        ),
        (
            parse(b"GET / HTTP/1.1").unwrap_err(),
            "is no capture file in pcapng or pcap;",
        ),
        (
            parse(&SECTION[..27]).unwrap_err(),
            "ends within the block at byte 0;",
        ),
        (
            with(&packet(4, &[])[..30]),
            "ends within the block at byte 48;",
        ),
        (
            with(&unequal),
            "is damaged at byte 48 (its lengths are 36 and ",
        ),
        (
            with(&too_long),
            "is damaged at byte 48 (a packet of 40 bytes does not fit it);",
        ),
        (
            with(b"\n"),
            "ends at byte 48 with 1 more byte that cannot be a block;",
        ),
        (
            parse(b"\x28\xB5\x2F\xFD....").unwrap_err(),
            "is compressed by zstd;",
        ),
        (
            parse(&[SECTION, &packet(4, &[])].concat()).unwrap_err(),
            "is damaged at byte 28 (",
        ),
        (
            parse(&wifi).unwrap_err(),
            "packet 1 has link type 105 (IEEE802_11), not Ethernet (1),",
        ),
        (
            parse(&classic(127, 3)).unwrap_err(),
            "packet 1 has link type 127 (",
        ),
        (
            with(&packet(9, &[])),
            "packet 1 holds only 4 of its 9 bytes;",
        ),
        (
            parse(&classic(1, 9)).unwrap_err(),
            "packet 1 holds only 3 of its 9 bytes;",
        ),
        (
            with(&packet(4, &bad_mss)),
            "packet 1 has the comment \"mss=x\"; write mss=N",
        ),
    ];
    for (fault, text) in cases {
        let fault = fault.to_string();
        assert!(fault.starts_with(text) && !fault.contains('\n'), "{fault}");
    }
}

#[test]
fn errors_name_the_file() {
    let absent = scratch("absent/in.pcapng");
    let read_error = read(&absent).unwrap_err();
    let write_error = CaptureWriter::create(&absent).err().unwrap();
    assert!(matches!(
        read_error,
        CaptureError {
            fault: Fault::Open(_),
            ..
        }
    ));
    assert!(matches!(
        write_error,
        CaptureError {
            fault: Fault::Write(_),
            ..
        }
    ));
    for error in [read_error, write_error] {
        assert!(
            error.to_string().starts_with(&absent.display().to_string()),
            "{error}"
        );
    }
}

#[test]
fn a_comment_too_long_is_refused() {
    let mut writer = CaptureWriter::create(scratch("comment.pcapng")).unwrap();
    let error = writer
        .packet(&[0], Duration::ZERO, Some(&"x".repeat(65_536)))
        .unwrap_err();
    assert!(matches!(error.fault, Fault::Write(_)), "{error}");
    writer.packet(&[0], Duration::ZERO, None).unwrap();
    writer.finish().unwrap();
    assert_eq!(read(scratch("comment.pcapng")).unwrap().len(), 1);
}

/// A small file, and how many of its packets each whole block has brought.
fn small_file() -> (Vec<u8>, Vec<(usize, usize)>) {
    let frames = [
        captured(&[1; 7], Some(1448), 1),
        captured(&[2; 12], None, 2),
    ];
    let data = std::fs::read(write("small.pcapng", &frames)).unwrap();
    let second = data.len() - 44;
    let first = second - 56;
    (
        data,
        vec![(28, 0), (first, 0), (second, 1), (second + 44, 2)],
    )
}

#[test]
fn every_cut_is_an_error_or_between_two_blocks() {
    let (data, ends) = small_file();
    for len in 0..=data.len() {
        let packets = parse(&data[..len]).ok().map(|frames| frames.len());
        let expected = ends
            .iter()
            .find(|(end, _)| *end == len)
            .map(|(_, packets)| *packets);
        assert_eq!(packets, expected, "{len} of {} bytes", data.len());
    }
    for len in 0..classic(1, 3).len() {
        assert_eq!(
            parse(&classic(1, 3)[..len]).is_ok(),
            len == 24,
            "{len} bytes"
        );
    }
}

#[test]
fn every_changed_byte_is_survived() {
    for original in [small_file().0, classic(1, 3)] {
        for at in 0..original.len() {
            for value in 0..=255 {
                let mut data = original.clone();
                data[at] = value;
                if let Ok(frames) = parse(&data) {
                    assert!(frames.len() <= 2);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damage_is_survived(damage in prop::collection::vec((0usize..200, any::<u8>()), 1..8)) {
        let mut data = [SECTION, &interface(1), &packet(4, &[]), &packet(4, &[1, 0, 2, 0, b'h', b'i', 0, 0])].concat();
        for (at, value) in damage {
            let len = data.len();
            data[at % len] = value;
        }
        let _ = parse(&data);
    }

    #[test]
    fn noise_after_the_section_is_survived(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&[SECTION, &interface(1), &noise].concat());
    }
}
