//! Captures as other programs write them: link types, frame check sequences, text, compression, and
//! packets without an MSS. The reference computes the expected wire from the frame itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::{Split, folder, frames, lab, split};
use reference::{Kind, cut, segment};
use serde_json::json;
use testpkt::capture::read;
use testpkt::synth::{Synth, Tunnel, flag};

const MSS: u32 = 1448;

fn large() -> Vec<u8> {
    Synth::v4(9000, MSS).frame(true)
}

/// A big-endian pcap file in microseconds.
fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = [0xA1B2_C3D4, 0x0002_0004, 0, 0, 65_535, link]
        .map(u32::to_be_bytes)
        .concat();
    for packet in packets {
        let length = packet.len() as u32;
        file.extend([1, 2, length, length].map(u32::to_be_bytes).concat());
        file.extend(packet);
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes(), &length, body, &length].concat()
}

/// An option, filled up to 4 bytes.
fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let mut option = [code.to_le_bytes(), (value.len() as u16).to_le_bytes()].concat();
    option.extend(value);
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

/// A pcapng file of one packet, with options of its section, its interface and itself.
fn pcapng(
    section: &[u8],
    interface: &[u8],
    time: [u32; 2],
    packet: &[u8],
    options: &[u8],
) -> Vec<u8> {
    let length = (packet.len() as u32).to_le_bytes();
    let mut data = packet.to_vec();
    data.resize(packet.len().next_multiple_of(4), 0);
    let time = time.map(u32::to_le_bytes).concat();
    let packet = [&[0; 4][..], &time, &length, &length, &data, options].concat();
    let head = [0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0];
    [
        block(0x0A0D_0D0A, &[&head[..], &[0xFF; 8], section].concat()),
        block(1, &[&[1, 0, 0, 0, 0, 0, 0, 0][..], interface].concat()),
        block(6, &packet),
    ]
    .concat()
}

