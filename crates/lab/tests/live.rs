//! Live traffic, judged by the kernel's own devices and by programs that know nothing of the lab.
#![cfg(target_os = "linux")]

use std::process::{Command, Output};

fn lab(line: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mslso-lab"));
    let Output {
        status,
        stdout,
        stderr,
    } = command.args(line).output().unwrap();
    let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    (status.code(), text.into_owned())
}

fn words(line: &str) -> (Option<i32>, String) {
    lab(&line.split(' ').collect::<Vec<_>>())
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn every_multiple_and_every_nic_is_good() {
    for line in [
        "migrate --multiple 3 --other-multiple 4 --bytes 64M",
        "migrate --nic-max 32000 --multiple 2 --bytes 64M",
        "traffic --nic-max 524280 --bytes 96M",
        "traffic --nic-max 262000 --mtu 9000 --bytes 96M --ip 4",
    ] {
        let (code, text) = words(line);
        assert_eq!(code, Some(0), "{line}: {text}");
    }
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn without_a_large_send_there_is_no_pass() {
    for line in ["traffic --bytes 1000", "traffic --run true"] {
        let (code, text) = words(line);
        assert_eq!(code, Some(3), "{line}: {text}");
        assert!(!text.contains("PASS"), "{line}: {text}");
        assert!(text.contains("no large send was made"), "{line}: {text}");
    }
}

/// Commands for both sides that make a device `kind` over eth0 with an address in 192.0.2.0/24.
fn device(kind: &str, own: u8) -> String {
    format!(
        "set -e; ip link add over0 {kind}; ip address add 192.0.2.{own}/24 dev over0; \
         ip link set over0 up; "
    )
}

const SERVE: &str = "exec iperf3 -s -1 >/dev/null";

/// Runs iperf3 between the devices `guest` and `peer` made by the kernel; returns the summary.
fn through(guest: &str, peer: &str, client: &str, options: &[&str]) -> serde_json::Value {
    let serve = device(peer, 1) + SERVE;
    let run = device(guest, 2) + client;
    let mut line = vec!["traffic", "--json", "--compare", "1", "--verify-checksums"];
    line.extend(options);
    line.extend(["--serve", &serve, "--run", &run]);
    let output = Command::new(env!("CARGO_BIN_EXE_mslso-lab"))
        .args(&line)
        .output()
        .unwrap();
    let notes = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{guest}: {notes}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn counted(summary: &serde_json::Value, name: &str) -> u64 {
    summary["counted"][name].as_u64().unwrap()
}

const TCP: &str = "iperf3 -c 192.0.2.1 -n 40M";

/// The kernel's VXLAN device of a guest makes large sends in a tunnel.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_vxlan_device_of_the_guest() {
    let kind = |local: &str, remote: &str| {
        format!("type vxlan id 7 dstport 4789 local ${local} remote ${remote} dev eth0")
    };
    let (guest, peer) = (kind("GUEST", "PEER"), kind("PEER", "GUEST"));
    for stage in ["kernel", "model"] {
        // A NIC that takes less than the guest's tunnel makes, so that the filter has to split.
        let options = ["--nic-max", "16000", "--second-stage", stage];
        let summary = through(&guest, &peer, TCP, &options);
        assert!(counted(&summary, "tunnelled") > 100, "{summary}");
        assert!(
            summary["filter"]["split"].as_u64().unwrap() > 100,
            "{summary}"
        );
    }
}

/// The kernel keeps the tag of a VLAN device beside the packet.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_vlan_device_of_the_guest() {
    let kind = "link eth0 type vlan id 7";
    let summary = through(kind, kind, TCP, &[]);
    assert!(counted(&summary, "large_sends") > 20, "{summary}");
    assert!(
        summary["filter"]["split"].as_u64().unwrap() > 10,
        "{summary}"
    );
}

/// UDP with GSO, as QUIC programs send it: all datagrams arrive, in order and whole.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn udp_with_gso_of_the_guest() {
    const SEND: &str = "
import os, socket, sys
kind = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
out = socket.socket(kind, socket.SOCK_DGRAM)
out.setsockopt(17, 103, 1200) # UDP_SEGMENT
out.connect((sys.argv[1], 4433))
out.settimeout(10)
for turn in range(200):
    out.send(b''.join(bytes([turn, k]) + bytes(1198) for k in range(40)) + bytes([turn, 40]) + b'rest')
    assert out.recv(1) == bytes([turn])
";
    const RECEIVE: &str = "
import socket, sys
kind = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
here = socket.socket(kind, socket.SOCK_DGRAM)
here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
here.bind((sys.argv[1], 4433))
for turn in range(200):
    for k in range(41):
        data, sender = here.recvfrom(4000)
        whole = bytes(1198) if k < 40 else b'rest'
        if data != bytes([turn, k]) + whole: sys.exit(1)
    here.sendto(bytes([turn]), sender)
";
    for peer in ["$PEER", "$PEER6"] {
        for stage in ["kernel", "model"] {
            let serve = format!("exec python3 -c \"{RECEIVE}\" {peer}");
            let run = format!("python3 -c \"{SEND}\" {peer}");
            let mut line = vec![
                "traffic",
                "--json",
                "--verify-checksums",
                "--nic-max",
                "20000",
            ];
            line.extend(["--second-stage", stage, "--serve", &serve, "--run", &run]);
            let (code, text) = lab(&line);
            assert_eq!(code, Some(0), "{peer}, {stage}: {text}");
            let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(counted(&summary, "uso") >= 200, "{text}");
        }
    }
}

/// What NDIS has no offload for, the guest's device does not offer: the kernel cuts it there.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_gre_device_of_the_guest() {
    let kind = |local: &str, remote: &str| format!("type gretap local ${local} remote ${remote}");
    let client = "iperf3 -c 192.0.2.1 -n 4M; iperf3 -c $PEER -p 5202 -n 4M";
    let peer = kind("PEER", "GUEST");
    let serve = device(&peer, 1) + "iperf3 -s -1 -p 5202 >/dev/null & " + SERVE;
    let run = device(&kind("GUEST", "PEER"), 2) + client;
    let (code, text) = lab(&["traffic", "--serve", &serve, "--run", &run]);
    assert_eq!(code, Some(0), "{text}");
}
