//! The pool tags: the owner of each allocation, as debugging tools show it.

/// Four readable letters by which `poolmon` and Driver Verifier identify the owner of an
/// allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag(u32);

/// All pool tags of the driver; docs/troubleshoot.md lists them for administrators.
impl Tag {
    /// The driver's state.
    pub const DRIVER: Self = Self::new(*b"MslD");
    /// Filter modules.
    pub const MODULE: Self = Self::new(*b"MslM");
    /// Rundown protection of filter modules.
    pub const RUNDOWN: Self = Self::new(*b"MslG");
    /// Counters.
    pub const COUNTERS: Self = Self::new(*b"MslS");
    /// Children, and packets that the filter cuts.
    pub const CHILD: Self = Self::new(*b"MslN");
    /// Each processor's lists of idle children.
    pub const IDLE_LISTS: Self = Self::new(*b"MslC");
    /// Arrays of MDLs for payload in many buffers.
    pub const MDL_ARRAY: Self = Self::new(*b"MslA");
    /// Copies of payload, where a packet has more buffers than `MaxSgElements`.
    pub const COPY: Self = Self::new(*b"MslP");
    /// OID requests.
    pub const OID: Self = Self::new(*b"MslO");

    /// A tag from its letters in the order in which tools show them.
    const fn new(letters: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(letters))
    }

    /// The value that pool routines take.
    pub const fn value(self) -> u32 {
        self.0
    }
}