fn file(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("in");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Runs `split`, which must cut one large send to the packets of `frame`, and no other.
fn assert_cut(name: &str, bytes: &[u8], options: &[&str], frame: &[u8]) -> Split {
    let folder = folder(&format!("captures_{name}"));
    let run = split(
        &folder,
        &file(&folder, bytes),
        &[&["--json"], options].concat(),
    );
    assert_eq!((run.code, run.notes.as_str()), (0, ""), "{name}");
    assert!(
        frames(&run.wire) == segment(frame, MSS, 16).unwrap(),
        "{name}"
    );
    run
}

#[test]
fn link_types_of_ip_and_linux() {
    let ip = &large()[14..];
    let source = [2, 0, 0, 0, 0, 9];
    let sll = [&[0, 4, 0, 1, 0, 6][..], &source, &[0, 0, 8, 0], ip].concat();
    let sll2 = [
        &[8, 0, 0, 0, 0, 0, 0, 7, 0, 1, 4, 6][..],
        &source,
        &[0, 0],
        ip,
    ]
    .concat();
    let ethernet = |source: [u8; 6]| [&[0; 6][..], &source, &[8, 0], ip].concat();
    let mss = ["--mss", "1448"];
    for (link, packet, source) in [
        (113, sll, source),
        (276, sll2, source),
        (101, ip.to_vec(), [0; 6]),
        (228, ip.to_vec(), [0; 6]),
        (0, [&[2, 0, 0, 0], ip].concat(), [0; 6]),
    ] {
        let name = format!("link_{link}");
        assert_cut(&name, &pcap(link, &[packet]), &mss, &ethernet(source));
    }
    // The upper bits of the field do not belong to the link type: 4 bytes of check sequence.
    let frame = [&large()[..], &[1, 2, 3, 4]].concat();
    assert_cut("link_fcs", &pcap(0x2400_0001, &[frame]), &mss, &large());
}

#[test]
fn check_sequences_and_trailers_are_no_payload() {
    let longer = [&large()[..], &[1, 2, 3, 4]].concat();
    let mss = ["--mss", "1448"];
    let time = [0, 0];
    let mut unstated = longer.clone();
    unstated[16..18].fill(0);
    for (name, interface, options) in [
        ("fcs_bytes", option(13, &[4]), vec![]),
        ("fcs_bits", option(13, &[32]), vec![]),
        ("fcs_flags", vec![], option(2, &[0x80, 0, 0, 0])),
    ] {
        let bytes = pcapng(&[], &interface, time, &unstated, &options);
        assert_cut(name, &bytes, &mss, &large());
    }
    let bytes = pcapng(&[], &[], time, &longer, &[]);
    assert_cut("trailer", &bytes, &mss, &large());
}

/// Such packets of other stacks have the low 16 bits of their length, or the greatest number.
#[test]
fn a_length_beyond_its_field_cuts_nothing_off() {
    let longest = Synth::v4(200_000, MSS).frame(false);
    let there = (longest.len() - 14) as u16;
    for (name, stated) in [("low", there), ("most", u16::MAX)] {
        let mut frame = longest.clone();
        frame[16..18].copy_from_slice(&stated.to_be_bytes());
        let name = format!("length_{name}");
        assert_cut(&name, &pcap(1, &[frame]), &["--mss", "1448"], &longest);
    }
    // Four bytes behind the longest packet that states its length.
    let exact = Synth::v4(u16::MAX.into(), MSS).frame(true);
    let exact = Synth::v4(u32::from(u16::MAX) * 2 + 14 - exact.len() as u32, MSS).frame(true);
    let trailed = [&exact[..], &[1, 2, 3, 4]].concat();
    assert_cut(
        "length_exact",
        &pcap(1, &[trailed]),
        &["--mss", "1448"],
        &exact,
    );
}

#[test]
fn odd_options_are_no_damage() {
    let latin = b"Br\xFCcke";
    let comments = [option(1, latin), option(1, b"mss=1448")].concat();
    let section = [option(1, latin), option(3, latin), option(0x8123, &[1])].concat();
    // A name that is none, a resolution of 2^-127 s, and 292 years before 1970.
    let interface = [
        option(2, &[0xFF]),
        option(9, &[0xFF]),
        option(14, &[0xFF; 8]),
    ];
    for (name, time, interface) in [
        ("odd_options", [5, 6], interface.concat()),
        ("odd_time", [u32::MAX, u32::MAX], option(9, &[0])),
        ("odd_length", [5, 6], vec![9, 0, 200, 0]),
    ] {
        let bytes = pcapng(&section, &interface, time, &large(), &comments);
        assert_cut(name, &bytes, &[], &large());
    }
}

#[test]
fn gzip_and_stdin_are_read() {
    let bytes = pcap(1, &[large()]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).unwrap();
    gzip.flush().unwrap();
    // All packets, and no end.
    let endless = folder("captures_gzip_endless");
    let input = file(&endless, gzip.get_ref());
    let run = lab()
        .arg("split")
        .arg(input)
        .args(["--children", "/dev/null", "--wire", "/dev/null"])
        .output()
        .unwrap();
    let notes = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{notes}");
    assert!(notes.contains("cannot be read beyond byte "), "{notes}");
    let gzip = gzip.finish().unwrap();
    assert_cut("gzip", &gzip, &["--mss", "1448"], &large());
    let folder = folder("captures_stdin");
    let wire = folder.join("w.pcapng");
    for input in [bytes, gzip] {
        let mut command = lab();
        command.args(["split", "-", "--mss", "1448", "--children"]);
        command
            .arg(folder.join("c.pcapng"))
            .arg("--wire")
            .arg(&wire);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        assert!(child.wait().unwrap().success());
        let found = frames(&read(&wire).unwrap());
        assert!(found == segment(&large(), MSS, 16).unwrap());
    }
}

/// The same connection, its SYN with an MSS of 1460, and its longest segment.
#[test]
fn the_mss_of_a_connection_is_found() {
    let mut syn = Synth::v4(0, 0)
        .flags(flag::SYN)
        .tcp_options(&[2, 4, 5, 0xB4])
        .frame(true);
    syn.extend([0; 6]);
    let run = assert_cut_after("syn", syn);
    assert_eq!(run.json()["mss_from"], json!({ "syn": 1 }));
    let run = assert_cut_after("longest", Synth::v4(MSS, MSS).frame(true));
    assert_eq!(run.json()["mss_from"], json!({ "longest": 1 }));
}

/// The connection is inside the tunnel, and so are its SYN and its longest segment.
#[test]
fn the_mss_of_a_connection_in_a_tunnel_is_found() {
    let inside = |send: Synth| send.inside(Tunnel::vxlan_v4()).frame(true);
    let syn = Synth::v4(0, 0)
        .flags(flag::SYN)
        .tcp_options(&[2, 4, 5, 0xB4]);
    let send = inside(Synth::v4(9000, MSS));
    for (from, first) in [("syn", syn), ("longest", Synth::v4(MSS, MSS))] {
        let folder = folder(&format!("captures_tunnel_{from}"));
        let first = inside(first);
        let input = file(&folder, &pcap(1, &[first.clone(), send.clone()]));
        let run = split(&folder, &input, &["--json", "--encap", "vxlan"]);
        assert_eq!((run.code, run.notes.as_str()), (0, ""));
        assert_eq!(run.json()["mss_from"], json!({ from: 1 }));
        let cut = cut(&send, Kind::Encapsulated, MSS, 16).unwrap();
        assert!(frames(&run.wire) == [vec![first], cut].concat(), "{from}");
    }
}

/// A packet that a snap length has cut is refused; the others are split.
#[test]
fn a_packet_that_is_not_whole_is_refused() {
    let folder = folder("captures_snapped");
    let cut = large()[..6000].to_vec();
    // Its record says so, or only its IP length does.
    let mut snapped = pcap(1, &[large(), cut.clone(), large()]);
    let second = 24 + 16 + large().len();
    snapped[second + 12..second + 16].copy_from_slice(&9066_u32.to_be_bytes());
    let whole_by_record = pcap(1, &[large(), cut, large()]);
    for bytes in [snapped, whole_by_record] {
        let run = split(&folder, &file(&folder, &bytes), &["--mss", "1448"]);
        assert_eq!(run.code, 0, "{}", run.notes);
        assert!(
            run.notes.starts_with("packet 2: not-whole: ") && run.notes.lines().count() == 1,
            "{}",
            run.notes
        );
        assert!(
            run.out.contains("PASS, but for 1 packet refused"),
            "{}",
            run.out
        );
        let cut = segment(&large(), MSS, 16).unwrap();
        assert!(frames(&run.wire) == [cut.clone(), cut].concat());
    }
}

#[test]
fn a_capture_without_a_long_packet_is_no_pass() {
    let folder = folder("captures_short");
    for packets in [vec![], vec![Synth::v4(MSS, MSS).frame(true)]] {
        let run = split(&folder, &file(&folder, &pcap(1, &packets)), &[]);
        assert_eq!((run.code, frames(&run.wire)), (0, packets));
        assert!(run.out.contains("\nNOTHING TO SPLIT: "), "{}", run.out);
        assert!(!run.out.contains("PASS"), "{}", run.out);
    }
}

fn assert_cut_after(name: &str, first: Vec<u8>) -> Split {
    let folder = folder(&format!("captures_mss_{name}"));
    let input = file(&folder, &pcap(1, &[first.clone(), large()]));
    let run = split(&folder, &input, &["--json"]);
    assert_eq!((run.code, run.notes.as_str()), (0, ""));
    let expected = [vec![first], segment(&large(), MSS, 16).unwrap()].concat();
    assert!(frames(&run.wire) == expected, "{name}");
    run
}

#[test]
fn what_is_not_cut_is_no_pass() {
    let folder = folder("captures_uncut");
    let udp = Synth::udp_v4(9000, 1472).frame(true);
    let input = file(&folder, &pcap(1, &[large(), udp]));
    let run = split(&folder, &input, &[]);
    assert_eq!(run.code, 3);
    assert!(!run.out.contains("PASS"), "{}", run.out);
    assert!(run.out.contains(
        "INCOMPLETE: 2 packets longer than a segment passed uncut: no-mss 1, not-tcp 1."
    ));
    assert_eq!(run.notes.lines().count(), 1, "{}", run.notes);
    // Not within the MTU: with an MSS it is refused.
    let run = split(&folder, &input, &["--mss", "1448"]);
    assert!(
        run.code == 0 && run.notes.starts_with("packet 2: not-tcp: "),
        "{}",
        run.notes
    );
}

#[test]
fn other_protocols_pass_with_an_mss() {
    let folder = folder("captures_others");
    let mut arp = vec![0xFF; 42];
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    let mut fragment = Synth::v4(1448, 1448).frame(true);
    fragment[20] |= 0x20;
    let udp = Synth::udp_v4(1472, 1472).frame(true);
    let mut packets = vec![arp, fragment, udp.clone(), vec![0; 1514], Vec::new()];
    // Whether they are of TCP cannot be seen.
    let mut version_5 = udp;
    version_5[14] = 0x55;
    let options = |bytes: &[u8]| Synth::udp_v6(900, 1452).extension(0, bytes).frame(true);
    let long = [&[0, 31, 1, 252][..], &[0; 252]].concat();
    packets.extend([
        version_5,
        options(&[0, 0, 5, 200, 0, 0, 0, 0]),
        options(&[0, 0, 0xC2, 4, 0, 0, 3, 0xA0]),
        options(&long),
    ]);
    let run = split(
        &folder,
        &file(&folder, &pcap(1, &packets)),
        &["--mss", "536"],
    );
    assert_eq!((run.code, run.notes.as_str()), (0, ""));
    assert!(frames(&run.wire) == packets);
}

/// Many packets that are refused have a bounded number of lines.
#[test]
fn refusals_are_summed_up() {
    let folder = folder("captures_refusals");
    let urgent = Synth::v4(9000, MSS)
        .flags(flag::URG | flag::ACK)
        .frame(true);
    let input = file(&folder, &pcap(1, &vec![urgent; 100]));
    let run = split(&folder, &input, &["--mss", "1448"]);
    assert_eq!(run.code, 0);
    let lines: Vec<_> = run.notes.lines().collect();
    assert_eq!(lines.len(), 21, "{}", run.notes);
    assert_eq!(lines[20], "urgent: 80 more packets");
}
