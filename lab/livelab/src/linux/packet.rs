//! Packet sockets: whole frames of a device, each with a [`VnetHeader`] before it
//! (`man 7 packet`, PACKET_VNET_HDR).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, MultiHeaders, SockFlag, SockProtocol, SockType,
    recvmmsg, sendmmsg, setsockopt, socket, sockopt,
};

use super::doing::Doing;
use super::namespace::Namespace;
use super::netlink::Device;
use super::vnet::{self, VnetHeader};
use crate::error::Error;

/// The socket options that nix does not have.
mod option {
    use nix::libc;
    // These two are used by the third without their path.
    use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

    sockopt_impl!(
        /// Frames have a virtio-net header before them.
        VnetHeaders, SetOnly, libc::SOL_PACKET, libc::PACKET_VNET_HDR, bool
    );
    sockopt_impl!(
        /// Frames that the host itself sends are not received.
        IgnoreOutgoing, SetOnly, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, bool
    );
    sockopt_impl!(
        /// A frame comes with a `tpacket_auxdata` beside it.
        AuxiliaryData, SetOnly, libc::SOL_PACKET, libc::PACKET_AUXDATA, bool
    );
    sockopt_impl!(
        /// How many frames arrived, and how many of them found no place, since the last read.
        Statistics, GetOnly, libc::SOL_PACKET, libc::PACKET_STATISTICS, libc::tpacket_stats
    );
}

/// Bytes that the kernel may keep for a socket, received or on their way out. A guest's window is
/// within it, so that nothing is lost between it and the filter.
const QUEUE: usize = 256 << 20;

/// Most packets in one call.
pub const BATCH: usize = 32;

/// A socket on a device.
#[derive(Debug)]
pub struct PacketSocket {
    socket: OwnedFd,
}

/// A frame that was received, with its header before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes of both.
    pub length: usize,
    /// The outermost VLAN tag, which the kernel keeps beside the frame.
    pub tag: Option<[u8; 4]>,
}

impl Received {
    /// The header, and where the frame begins in `memory` once its tag is in it.
    pub fn unpack(self, memory: &mut [u8]) -> (VnetHeader, usize) {
        const ADDRESSES: usize = 12;
        let header = memory.first_chunk();
        let mut header = header.map(VnetHeader::decode).unwrap_or_default();
        let (start, behind) = (vnet::LENGTH, vnet::LENGTH + ADDRESSES);
        match self.tag {
            Some(tag) if self.length >= behind => {
                // Over the end of the header, which has been read.
                memory.copy_within(start..behind, start - tag.len());
                memory[behind - tag.len()..behind].copy_from_slice(&tag);
                header.checksum_from = header.checksum_from.map(|at| at + tag.len() as u16);
                (header, start - tag.len())
            }
            _ => (header, start),
        }
    }
}

/// The tag in a `tpacket_auxdata` (`linux/if_packet.h`), in the form that a frame has.
fn tag(data: &[u8]) -> Option<[u8; 4]> {
    let status = u32::from_ne_bytes(*data.first_chunk()?);
    let half = |at: usize| Some(u16::from_ne_bytes(*data.get(at..)?.first_chunk()?));
    let (control, kind) = (half(16)?.to_be_bytes(), half(18)?.to_be_bytes());
    let kind = if status & libc::TP_STATUS_VLAN_TPID_VALID == 0 {
        [0x81, 0]
    } else {
        kind
    };
    let is_there = status & libc::TP_STATUS_VLAN_VALID != 0;
    is_there.then_some([kind[0], kind[1], control[0], control[1]])
}

/// Whether a socket receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It sends and receives.
    Both,
    /// It only sends.
    Send,
}

/// A frame to be sent, with its header.
#[derive(Debug)]
pub struct Message<'a> {
    /// The kernel's metadata of the frame.
    pub header: VnetHeader,
    /// The frame's first bytes, where they are not where the others are.
    pub front: Vec<u8>,
    /// The others, in order.
    pub rest: Vec<&'a [u8]>,
}

impl Message<'_> {
    /// One packet, for which nothing is left to do.
    pub fn of(front: Vec<u8>) -> Self {
        Self {
            header: VnetHeader::default(),
            front,
            rest: Vec::new(),
        }
    }

    /// The frame's first bytes, its destination among them.
    pub fn first_bytes(&self) -> &[u8] {
        if self.front.is_empty() {
            self.rest.first().copied().unwrap_or_default()
        } else {
            &self.front
        }
    }

    /// The frame in one piece.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = self.front.clone();
        for part in &self.rest {
            frame.extend_from_slice(part);
        }
        frame
    }
}

impl PacketSocket {
    /// Opens a socket on `device` in `namespace`.
    pub fn open(
        namespace: &Namespace,
        device: Device,
        direction: Direction,
    ) -> Result<Self, Error> {
        namespace.inside(|| open(device, direction).doing(|| "opening a packet socket".to_owned()))
    }

