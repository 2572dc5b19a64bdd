//! The errors in a message.

use core::fmt;

/// An error in a message, or in a value that should go into one. Every variant has a sentence for the
/// administrator (`Display`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Invalid {
    /// The buffer has no room for the message.
    BufferTooSmall,
    /// There are fewer bytes than a header.
    Truncated,
    /// The message is of another version of the protocol.
    Version,
    /// The message is of another kind than belongs here.
    Kind,
    /// The number of bytes is not the size of the message, or not the size in its header.
    Size,
    /// A reserved bit or field is set.
    Reserved,
    /// The protocol has no such control code.
    Code,
    /// The interface index is 0, which names no adapter.
    InterfaceIndex,
    /// The multiple is outside 1 to 16.
    Multiple,
    /// There is no profile of this number.
    Profile,
    /// The cap is neither 0 nor in its range.
    Cap,
    /// The IPv4 identification counts in neither 15 nor 16 bits.
    IpIdBits,
    /// There is no choice of software segmentation of this number.
    SoftwareSegmentation,
    /// The maximum number of MDLs is outside 4 to 64.
    MaxSgElements,
    /// The bound on memory is no whole number of MiB, or outside 4 to 4096.
    MemoryBound,
    /// The adapter's name is longer than there is room for.
    Name,
    /// The list has more entries than its total number of adapters.
    Count,
    /// More reasons of refusal than a message has room for.
    Refusals,
}

impl Invalid {
    const fn sentence(self) -> &'static str {
        match self {
            Self::BufferTooSmall => "the buffer has no room for the message",
            Self::Truncated => "the message ends before its header does",
            Self::Version => "the message is of another version of the protocol",
            Self::Kind => "the message is of an unexpected kind",
            Self::Size => "the message does not have the size of its kind",
            Self::Reserved => "a reserved field of the message is set",
            Self::Code => "the protocol has no such control code",
            Self::InterfaceIndex => "interface index 0 names no adapter",
            Self::Multiple => "the multiple must be 1 to 16",
            Self::Profile => "the profile must be off (0), latency (1), throughput (2) or cpu (3)",
            Self::Cap => "the cap must be 0 for none, or 4,096 to 16,777,216 bytes",
            Self::IpIdBits => "the IPv4 identification counts in 15 or 16 bits",
            Self::SoftwareSegmentation => {
                "software segmentation must be never (0), with-checksums (1) or always (2)"
            }
            Self::MaxSgElements => "the maximum number of buffers of a packet must be 4 to 64",
            Self::MemoryBound => "the memory bound must be 4 to 4,096 MiB, a whole number of MiB",
            Self::Name => "the adapter's name is longer than 128 UTF-16 units",
            Self::Count => "the list has more entries than its total number of adapters",
            Self::Refusals => "the message counts more than 32 reasons of refusal",
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl core::error::Error for Invalid {}
