//! A device's offloads, by `SIOCETHTOOL` (`linux/ethtool.h`).
#![expect(unsafe_code, reason = "an ioctl that takes a pointer in a structure")]

use std::{io, os::fd::AsRawFd};

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::doing::Doing;
use super::namespace::Namespace;
use crate::error::Error;

/// `ETHTOOL_STXCSUM`, `ETHTOOL_STSO` and `ETHTOOL_SGSO`: the checksum last, since segmentation by
/// the device goes with it.
const SEND_OFFLOADS: [u32; 3] = [0x1F, 0x24, 0x17];

/// Turns off the send offloads of the device `name`, so that the kernel segments, and finishes
/// every checksum, before a packet enters it. The receiver then checks every checksum.
pub fn no_send_offloads(namespace: &Namespace, name: &str) -> Result<(), Error> {
    namespace.inside(|| {
        SEND_OFFLOADS
            .into_iter()
            .try_for_each(|command| ioctl(name, &mut [command, 0]))
            .doing(|| format!("turning the offloads of {name} off"))
    })
}

/// Offloads by the kernel's names (`netdev_features_strings`) for large sends, and a checksum, that
/// NDIS has no words for, so that a guest's device must not offer them. GRE is among them: of it
/// only NVGRE has an offload.
const NOT_CARRIED: [&str; 8] = [
    "tx-gre-segmentation",
    "tx-gre-csum-segmentation",
    "tx-ipxip4-segmentation",
    "tx-ipxip6-segmentation",
    "tx-sctp-segmentation",
    "tx-checksum-sctp",
    "tx-gso-list",
    "tx-esp-segmentation",
];

/// Turns off those offloads of the device `name` that the lab cannot carry; its stack then segments
/// and finishes such packets itself.
pub fn only_what_is_carried(namespace: &Namespace, name: &str) -> Result<(), Error> {
    namespace.inside(|| {
        turn_off(name, &NOT_CARRIED).doing(|| format!("turning the offloads of {name} off"))
    })
}

/// `ETH_SS_FEATURES`, and the commands that count and name features and set them.
const FEATURES: u32 = 4;
const GET_SET_INFO: u32 = 0x37;
const GET_STRINGS: u32 = 0x1B;
const SET_FEATURES: u32 = 0x3B;
/// Words in a name (`ETH_GSTRING_LEN` bytes).
const NAME: usize = 8;

fn turn_off(name: &str, features: &[&str]) -> io::Result<()> {
    // `struct ethtool_sset_info`: command, reserved, a mask of 64 bits, a length for each bit in it.
    let mut counted = [GET_SET_INFO, 0, 0, 0, 0];
    counted[2..4].copy_from_slice(&words_of(1 << FEATURES));
    ioctl(name, &mut counted)?;
    let count = counted[4] as usize;
    // `struct ethtool_gstrings`: command, set, how many, and each name.
    let mut strings = vec![0; 3 + count * NAME];
    strings[..3].copy_from_slice(&[GET_STRINGS, FEATURES, count as u32]);
    ioctl(name, &mut strings)?;
    // `struct ethtool_sfeatures`: command, blocks of 32, and for each which are set, and to what.
    let blocks = count.div_ceil(32);
    let mut set = vec![0; 2 + blocks * 2];
    set[..2].copy_from_slice(&[SET_FEATURES, blocks as u32]);
    for (number, words) in strings[3..].chunks_exact(NAME).enumerate() {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let known = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        if features.iter().any(|one| one.as_bytes() == known) {
            set[2 + number / 32 * 2] |= 1 << (number % 32);
        }
    }
    ioctl(name, &mut set)
}

/// A number of 64 bits in its memory layout.
fn words_of(number: u64) -> [u32; 2] {
    let bytes = number.to_ne_bytes();
    let word =
        |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [word(0), word(4)]
}

/// Hands the device `name` a command of ethtool and what belongs to it.
fn ioctl(name: &str, words: &mut [u32]) -> io::Result<()> {
    let any = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays 0.
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
    // SAFETY: SIOCETHTOOL reads and writes the ifreq and, behind its pointer, as many words as the
    // command and the counts after it state, which callers have room for; both live until it
    // returns.
    let done = unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
