//! `mslso-lab split`: what goes through and what does not.

use crate::common::{Split, capture, data, folder, frames, one_stage, packet, split};
use serde_json::json;
use testpkt::capture::{Captured, read};
use testpkt::synth::{Synth, flag};

/// Bytes of TCP payload in an Ethernet frame without VLAN tags or extension
/// headers.
fn payload(frame: &[u8]) -> usize {
    let tcp = match frame[12] {
        0x08 => 14 + usize::from(frame[14] & 15) * 4,
        _ => 14 + 40,
    };
    frame.len() - tcp - usize::from(frame[tcp + 12] >> 4) * 4
}

fn ip_length(frame: &[u8]) -> u16 {
    let at = if frame[12] == 0x08 { 16 } else { 18 };
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

fn large_send(synth: &Synth) -> Captured {
    packet(synth.frame(false), Some(synth.mss))
}

/// All that must be so whenever captured large sends go out.
fn check(run: &Split, input: &[Captured], limit: usize) {
    assert_eq!((run.code, run.notes.as_str()), (0, ""), "{}", run.out);
    assert!(
        frames(&run.wire) == one_stage(input, 16),
        "the wire differs"
    );
    let sizes: Vec<_> = run.children.iter().map(|c| payload(&c.bytes)).collect();
    assert!(sizes.iter().all(|size| *size <= limit), "{sizes:?}");
    // Each child is a large send in itself, and segmenting it gives its share of the packets.
    assert!(frames(&run.wire) == one_stage(&run.children, 16));
    let expected = json!({
        "parents": input.len(),
        "children": run.children.len(),
        "packets": 0,
        "wire_packets": run.wire.len(),
        "largest_child_payload": sizes.iter().max().unwrap(),
        "refused": {},
        "violations": 0,
        "schema": 2, "form": "tcp", "vlan_oob": false, "nic_lso": true, "nic_checksum": true,
        "mtu": 1500, "max_sg_elements": null,
        "mss_from": { "comment": input.len() }, "uncut": {},
    });
    assert_eq!(run.json(), expected);
}

#[test]
fn captures_of_a_linux_stack() {
    let folder = folder("split_captures");
    for name in ["bigtcp-ipv4.pcapng", "bigtcp-ipv6.pcapng"] {
        let input = read(data(name)).unwrap();
        for limit in [62_780, 32_000, 9000] {
            let limit_text = limit.to_string();
            let run = split(&folder, &data(name), &["--json", "--nic-max", &limit_text]);
            check(&run, &input, limit);
            assert!(
                run.children
                    .iter()
                    .all(|child| ip_length(&child.bytes) == 0)
            );
            assert!(run.children.len() >= 3 * input.len());
        }
    }
}

#[test]
fn lsov1_states_true_lengths() {
    let folder = folder("split_v1");
    let name = data("bigtcp-ipv4.pcapng");
    let run = split(&folder, &name, &["--json", "--lso", "v1"]);
    check(&run, &read(name).unwrap(), 62_780);
    for child in &run.children {
        assert_eq!(usize::from(ip_length(&child.bytes)), child.bytes.len() - 14);
    }
}

#[test]
fn lsov1_is_refused_with_ipv6() {
    let folder = folder("split_v1_v6");
    let run = split(
        &folder,
        &data("bigtcp-ipv6.pcapng"),
        &["--json", "--lso", "v1"],
    );
    assert_eq!(run.code, 0);
    assert_eq!(run.json()["refused"], json!({ "lsov1-on-ipv6": 3 }));
    assert!(run.children.is_empty() && run.wire.is_empty());
}

#[test]
fn the_outputs_keep_time_and_mss() {
    let folder = folder("split_time");
    let input = [large_send(&Synth::v4(100_000, 1448))];
    let run = split(&folder, &capture(&folder, &input), &[]);
    let of_input =
        |child: &Captured| (child.timestamp, child.mss) == (input[0].timestamp, Some(1448));
    assert!(run.children.iter().all(of_input));
    assert!(
        run.wire
            .iter()
            .all(|p| (p.timestamp, p.mss) == (input[0].timestamp, None))
    );
}

#[test]
fn text_for_a_person() {
    let folder = folder("split_text");
    let run = split(&folder, &data("bigtcp-ipv4.pcapng"), &[]);
    let rows = run.out.lines().filter(|line| line.ends_with("✓ same"));
    assert_eq!((run.code, rows.count()), (0, 3));
    assert!(
        run.out
            .lines()
            .last()
            .unwrap()
            .starts_with("PASS: 3 large sends")
    );
    assert!(run.out.contains("c.pcapng") && run.out.contains("w.pcapng"));
}

#[test]
fn packets_that_are_no_large_sends_pass_unchanged() {
    let folder = folder("split_pass");
    let mut arp = vec![0xFF; 42];
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    let input = [
        packet(arp, None),
        packet(vec![1, 2, 3], None),
        packet(Vec::new(), None),
        // As large as possible, but without an MSS.
        packet(Synth::v6(100_000, 1428).frame(false), None),
        // Within the MSS: also with flags that no large send has.
        packet(
            Synth::v4(1448, 1448).flags(flag::SYN).frame(true),
            Some(1448),
        ),
        packet(Synth::v4(0, 1448).flags(flag::RST).frame(true), Some(0)),
    ];
    let run = split(&folder, &capture(&folder, &input), &["--json"]);
    // One is longer than a segment, which is reported.
    assert_eq!((run.code, run.notes.lines().count()), (3, 1));
    assert_eq!(run.children, input);
    assert!(frames(&run.wire) == frames(&input));
    let expected = json!({
        "parents": 0, "children": 0, "packets": 0, "wire_packets": 6,
        "largest_child_payload": 0, "refused": {}, "violations": 0,
        "schema": 2, "form": "tcp", "vlan_oob": false, "nic_lso": true, "nic_checksum": true,
        "mtu": 1500, "max_sg_elements": null,
        "mss_from": {}, "uncut": { "no-mss": 1 },
    });
    assert_eq!(run.json(), expected);
}

#[test]
fn order_is_kept_and_a_comment_goes_before_the_option() {
    let folder = folder("split_order");
    let small = Synth::v4(100, 1448).frame(true);
    let input = [
        packet(small.clone(), None),
        packet(Synth::v4(70_000, 0).frame(false), Some(1448)),
        packet(Synth::v6(70_000, 0).frame(false), None),
        packet(small.clone(), None),
    ];
    let run = split(
        &folder,
        &capture(&folder, &input),
        &["--json", "--mss", "536"],
    );
    let middle = [input[1].clone(), packet(input[2].bytes.clone(), Some(536))];
    let expected = [vec![small.clone()], one_stage(&middle, 16), vec![small]].concat();
    assert_eq!(run.code, 0);
    assert!(frames(&run.wire) == expected);
    assert_eq!(run.json()["parents"], 2);
}

/// Every one is refused for another reason, and the good ones around them go
/// out.
#[test]
fn refused_packets_are_reported_one_by_one() {
    let folder = folder("split_refused");
    let v4 = || Synth::v4(100_000, 1448);
    let mut udp = v4().frame(false);
    udp[23] = 17;
    let mut fragment = v4().frame(false);
    fragment[20] |= 0x20;
    let mut arp = v4().frame(false);
    arp[13] = 6;
    let bad = [
        ("urgent", large_send(&v4().flags(flag::URG | flag::ACK))),
        ("syn", large_send(&v4().flags(flag::SYN))),
        ("reset", large_send(&v4().flags(flag::RST))),
        ("not-tcp", packet(udp, Some(1448))),
        ("fragment", packet(fragment, Some(1448))),
        ("not-ip", packet(arp, Some(1448))),
        (
            "header-not-contiguous",
            packet(v4().frame(false)[..50].to_vec(), Some(40)),
        ),
        ("mss-zero", packet(v4().frame(false), Some(0))),
        // Refused by the filter: the NIC does not take it, nor the medium.
        ("segment-above-mtu", packet(v4().frame(false), Some(62_781))),
        ("too-many-vlan-tags", large_send(&v4().vlan(&[1, 2, 3]))),
        (
            "ipsec",
            large_send(
                &Synth::v6(100_000, 1428).extension(51, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ),
        ),
        (
            "jumbogram",
            large_send(&Synth::v6(100_000, 1428).extension(0, &[0, 0, 0xC2, 4, 0, 0, 0, 7])),
        ),
    ];
    let good = large_send(&v4());
    let mut input = vec![good.clone()];
    input.extend(bad.iter().map(|(_, packet)| packet.clone()));
    input.push(good.clone());
    let run = split(&folder, &capture(&folder, &input), &[]);
    assert_eq!(run.code, 0);
    assert!(frames(&run.wire) == one_stage(&[good.clone(), good], 16));
    let notes: Vec<_> = run.notes.lines().collect();
    assert_eq!(notes.len(), bad.len(), "{}", run.notes);
    for (index, (note, (reason, _))) in notes.iter().zip(&bad).enumerate() {
        let start = format!("packet {}: {reason}: ", index + 2);
        assert!(note.starts_with(&start), "{note}");
    }
    assert!(run.out.contains("12 packets did not go out: fragment 1, "));
    assert!(
        run.out
            .contains("PASS, but for 12 packets refused: 2 large sends left")
    );
    let run = split(&folder, &capture(&folder, &input), &["--json"]);
    assert_eq!((run.code, run.notes.as_str()), (0, ""));
    let reasons = bad
        .iter()
        .map(|(reason, _)| ((*reason).to_owned(), json!(1)));
    assert_eq!(
        run.json()["refused"],
        reasons.collect::<serde_json::Value>()
    );
    assert_eq!(
        (&run.json()["parents"], &run.json()["violations"]),
        (&json!(2), &json!(0))
    );
}

/// 139 identifications past 0x7FFF, 0xFFFF, and 0xFFFF with the top bit kept.
#[test]
fn identifications_count_in_15_or_16_bits() {
    let folder = folder("split_id_bits");
    let send = |ip_id| large_send(&Synth::v4(200_000, 1448).ip_id(ip_id));
    let input = [send(0x7FF0), send(0xFFF0)];
    let path = capture(&folder, &input);
    for bits in [15, 16] {
        let run = split(
            &folder,
            &path,
            &["--json", "--ipid-bits", &bits.to_string()],
        );
        assert_eq!((run.code, run.notes.as_str()), (0, ""));
        assert!(frames(&run.wire) == one_stage(&input, bits), "{bits} bits");
        assert!(run.children.len() == 8 && run.json()["violations"] == json!(0));
    }
    assert!(one_stage(&input, 15) != one_stage(&input, 16));
}

#[test]
fn the_least_segments_are_kept() {
    let folder = folder("split_least");
    // 4 segments each; where only 2 fit into a child, and none can have 3, packets go out.
    let send = large_send(&Synth::v4(4 * 1448, 1448));
    let input = capture(&folder, &[send]);
    let refused = |options: &[&str]| {
        let run = split(&folder, &input, &[&["--json"], options].concat());
        assert_eq!((run.code, &run.json()["violations"]), (0, &json!(0)));
        run.json()["refused"].clone()
    };
    assert_eq!(refused(&["--min-segments", "4"]), json!({}));
    assert_eq!(
        refused(&["--min-segments", "5"]),
        json!({ "too-few-segments": 1 })
    );
    assert_eq!(
        refused(&["--min-segments", "2", "--nic-max", "3000"]),
        json!({})
    );
    assert_eq!(
        refused(&["--min-segments", "3", "--nic-max", "3000"]),
        json!({})
    );
    assert_eq!(refused(&["--nic-max", "0"]), json!({}));
}

/// The one's complement sum of some bytes (RFC 1071).
fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2);
    words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)))
        .sum()
}

