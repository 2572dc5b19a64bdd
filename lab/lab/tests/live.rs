//! Live traffic, judged by the kernel's own devices and by programs independent of the lab.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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
        // The filter makes each packet, of a size that the medium has.
        "traffic --nic-max 3000 --mtu 9000 --bytes 16M",
        "traffic --nic-max 3000 --judge",
    ] {
        let (code, text) = words(line);
        assert_eq!(code, Some(0), "{line}: {text}");
    }
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn without_a_large_send_there_is_no_pass() {
    for line in [
        "traffic --bytes 1000",
        "traffic --run true",
        "migrate --bytes 1000",
        "traffic --judge --min-segments 100000",
    ] {
        let (code, text) = words(line);
        assert_eq!(code, Some(3), "{line}: {text}");
        assert!(!text.contains("PASS"), "{line}: {text}");
        assert!(
            text.contains("no large send reached the filter"),
            "{line}: {text}"
        );
    }
}

/// The end of the terminal is one as well, and the commands of the user's end with the lab; unless
/// it was started to go on, as by nohup.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_signal_ends_the_commands_too() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (number, (given, signal, code)) in [
        ("--default-signal", "TERM", Some(130)),
        ("--default-signal", "HUP", Some(130)),
        ("--default-signal", "QUIT", Some(130)),
        ("--ignore-signal=HUP", "HUP", None),
    ]
    .into_iter()
    .enumerate()
    {
        let file = folder.join(format!("signal-{number}"));
        let _ = fs::remove_file(&file);
        let run = format!("echo $$ > {}; exec sleep 60", file.display());
        let mut lab = Command::new("env")
            .args([
                given,
                env!("CARGO_BIN_EXE_mslso-lab"),
                "traffic",
                "--run",
                &run,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = |done: &mut dyn FnMut() -> bool| {
            let begun = Instant::now();
            while !done() && begun.elapsed() < Duration::from_secs(10) {
                thread::sleep(Duration::from_millis(20));
            }
        };
        let written = || fs::read_to_string(&file).unwrap_or_default();
        until(&mut || written().ends_with('\n'));
        let send = |signal: &str, to: &str| {
            let kill = Command::new("kill").args(["-s", signal, to]).status();
            kill.unwrap().success()
        };
        let id = lab.id().to_string();
        assert!(send(signal, &id));
        // A shell sends it once more.
        assert!(signal != "HUP" || send(signal, &id));
        if code.is_none() {
            thread::sleep(Duration::from_millis(500));
            assert_eq!(lab.try_wait().unwrap(), None, "{given} {signal}");
            assert!(send("TERM", &id));
        }
        until(&mut || lab.try_wait().unwrap().is_some());
        let ended = lab.try_wait().unwrap().and_then(|status| status.code());
        let _ = lab.kill();
        assert_eq!(ended, Some(130), "{given} {signal}");
        let command = Path::new("/proc").join(written().trim());
        assert!(!command.exists(), "{given} {signal}: the command is left");
    }
}

#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_capture_that_cannot_be_written_is_no_pass() {
    let (code, text) = words("traffic --bytes 16M --pcap /dev/full");
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("/dev/full: cannot be written"), "{text}");
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

/// The peer's large sends in a tunnel reach the guest: the guest's stack takes them in packets only.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_vxlan_device_of_the_peer() {
    let kind = |local: &str, remote: &str| {
        format!("type vxlan id 7 dstport 4789 local ${local} remote ${remote} dev eth0")
    };
    let serve = device(&kind("PEER", "GUEST"), 1) + SERVE;
    let run = device(&kind("GUEST", "PEER"), 2) + "timeout 30 iperf3 -c 192.0.2.1 -n 8M --bidir";
    let line = ["traffic", "--verify-checksums", "--serve", &serve];
    let (code, text) = lab(&[&line[..], &["--run", &run]].concat());
    assert_eq!(code, Some(0), "{text}");
}

