//! The arithmetic of multi-stage large send offload: bytes in, a plan out,
//! header bytes out.
//!
//! An overlying driver sends one TCP large send that is several times the NIC's maximum. This crate
//! plans how to cut it into large sends that the NIC accepts (the *children* of that *parent*) and
//! writes each child's frame header. The caller owns buffers, descriptors and completion; the crate
//! is independent of any operating system.
//!
//! # Steps
//!
//! 1. [`Headers::of`] finds the headers in the first bytes of the frame, once for a parent, and
//!    checks them against the out-of-band information, a [`LargeSend`]: the packet may be cut, and
//!    matches its description. It may be TCP, UDP, or TCP in a tunnel.
//! 2. [`Plan::new`] cuts the payload for the NIC's [`Limit`], into large sends and, where the NIC
//!    does not accept those, into packets of one segment. With LSOv1 the caller first lowers the
//!    limit to [`Headers::max_payload`].
//! 3. [`Template::new`] takes the parent's header as the pattern.
//! 4. For each [`PlannedChild`] of the plan, [`Template::write`] or, by the child's [`Form`],
//!    [`PacketTemplate::write`] copies the pattern and sets the few fields that differ. The payload
//!    itself is never touched: the caller describes `payload_length` bytes from `payload_offset` of
//!    it. The caller reads them, into a [`Sum`], only if a packet's checksum is not left to the
//!    NIC.
//!
//! The result is correct if the NIC puts the same packets on the wire, byte for byte, as it would
//! have built from the parent in a single stage.
//!
//! ```
//! use lso::{
//!     Framing, Headers, IpIdWidth, IpVersion, LargeSend, Limit, MAX_HEADER, Offload, Plan, Template,
//! };
//!
//! # fn main() -> Result<(), lso::Refusal> {
//! let mut front = [0; MAX_HEADER];
//! front[..54].copy_from_slice(&[
//!     0x00, 0x15, 0x5d, 0x01, 0x02, 0x03, 0x00, 0x15, 0x5d, 0x0a, 0x0b, 0x0c, 0x08, 0x00,
//!     0x45, 0x00, 0x00, 0x00, 0x1c, 0x46, 0x40, 0x00, 0x80, 0x06, 0x00, 0x00, // IPv4
//!     0x0a, 0x00, 0x00, 0x02, 0x0a, 0x00, 0x00, 0x01,
//!     0xc3, 0x50, 0x14, 0x51, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x20, 0x00, // TCP
//!     0x50, 0x18, 0x20, 0x00, 0x14, 0x09, 0x00, 0x00,
//! ]);
//! let send = LargeSend {
//!     offload: Offload::LsoV2,
//!     ip_version: IpVersion::V4,
//!     mss: 1460,
//!     framing: Framing::Plain { transport: 34 },
//! };
//! let nic = Limit { max_payload: 62_780, min_segments: 2 };
//!
//! let headers = Headers::of(&front[..54], &send)?;
//! let plan = Plan::new(1 << 20, send.mss, nic)?;
//! assert_eq!((plan.children(), plan.segments()), (17, 719));
//!
//! let template = Template::new(&mut front, &headers, send.offload, IpIdWidth::Bits16)?;
//! let mut header = [0; MAX_HEADER];
//! for child in plan.iter() {
//!     template.write(&child, &mut header)?;
//! }
//! assert_eq!(header[18..20], 0x1eea_u16.to_be_bytes()); // 676 segments went before
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! Nothing here panics, allocates or loops without bound on any input. A send that cannot be cut is
//! refused by name, as a [`Refusal`]. Lengths and offsets are 32 bits wide throughout; only values
//! that a header field itself holds in 16 bits are computed in 16 bits.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_lossless,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod headers;
mod identification;
mod large_send;
mod plan;
mod refusal;
mod template;
mod wire;

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a wrong index is a failed test")]
mod frames;

pub use checksum::Sum;
pub use headers::{Headers, MAX_HEADER, Tunnel, TunnelKind};
pub use identification::IpIdWidth;
pub use large_send::{Framing, InnerOffsets, IpVersion, LargeSend, Offload, Transport};
pub use plan::{Form, Limit, Plan, PlannedChild, PlannedChildren};
pub use refusal::Refusal;
pub use template::{Checksum, PacketTemplate, Template};
