//! A device's offloads, by `SIOCETHTOOL` (`linux/ethtool.h`).
#![expect(unsafe_code, reason = "an ioctl that takes a pointer in a structure")]

use std::{io, os::fd::AsRawFd};

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::error::{Doing, TrafficError};
use super::namespace::Namespace;

/// `ETHTOOL_STXCSUM`, `ETHTOOL_STSO` and `ETHTOOL_SGSO`: the checksum last, since segmentation by
/// the device goes with it.
const SEND_OFFLOADS: [u32; 3] = [0x1F, 0x24, 0x17];

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Turns off what the device `name` would do for its sender, so that the kernel segments, and
/// finishes every checksum, before a packet enters it. Who receives it checks them all then.
///
/// # Errors
///
/// What the system says.
pub fn no_send_offloads(namespace: &Namespace, name: &str) -> Result<(), TrafficError> {
    namespace.inside(|| {
        SEND_OFFLOADS
            .into_iter()
            .try_for_each(|command| set(name, command, 0))
            .doing(|| format!("turning the offloads of {name} off"))
    })
}

fn set(name: &str, command: u32, data: u32) -> io::Result<()> {
    let any = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let mut value = Value { command, data };
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays 0.
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: SIOCETHTOOL reads and writes the ifreq and, for these commands, an ethtool_value
    // behind its pointer; both live until it returns.
    let done = unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