/// UDP with GSO in a VXLAN device of the guest, for which NDIS has no offload: the switch cuts it.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn udp_with_gso_in_a_vxlan_device() {
    let kind = |local: &str, remote: &str| {
        format!("type vxlan id 7 dstport 4789 local ${local} remote ${remote} dev eth0")
    };
    let serve = device(&kind("PEER", "GUEST"), 1);
    let serve = format!("{serve} exec python3 -c \"{RECEIVE_UDP}\" 192.0.2.1");
    let run = device(&kind("GUEST", "PEER"), 2);
    let run = format!("{run} python3 -c \"{SEND_UDP}\" 192.0.2.1");
    let summary = tried_without_offload(&serve, &run);
    assert_eq!(counted(&summary, "no_offload"), 40, "{summary}");
}

/// The summary of commands of which no large send is for the filter, and all arrive.
fn tried_without_offload(serve: &str, run: &str) -> serde_json::Value {
    let line = ["traffic", "--json", "--verify-checksums", "--serve", serve];
    let (code, text) = lab(&[&line[..], &["--run", run]].concat());
    assert_eq!(code, Some(3), "{text}");
    // The reason for the exit code follows, as an object of its own.
    let mut objects = serde_json::Deserializer::from_str(&text).into_iter();
    let summary: serde_json::Value = objects.next().unwrap().unwrap();
    assert_eq!(summary["violations"], serde_json::json!([]), "{summary}");
    for lost in ["odd", "uncut", "no_place", "overflown", "failed"] {
        assert_eq!(counted(&summary, lost), 0, "{lost}: {summary}");
    }
    summary
}

/// VXLAN-GPE carries IP without Ethernet, which is no VXLAN to NDIS: the switch cuts it.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_vxlan_gpe_device_of_the_guest() {
    let side = |own: u8, other: u8, to: &str| {
        let gpe = device("type vxlan external gpe dstport 4790", own);
        format!("{gpe} ip route replace 192.0.2.{other} encap ip id 7 dst ${to} dev over0; ")
    };
    let serve = side(1, 2, "GUEST") + SERVE;
    let run = side(2, 1, "PEER") + "timeout 30 " + TCP;
    let summary = tried_without_offload(&serve, &run);
    assert!(counted(&summary, "no_offload") > 30, "{summary}");
}

/// Large sends in GENEVE, with options, over IPv4 and IPv6: the guest's kernel forwards those of a
/// TAP device (of Linux 6.17 and later), since eth0 offers to segment them. The peer's kernel
/// verifies the outer checksums, and the receiver the inner ones.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn a_geneve_tunnel_of_the_guest() {
    const BOTH: &str = "
import fcntl, os, socket, struct, sys
def folded(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 65535) + (total >> 16)
    return total
inside = bytes([192, 0, 2, 2, 192, 0, 2, 1])
payload = bytes(range(251)) * 120
six = ':' in sys.argv[1]
geneve = bytes.fromhex('02006558000007000102030100000005')
";
    const SEND: &str = "
tap = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tap, 0x400454CA, struct.pack('16sH22x', b'tap0', 0x5002)) # TUNSETIFF
fcntl.ioctl(tap, 0x400454D8, struct.pack('i', 24)) # TUNSETVNETHDRSZ
fcntl.ioctl(tap, 0x400454D0, 0x187) # TUNSETOFFLOAD: TCP, and TCP in UDP tunnels
ethernet = bytes.fromhex('020000000009020000000008')
os.system('ip link set tap0 address 02:00:00:00:00:09 up; ip route add 198.51.100.0/24 dev tap0;'
    'ip route add 2001:db8::/64 dev tap0; echo 1 > /proc/sys/net/ipv4/ip_forward;'
    'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding')
def ipv4(length, protocol, addresses):
    header = struct.pack('>BBHHHBBH8s', 0x45, 0, 20 + length, 1, 0, 64, protocol, 0, addresses)
    return header[:10] + struct.pack('>H', 65535 - folded(header)) + header[12:]