/// Whether the TCP segment, with a pseudo-header of these addresses, sums to all ones.
fn has_right_checksum(addresses: &[&[u8]], tcp: &[u8]) -> bool {
    let mut total = sum(tcp) + 6 + tcp.len() as u32;
    total += addresses.iter().map(|address| sum(address)).sum::<u32>();
    while total > 0xFFFF {
        total = (total >> 16) + (total & 0xFFFF);
    }
    total == 0xFFFF
}

/// RFC 8200, section 8.1: with a route still to travel the checksum is over the last address of it.
#[test]
fn checksums_are_over_the_final_addresses() {
    let folder = folder("split_routes");
    let last: [u8; 16] = std::array::from_fn(|at| 0xA0 + at as u8);
    let other = [0x5A; 16];
    let routing = |kind: u8, list: &[&[u8]]| {
        let units = (list.len() * 2) as u8;
        [&[0, units, kind, 1, 0, 0, 0, 0][..], &list.concat()].concat()
    };
    let v6 = |kind, header: &[u8]| Synth::v6(9000, 1428).extension(kind, header);
    let home = [&[0, 2, 1, 2, 0, 0, 0xC9, 16][..], &last].concat();
    let cases = [
        (v6(43, &routing(0, &[&other, &last])), 1),
        (v6(43, &routing(2, &[&last])), 1),
        (v6(43, &routing(4, &[&last, &other])), 1),
        (v6(60, &home), 0),
    ];
    for (send, place) in cases {
        for options in [
            &["--json"][..],
            &[
                "--json",
                "--mtu",
                "1600",
                "--nic-lso",
                "off",
                "--nic-checksum",
                "off",
            ],
        ] {
            let run = split(&folder, &capture(&folder, &[large_send(&send)]), options);
            assert_eq!((run.code, run.notes.as_str()), (0, ""), "{}", run.out);
            assert_eq!(run.wire.len(), 7, "{}", run.out);
            for packet in &run.wire {
                let bytes = &packet.bytes;
                let mut addresses = [&bytes[22..38], &bytes[38..54]];
                addresses[place] = &last;
                let tcp = 54 + (usize::from(bytes[55]) + 1) * 8;
                assert!(has_right_checksum(&addresses, &bytes[tcp..]));
            }
        }
    }
    let route = [131, 11, 4, 10, 0, 0, 1, 10, 0, 0, 2, 1];
    let send = large_send(&Synth::v4(9000, 1448).ip_options(&route));
    let run = split(&folder, &capture(&folder, &[send]), &[]);
    assert_eq!((run.code, run.notes.as_str()), (0, ""));
    for packet in &run.wire {
        let addresses = [&packet.bytes[26..30], &[10, 0, 0, 2]];
        assert!(has_right_checksum(&addresses, &packet.bytes[46..]));
    }
    // A route that does not state its end.
    let send = large_send(&v6(43, &routing(3, &[&other])));
    let run = split(&folder, &capture(&folder, &[send]), &[]);
    assert!(
        run.code == 0 && run.notes.starts_with("packet 1: unknown-route: "),
        "{}",
        run.notes
    );
    assert!(run.wire.is_empty() && run.out.contains("\nREFUSED: "));
}

