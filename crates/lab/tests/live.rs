//! Live traffic, judged by the kernel's own devices and by programs independent of the lab.
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

const TCP: &str = "iperf3 -c 192.0.2.1 -n 8M";

/// The kernel's VXLAN device of a guest makes large sends in a tunnel, with an outer checksum, as
/// it does by default, and without.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_vxlan_device_of_the_guest() {
    let kind = |local: &str, remote: &str, more: &str| {
        format!("type vxlan id 7 dstport 4789 local ${local} remote ${remote} dev eth0 {more}")
    };
    for (more, stage, six) in [
        ("", "kernel", ""),
        ("noudpcsum", "model", ""),
        ("", "model", "6"),
    ] {
        let (own, other) = (format!("GUEST{six}"), format!("PEER{six}"));
        let (guest, peer) = (kind(&own, &other, more), kind(&other, &own, more));
        // A NIC with a lower maximum than the tunnel's large sends, so that the filter has to
        // split.
        let options = ["--nic-max", "16000", "--second-stage", stage];
        let summary = through(&guest, &peer, TCP, &options);
        assert!(counted(&summary, "tunnelled") > 30, "{more}: {summary}");
        let split = summary["filter"]["split"].as_u64().unwrap();
        assert!(split > 30, "{more}: {summary}");
    }
}

/// A tagged large send: the guest's cable removes the tag, and keeps it beside the packet.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_vlan_tag_of_the_guest() {
    const SEND: &str = "
import socket, struct
def folded(data):
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 65535) + (total >> 16)
    return total
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.setsockopt(263, 15, 1) # PACKET_VNET_HDR
out.bind(('eth0', 0))
ether = bytes.fromhex('024c534f0001024c534f0002') + bytes.fromhex('8100600708 00'.replace(' ', ''))
ip = struct.pack('>BBHHHBBH8s', 0x45, 0, 30040, 1, 0, 64, 6, 0, bytes([10, 83, 0, 2, 10, 83, 0, 1]))
ip = ip[:10] + struct.pack('>H', 65535 - folded(ip)) + ip[12:]
seed = folded(ip[12:] + struct.pack('>HH', 6, 30020))
tcp = struct.pack('>HHIIBBHHH', 1, 2, 3, 4, 0x50, 0x18, 99, seed, 0)
header = struct.pack('=BBHHHH', 1, 1, 58, 1448, 38, 16)
for turn in range(5): out.send(header + ether + ip + tcp + bytes(30000))
";
    const RECEIVE: &str = "
import socket, struct
here = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
here.setsockopt(263, 8, 1) # PACKET_AUXDATA
here.setsockopt(socket.SOL_SOCKET, 33, 1 << 24) # SO_RCVBUFFORCE: room for all that is sent
here.bind(('eth0', 3))
here.settimeout(10)
tagged = 0
while tagged < 5 * 21:
    data, beside, flags, sender = here.recvmsg(4000, 100)
    for level, kind, aux in beside:
        status, length, snap, mac, net, tci, tpid = struct.unpack('=IIIHHHH', aux)
        tagged += bool(status & 16) and tci == 0x6007 and len(data) > 54
open('all-tagged', 'w')
";
    let folder = env!("CARGO_TARGET_TMPDIR");
    let serve = format!("cd {folder}; rm -f all-tagged; exec python3 -c \"{RECEIVE}\"");
    let run = format!(
        "python3 -c \"{SEND}\" && timeout 10 sh -c 'until test -e {folder}/all-tagged; do sleep 0.1; done'"
    );
    let mut line = vec![
        "traffic",
        "--json",
        "--nic-max",
        "9000",
        "--second-stage",
        "model",
    ];
    line.extend(["--compare", "1", "--serve", &serve, "--run", &run]);
    let (code, text) = lab(&line);
    assert_eq!(code, Some(0), "{text}");
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(summary["filter"]["split"], 5, "{text}");
}

/// The guest's device does not offer an offload that NDIS lacks: the kernel segments before it.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_guest_is_offered_what_is_carried() {
    const ASK: &str = "
import array, fcntl, socket, struct
def ask(words):
    data = array.array('I', words)
    request = struct.pack('16sP16x', b'eth0', data.buffer_info()[0])
    fcntl.ioctl(socket.socket(), 0x8946, request) # SIOCETHTOOL
    return data
names = ask([0x1B, 4, 64] + [0] * 64 * 8) # ETHTOOL_GSTRINGS
count = names[2]
names = names[3:].tobytes()
names = [names[at * 32:][:32].split(bytes(1))[0].decode() for at in range(count)]
blocks = ask([0x3A, (count + 31) // 32] + [0] * 4 * ((count + 31) // 32)) # ETHTOOL_GFEATURES
active = {name for at, name in enumerate(names) if blocks[2 + at // 32 * 4 + 2] >> at % 32 & 1}
carried = {'tx-tcp-segmentation', 'tx-tcp6-segmentation', 'tx-udp-segmentation', 'tx-udp_tnl-segmentation'}
not_carried = {'tx-gre-segmentation', 'tx-gre-csum-segmentation', 'tx-sctp-segmentation', 'tx-checksum-sctp',
    'tx-ipxip4-segmentation', 'tx-ipxip6-segmentation'}
print(sorted(active))
assert carried <= active and not not_carried & active
";
    let (code, text) = lab(&["traffic", "--run", &format!("python3 -c \"{ASK}\"")]);
    assert_eq!(code, Some(3), "{text}");
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_server_that_does_not_listen_is_told_at_once() {
    for (serve, said) in [("true", "ended with"), ("false", "ended with")] {
        let begun = std::time::Instant::now();
        let (code, text) = lab(&["traffic", "--serve", serve, "--run", "true"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(said) && text.contains("--serve"), "{text}");
        assert!(begun.elapsed().as_secs() < 8, "{text}");
    }
    let (code, text) = lab(&["traffic", "--serve", "sleep 100", "--run", "true"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("opened no port"), "{text}");
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
for turn in range(40):
    out.send(b''.join(bytes([turn, k]) + bytes(1198) for k in range(40)) + bytes([turn, 40]) + b'rest')
    assert out.recv(1) == bytes([turn])
";
    const RECEIVE: &str = "
import socket, sys
kind = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
here = socket.socket(kind, socket.SOCK_DGRAM)
here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
here.bind((sys.argv[1], 4433))
for turn in range(40):
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
            assert!(counted(&summary, "uso") == 40, "{text}");
        }
    }
}