seed = folded(inside + struct.pack('>HH', 6, 20 + len(payload)))
tcp = struct.pack('>HHIIBBHHH', 1, 2, 3, 4, 0x50, 0x18, 99, seed, 0)
inner = ethernet + bytes([8, 0]) + ipv4(20 + len(payload), 6, inside) + tcp + payload
length = 8 + len(geneve) + len(inner)
if six:
    ends = socket.inet_pton(10, '2001:db8::5') + socket.inet_pton(10, sys.argv[1])
    outer = ethernet + bytes.fromhex('86dd') + struct.pack('>IHBB', 6 << 28, length, 17, 64) + ends
else:
    ends = bytes([198, 51, 100, 5]) + socket.inet_aton(sys.argv[1])
    outer = ethernet + bytes([8, 0]) + ipv4(length, 17, ends)
udp = struct.pack('>HHHH', 50000, 6081, length, folded(ends + struct.pack('>HH', 17, length)))
network = len(outer + udp + geneve) + 14
# virtio_net_hdr_v1_hash_tunnel: a checksum to be made, in the tunnel as well; TCP over IPv4.
header = struct.pack('=BBHHHHHIHHHH', 9, 1 | (64 if six else 32), network + 40, 1300,
    network + 20, 16, 0, 0, 0, 0, len(outer), network)
done = socket.create_server(('::' if six else '', 4434), family=10 if six else 2)
for turn in range(5): os.write(tap, header + outer + udp + geneve + inner)
done.settimeout(10)
done.accept()
";
    const RECEIVE: &str = "
here = socket.socket(10 if six else 2, socket.SOCK_DGRAM)
here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
here.bind((sys.argv[1], 6081))
for turn in range(5):
    got = b''
    while len(got) < len(payload):
        data = here.recvfrom(4000)[0]
        assert data[:16] == geneve
        ip, tcp = data[30:50], data[50:]
        assert folded(ip) == 65535 and struct.unpack('>H', ip[2:4])[0] == len(data) - 30
        assert folded(ip[12:] + struct.pack('>HH', 6, len(tcp)) + tcp) == 65535
        assert struct.unpack('>I', tcp[4:8])[0] == 3 + len(got)
        assert len(tcp) == 1320 or len(tcp) < 1320 and len(got) + 1300 > len(payload)
        got += tcp[20:]
    assert got == payload
socket.create_connection((sys.argv[2], 4434), 5)
";
    for six in ["", "6"] {
        let serve = format!("exec python3 -c \"{BOTH}{RECEIVE}\" $PEER{six} $GUEST{six}");
        let run = format!("python3 -c \"{BOTH}{SEND}\" $PEER{six} $GUEST{six}");
        let summary = tried_without_offload(&serve, &run);
        assert_eq!(counted(&summary, "no_offload"), 5, "{summary}");
        assert_eq!(counted(&summary, "largest_large_send"), 251 * 120);
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
fn a_server_that_does_not_listen_is_reported_at_once() {
    for (serve, message) in [("true", "ended with"), ("false", "ended with")] {
        let begun = Instant::now();
        let (code, text) = lab(&["traffic", "--serve", serve, "--run", "true"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(message) && text.contains("--serve"), "{text}");
        assert!(begun.elapsed().as_secs() < 8, "{text}");
    }
    let (code, text) = lab(&["traffic", "--serve", "sleep 100", "--run", "true"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("opened no port"), "{text}");
}

const SEND_UDP: &str = "
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
const RECEIVE_UDP: &str = "
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

/// UDP with GSO, as QUIC programs send it: all datagrams arrive, in order and whole.
#[test]
#[ignore = "needs root; .ci/live runs it"]
fn udp_with_gso_of_the_guest() {
    for peer in ["$PEER", "$PEER6"] {
        for stage in ["kernel", "model"] {
            let serve = format!("exec python3 -c \"{RECEIVE_UDP}\" {peer}");
            let run = format!("python3 -c \"{SEND_UDP}\" {peer}");
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