    /// Waits until one of `sockets` has frames, at most `milliseconds`. Returns which have.
    pub fn wait<'a>(
        sockets: impl Iterator<Item = &'a Self>,
        milliseconds: u8,
    ) -> io::Result<Vec<bool>> {
        let mut all: Vec<_> = sockets
            .map(|one| PollFd::new(one.as_fd(), PollFlags::POLLIN))
            .collect();
        match poll(&mut all, PollTimeout::from(milliseconds)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |one: &PollFd<'_>| one.revents().is_some_and(|events| !events.is_empty());
        Ok(all.iter().map(ready).collect())
    }

    /// Receives frames into `buffers`, with their headers, as many as there are.
    pub fn receive(&self, buffers: &mut [&mut [u8]]) -> io::Result<Vec<Received>> {
        let count = buffers.len().min(BATCH);
        let room = nix::cmsg_space!(libc::tpacket_auxdata);
        let mut headers = MultiHeaders::<()>::preallocate(count, Some(room));
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers
            .iter_mut()
            .take(count)
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let received = recvmmsg(
            self.socket.as_raw_fd(),
            &mut headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        );
        match received {
            Ok(all) => Ok(all
                .map(|one| Received {
                    length: one.bytes,
                    tag: one.cmsgs().ok().and_then(|mut beside| {
                        beside.find_map(|message| match message {
                            ControlMessageOwned::Unknown(data) => tag(&data.data_bytes),
                            _ => None,
                        })
                    }),
                })
                .collect()),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(Vec::new()),
            // The device was turned off meanwhile: there is nothing more of it.
            Err(Errno::ENETDOWN) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends frames in order. Returns how many the kernel has no place for, and never will.
    pub fn send(&self, messages: &[Message<'_>]) -> io::Result<u64> {
        let encoded: Vec<_> = messages.iter().map(|one| one.header.encode()).collect();
        let slices: Vec<Vec<IoSlice<'_>>> = messages
            .iter()
            .zip(&encoded)
            .map(|(one, header)| {
                let parts = [&header[..], &one.front].into_iter();
                let parts = parts.chain(one.rest.iter().copied());
                parts
                    .filter(|part| !part.is_empty())
                    .map(IoSlice::new)
                    .collect()
            })
            .collect();
        let (mut done, mut lost) = (0, 0);
        while done < slices.len() {
            let count = (slices.len() - done).min(BATCH);
            let mut headers = MultiHeaders::<()>::preallocate(count, None);
            let sent = sendmmsg(
                self.socket.as_raw_fd(),
                &mut headers,
                &slices[done..done + count],
                vec![None; count],
                [],
                MsgFlags::empty(),
            );
            match sent {
                Ok(sent) => done += sent.count().max(1),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.wait_for_room()?,
                // A frame that the kernel has no room for now will not fit later either.
                Err(Errno::ENOBUFS | Errno::ENETDOWN | Errno::EMSGSIZE | Errno::EINVAL) => {
                    done += 1;
                    lost += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(lost)
    }

    /// How many frames came and found no place since the last call.
    #[must_use]
    pub fn overflown(&self) -> u64 {
        let counted = nix::sys::socket::getsockopt(&self.socket, option::Statistics);
        counted.map_or(0, |counted| counted.tp_drops.into())
    }

    fn wait_for_room(&self) -> io::Result<()> {
        let mut one = [PollFd::new(self.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut one, PollTimeout::from(100_u8)) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open(device: Device, direction: Direction) -> io::Result<PacketSocket> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )?;
    setsockopt(&socket, option::VnetHeaders, &true)?;
    setsockopt(&socket, option::IgnoreOutgoing, &true)?;
    setsockopt(&socket, option::AuxiliaryData, &true)?;
    // Without the privilege, as in a user namespace, the size that is open to every user; packets
    // that find no place are then lost, and TCP retransmits them.
    setsockopt(&socket, sockopt::RcvBufForce, &QUEUE)
        .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &QUEUE))?;
    setsockopt(&socket, sockopt::SndBufForce, &QUEUE)
        .or_else(|_| setsockopt(&socket, sockopt::SndBuf, &QUEUE))?;
    let protocol = match direction {
        Direction::Both => SockProtocol::EthAll as u16,
        Direction::Send => 0,
    };
    bind(&socket, device, protocol)?;
    Ok(PacketSocket { socket })
}

/// Binds to a device; with a protocol of 0 the socket receives nothing.
#[expect(
    unsafe_code,
    reason = "nix makes no address of a device from its index"
)]
fn bind(socket: &OwnedFd, device: Device, protocol: u16) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol;
    address.sll_ifindex = device.cast_signed();
    let length = size_of::<libc::sockaddr_ll>() as u32;
    // SAFETY: the address has the stated length, and lives until the call returns.
    let done = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
