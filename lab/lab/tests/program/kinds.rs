//! `mslso-lab split` with other kinds of large sends, and for other NICs: the wire is that of one
//! stage, whatever the NIC cuts itself.

use std::path::Path;

use crate::common::{Split, capture, data, folder, frames, one_stage, packet, second_stage, split};
use reference::{Kind, cut};
use serde_json::json;
use testpkt::capture::{Captured, read};
use testpkt::synth::{Synth, Tunnel};

const CAPTURES: [&str; 2] = ["bigtcp-ipv4.pcapng", "bigtcp-ipv6.pcapng"];

/// A run without a fault, in which segmenting the children gives the packets on the wire.
fn good(folder: &Path, input: &Path, options: &[&str]) -> Split {
    let run = split(folder, input, &[&["--json"], options].concat());
    assert_eq!((run.code, run.notes.as_str()), (0, ""), "{options:?}");
    assert_eq!(run.json()["refused"], json!({}), "{options:?}");
    assert!(frames(&run.wire) == second_stage(&run.children, 16));
    run
}

#[test]
fn a_nic_without_large_sends_gets_packets() {
    let folder = folder("kinds_software");
    for name in CAPTURES {
        let expected = one_stage(&read(data(name)).unwrap(), 16);
        for options in [
            &["--nic-lso", "off"][..],
            &["--nic-max", "0"],
            &["--nic-lso", "off", "--nic-checksum", "off"],
        ] {
            let run = good(&folder, &data(name), options);
            assert!(frames(&run.wire) == expected, "{options:?}");
            let json = run.json();
            assert_eq!(json["packets"], json["children"], "{options:?}");
            assert!(run.children.iter().all(|child| child.mss.is_none()));
            // The NIC has the checksums to do, or gets the wire packets as they are.
            let whole = options.contains(&"--nic-checksum");
            assert_eq!(frames(&run.children) == expected, whole, "{options:?}");
        }
    }
}

/// A packet's comment in a capture becomes its out-of-band information.
#[test]
fn comments_distinguish_packets_and_large_sends() {
    let folder = folder("kinds_comments");
    let send = Synth::v4(7 * 1448, 1448).vlan(&[0x2007]);
    let input = capture(&folder, &[packet(send.frame(false), Some(1448))]);
    let comments = |options: &[&str], comment: &[u8]| {
        let run = split(&folder, &input, options);
        assert_eq!((run.code, run.notes.as_str()), (0, ""));
        let children = std::fs::read(folder.join("c.pcapng")).unwrap();
        let windows = children.windows(comment.len());
        windows.filter(|bytes| *bytes == comment).count()
    };
    // Two large sends of 3 segments, and one packet that is left.
    let tail = ["--nic-max", "4400", "--min-segments", "3", "--vlan-oob"];
    assert_eq!(comments(&tail, b"mss=1448 vlan=7 priority=1"), 2);
    assert_eq!(comments(&tail, b"checksum=nic vlan=7 priority=1"), 1);
    let none = [&tail[..], &["--nic-checksum", "off"]].concat();
    assert_eq!(comments(&none, b"checksum=nic"), 0);
}

#[test]
fn captured_tcp_becomes_udp() {
    let folder = folder("kinds_uso");
    for name in CAPTURES {
        let run = good(&folder, &data(name), &["--uso"]);
        assert_eq!(run.json()["form"], "uso");
        let software = good(&folder, &data(name), &["--uso", "--nic-lso", "off"]);
        assert!(frames(&run.wire) == frames(&software.wire));
    }
}

#[test]
fn captured_tcp_goes_through_tunnels() {
    let folder = folder("kinds_encap");
    for (encap, tunnel) in [("vxlan", Tunnel::vxlan_v4()), ("nvgre", Tunnel::nvgre_v4())] {
        let send = |synth: &Synth| packet(synth.frame(true), Some(synth.mss));
        let sends = [Synth::v4(200_000, 1448), Synth::v6(60_000, 1428)];
        let input = capture(&folder, &sends.each_ref().map(send));
        let run = good(&folder, &input, &["--encap", encap]);
        let expected = sends.iter().flat_map(|synth| {
            let frame = tunnel.around(&synth.frame(false));
            cut(&frame, Kind::Encapsulated, synth.mss, 16).unwrap()
        });
        assert!(frames(&run.wire) == expected.collect::<Vec<_>>());
        let software = good(&folder, &input, &["--encap", encap, "--nic-lso", "off"]);
        assert!(frames(&run.wire) == frames(&software.wire));
        // A packet in a tunnel is whole: no NIC computes what is inside.
        assert!(frames(&software.children) == frames(&run.wire));
    }
}

#[test]
fn packets_of_the_filter_are_within_the_mtu() {
    let folder = folder("kinds_mtu");
    let jumbo = |payload| packet(Synth::v4(payload, 8948).frame(false), Some(8948));
    let input = capture(&folder, &[jumbo(100_000), jumbo(300_000)]);
    let refused = |options: &[&str]| {
        let run = split(&folder, &input, &[&["--json"], options].concat());
        assert_eq!((run.code, &run.json()["violations"]), (0, &json!(0)));
        run.json()["refused"].clone()
    };
    let too_long = json!({ "segment-above-mtu": 2 });
    // The MTU does not limit the packets that the NIC segments.
    assert_eq!(refused(&[]), json!({}));
    assert_eq!(refused(&["--nic-lso", "off"]), too_long);
    assert_eq!(refused(&["--nic-lso", "off", "--mtu", "8999"]), too_long);
    assert_eq!(refused(&["--nic-lso", "off", "--mtu", "9000"]), json!({}));
    let tunnel = ["--nic-lso", "off", "--encap", "vxlan", "--mtu"];
    // The headers around the inner packet do not count.
    assert_eq!(refused(&[&tunnel[..], &["8999"]].concat()), too_long);
    assert_eq!(refused(&[&tunnel[..], &["9000"]].concat()), json!({}));
}

/// The model's NIC breaks a rule where a chain goes on, or has too many MDLs.
#[test]
fn chains_end_and_are_bounded() {
    let folder = folder("kinds_chains");
    let input = data("bigtcp-ipv6.pcapng");
    let expected: Vec<Captured> = read(&input).unwrap();
    let expected = one_stage(&expected, 16);
    for options in [
        &[][..],
        &["--buffer", "1000"],
        &["--max-sg-elements", "8"],
        &["--max-sg-elements", "8", "--buffer", "4096"],
        &[
            "--max-sg-elements",
            "4",
            "--buffer",
            "700",
            "--nic-lso",
            "off",
        ],
    ] {
        let run = good(&folder, &input, options);
        assert!(frames(&run.wire) == expected, "{options:?}");
    }
}

#[test]
fn unusual_settings_are_reported() {
    let folder = folder("kinds_text");
    let run = split(
        &folder,
        &data("bigtcp-ipv4.pcapng"),
        &["--nic-lso", "off", "--mtu", "9000"],
    );
    assert!(
        run.out
            .contains("\nSetup: the NIC accepts no large sends; MTU 9,000.\n")
    );
    assert!(
        run.out.contains("The NIC received 647 single packets, "),
        "{}",
        run.out
    );
}