#[test]
fn a_large_send_of_16_mib() {
    let folder = folder("split_16_mib");
    let input = [large_send(&Synth::v6(16 << 20, 1440))];
    let run = split(&folder, &capture(&folder, &input), &["--json"]);
    assert_eq!((run.code, run.notes.as_str()), (0, ""));
    assert!(frames(&run.wire) == one_stage(&input, 16));
}

/// The wire is the same with the tags beside the large sends as with the tags in them; only the
/// children differ.
#[test]
fn tags_go_down_beside_the_frame() {
    let folder = folder("split_vlan_oob");
    let input = [
        large_send(&Synth::v4(200_000, 1448).vlan(&[0x6007])),
        large_send(&Synth::v6(200_000, 1428).vlan(&[100, 7])),
        // No large send: it passes with its tag.
        packet(Synth::v4(100, 1448).vlan(&[5]).frame(true), None),
    ];
    let path = capture(&folder, &input);
    let run = split(&folder, &path, &["--json", "--vlan-oob"]);
    assert_eq!((run.code, run.notes.as_str()), (0, ""));
    assert_eq!(run.json()["vlan_oob"], json!(true));
    let passed = vec![input[2].bytes.clone()];
    assert!(frames(&run.wire) == [one_stage(&input[..2], 16), passed].concat());
    let ether_types: Vec<_> = run.children.iter().map(|c| &c.bytes[12..14]).collect();
    assert_eq!(ether_types[0], [0x08, 0x00]);
    assert_eq!(ether_types[ether_types.len() - 2], [0x88, 0xA8]);
    assert_eq!(ether_types[ether_types.len() - 1], [0x81, 0x00]);
    assert_eq!(run.children[0].mss, Some(1448));
    let children = std::fs::read(folder.join("c.pcapng")).unwrap();
    let comment = b"mss=1448 vlan=7 priority=3";
    assert!(
        children
            .windows(comment.len())
            .any(|bytes| bytes == comment)
    );
    let text = split(&folder, &path, &["--vlan-oob"]).out;
    assert!(text.contains("IPv4 v2, tag"), "{text}");
}

#[test]
fn command_lines_of_earlier_versions_are_accepted() {
    let folder = folder("split_older_options");
    let file = data("bigtcp-ipv4.pcapng");
    let now = ["--json", "--buffer", "1984", "--max-sg-elements", "4"];
    let before = ["--json", "--buffer", "1984", "--max-elements", "4"];
    let expected = split(&folder, &file, &now);
    let run = split(&folder, &file, &[&before[..], &["--ended-chains"]].concat());
    assert_eq!((run.code, run.notes.as_str()), (0, ""), "{}", run.out);
    assert_eq!(run.json(), expected.json());
}
