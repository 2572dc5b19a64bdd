//! The errors in a message.

use core::fmt;

/// An error in a message, or in a value that should go into one.
///
/// Every variant has an [`index`](Self::index), a [`name`](Self::name) for programs and a sentence
/// for the administrator (`Display`).
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
    /// Every variant, at its [`index`](Self::index).
    pub const ALL: [Self; 18] = [
        Self::BufferTooSmall,
        Self::Truncated,
        Self::Version,
        Self::Kind,
        Self::Size,
        Self::Reserved,
        Self::Code,
        Self::InterfaceIndex,
        Self::Multiple,
        Self::Profile,
        Self::Cap,
        Self::IpIdBits,
        Self::SoftwareSegmentation,
        Self::MaxSgElements,
        Self::MemoryBound,
        Self::Name,
        Self::Count,
        Self::Refusals,
    ];

    /// The variant's place in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// A short identifier in kebab case, for JSON and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BufferTooSmall => "buffer-too-small",
            Self::Truncated => "truncated",
            Self::Version => "version",
            Self::Kind => "kind",
            Self::Size => "size",
            Self::Reserved => "reserved",
            Self::Code => "code",
            Self::InterfaceIndex => "interface-index",
            Self::Multiple => "multiple",
            Self::Profile => "profile",
            Self::Cap => "cap",
            Self::IpIdBits => "ip-id-bits",
            Self::SoftwareSegmentation => "software-segmentation",
            Self::MaxSgElements => "max-sg-elements",
            Self::MemoryBound => "memory-bound",
            Self::Name => "name",
            Self::Count => "count",
            Self::Refusals => "refusals",
        }
    }

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

#[cfg(test)]
mod tests {
    use super::Invalid;

    #[test]
    fn all_is_in_the_order_of_index() {
        for (place, invalid) in Invalid::ALL.into_iter().enumerate() {
            assert_eq!(invalid.index(), place, "{invalid:?}");
        }
    }

    #[test]
    fn names_are_kebab_case_and_all_texts_differ() {
        for (place, invalid) in Invalid::ALL.into_iter().enumerate() {
            let name = invalid.name();
            let kebab = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(name.chars().all(kebab), "{name}");
            let mut earlier = Invalid::ALL.into_iter().take(place);
            assert!(
                earlier.all(|other| {
                    other.name() != name && other.sentence() != invalid.sentence()
                })
            );
        }
    }
}
