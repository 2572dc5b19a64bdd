//! Packets of other link types as Ethernet frames.
//!
//! `tcpdump -i any` writes cooked captures, tunnels and loopbacks write bare IP. Such packets get
//! an Ethernet header: the sender's address where there is one, else zeros.
//! (Layouts: <https://www.tcpdump.org/linktypes.html>.)

/// Link types.
const NULL: u32 = 0;
const ETHERNET: u32 = 1;
const RAW: [u32; 5] = [12, 14, 101, 228, 229];
const LOOP: u32 = 108;
const SLL: u32 = 113;
const SLL2: u32 = 276;

/// Bytes before the packet.
const FAMILY_LEN: usize = 4;
const SLL_LEN: usize = 16;
const SLL2_LEN: usize = 20;
const ADDRESS_LEN: usize = 6;

/// ARPHRD values of links whose protocol field is no EtherType: radiotap and the other forms of
/// 802.11, and netlink.
const NO_ETHER_TYPE: [u16; 4] = [801, 802, 803, 824];
/// The EtherType for frames that have none: reserved (RFC 7042, section B.1).
const NONE: [u8; 2] = [0xFF, 0xFF];

/// The packet as an Ethernet frame; the packet itself where its link type is none that holds such.
pub(super) fn ethernet(link: u32, data: Vec<u8>) -> Result<Vec<u8>, Vec<u8>> {
    let be16 = |at: usize| {
        let word: Option<&[u8; 2]> = data.get(at..).and_then(<[u8]>::first_chunk);
        word.copied().unwrap_or(NONE)
    };
    match link {
        ETHERNET => Ok(data),
        NULL | LOOP => Ok(of_ip(data.get(FAMILY_LEN..).unwrap_or_default())),
        link if RAW.contains(&link) => Ok(of_ip(&data)),
        // Packet type, ARPHRD, length of the address, the address in 8 bytes, protocol.
        SLL if data.len() >= SLL_LEN => Ok(cooked(
            be16(2),
            be16(4),
            &data[6..],
            be16(14),
            &data[SLL_LEN..],
        )),
        // Protocol, reserved, interface, ARPHRD, packet type, length of the address, the address.
        SLL2 if data.len() >= SLL2_LEN => Ok(cooked(
            be16(8),
            [0, data[11]],
            &data[12..],
            be16(0),
            &data[SLL2_LEN..],
        )),
        SLL | SLL2 => Ok(frame([0; ADDRESS_LEN], NONE, &data)),
        _ => Err(data),
    }
}

fn cooked(
    hardware: [u8; 2],
    length: [u8; 2],
    address: &[u8],
    protocol: [u8; 2],
    packet: &[u8],
) -> Vec<u8> {
    let source = match (u16::from_be_bytes(length), address.first_chunk()) {
        (6, Some(address)) => *address,
        _ => [0; ADDRESS_LEN],
    };
    // Below 1536 stand for protocols without an EtherType, such as 802.2 (4).
    let odd = NO_ETHER_TYPE.contains(&u16::from_be_bytes(hardware)) || protocol[0] < 6;
    frame(source, if odd { NONE } else { protocol }, packet)
}

/// By its version.
fn of_ip(packet: &[u8]) -> Vec<u8> {
    let ether_type = match packet.first().map(|byte| byte >> 4) {
        Some(4) => [0x08, 0x00],
        Some(6) => [0x86, 0xDD],
        _ => NONE,
    };
    frame([0; ADDRESS_LEN], ether_type, packet)
}

fn frame(source: [u8; ADDRESS_LEN], ether_type: [u8; 2], packet: &[u8]) -> Vec<u8> {
    [&[0; ADDRESS_LEN][..], &source, &ether_type, packet].concat()
}
