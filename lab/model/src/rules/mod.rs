//! The rules that the model enforces, by number and name, and the reports of broken ones.
//!
//! Up to 35 the numbers are the design's; those from 36 on are the model's own.
//!
//! Each finding has a [`Level`]: the contract that Microsoft documents, advice, or a promise of
//! this product. A foreign driver is judged by the contract alone.

mod arguments;
mod completed_send;
mod flow_order;
mod freed;
mod header_page;
mod large_send;
mod out_of_band;
mod packet_child;
pub(crate) mod page;
mod stale_size;

use std::fmt;

/// How binding the rule behind a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub enum Level {
    /// Documented by Microsoft: a driver that breaks it is wrong.
    Contract,
    /// Recommended, or the stricter reading where two pages contradict each other.
    Advice,
    /// A promise of this product, beyond the documentation.
    #[default]
    Product,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Contract, Self::Advice, Self::Product];

    /// The level in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Advice => "advice",
            Self::Product => "product",
        }
    }
}

/// A rule of NDIS, of large send offload, or of this product.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Rule {
    /// Every NBL has one owner, and only the owner touches it.
    OneOwner = 1,
    /// Everything is sent and completed at most once, and the filter completes only NBLs that it was sent.
    Once = 2,
    /// Each NBL of the overlying driver is completed.
    EachCompletes = 3,
    /// A parent's NET_BUFFERs, MDLs and bytes are at completion as they were when it was sent.
    ParentIntact = 4,
    /// The first child that fails gives the parent its status.
    FirstFailure = 5,
    /// The large-send slot of a completed parent holds the values that a completing driver writes.
    TransmitComplete = 6,
    /// A large send has one NET_BUFFER.
    OneNetBuffer = 7,
    /// A large send, in a tunnel or not, is one that the NIC accepts: within its maximum, of its
    /// least number of segments, with only those options and headers that it supports.
    Limit = 8,
    /// Every child but the last carries a multiple of the MSS.
    MssMultiple = 9,
    /// The wire carries the same packets as after one stage of segmentation.
    Wire = 10,
    /// Headers are contiguous in the first MDL, and the NET_BUFFER's fields agree.
    Headers = 11,
    /// The packet lies within its MDL chain, and no MDL is in two packets in flight.
    Chain = 12,
    /// A partial MDL lies within its source, fits its page array, and is prepared before reuse.
    PartialMdl = 13,
    /// Every mapping is undone.
    Mappings = 14,
    /// SourceHandle is the originator's.
    SourceHandle = 15,
    /// ParentNetBufferList and ChildRefCount are for clones that NDIS makes: a child has no parent
    /// there, and the ChildRefCount of the overlying driver's NBLs is left to it.
    Clones = 16,
    /// Out-of-band information reaches the children.
    OutOfBand = 17,
    /// Packets of a flow stay in order.
    Order = 18,
    /// Sends go down only while the module runs.
    Running = 19,
    /// A pause completes when nothing is outstanding, and nothing happens after.
    Pause = 20,
    /// Detach and unload leave nothing behind.
    NothingLeft = 21,
    /// Routines are called at an IRQL they allow, flags are correct, IRQL is restored, and a
    /// critical region that a handler enters is left by it.
    Irql = 22,
    /// Routines for PASSIVE_LEVEL are called there.
    Passive = 23,
    /// No spin lock is held across a call of NDIS, taken twice, or used before it is initialized.
    SpinLock = 24,
    /// Recursion and stack are bounded.
    Recursion = 26,
    /// A failed allocation fails only the parent that needed it, whole, with NDIS_STATUS_RESOURCES.
    FailedAllocation = 27,
    /// In steady state nothing is allocated from the pool.
    SteadyState = 28,
    /// Pool memory has a tag, is freed under it, and pools outlive their contents.
    PoolTags = 29,
    /// OID requests go down and complete one at a time, once, unchanged except for their answers; a
    /// clone is freed before its original completes.
    Oid = 30,
    /// Status indications are sent while attached, well formed; those of other drivers are
    /// forwarded unchanged, and an offload configuration is the NIC's with only larger maxima of
    /// LSOv2 and USO, and LSOv2 added if the NIC has none at all but computes TCP checksums.
    Status = 31,
    /// A large send of any size ever advertised is accepted.
    StaleSize = 32,
    /// After pre-detach the overlying driver has the NIC's true configuration.
    PreDetach = 33,
    /// FilterAttach changes nothing where it fails, and cannot fail once it has set its attributes.
    Attach = 34,
    /// A control request completes once, writes no more than its output buffer, discloses no
    /// uninitialized memory, and holds no lock while its thread can be suspended; only the system
    /// and administrators may open it.
    ControlDevice = 36,
    /// Network events are forwarded once, and their status is returned.
    NetEvent = 37,
    /// An event provider is registered once and named, its events are TraceLogging that can be
    /// decoded, and nothing is written before it is registered or after.
    Tracing = 38,
    /// A child that is one packet has true lengths in its headers, and no more than one segment.
    PacketLength = 39,
    /// A child that is one packet has right checksums: those of its IPv4 headers before the NIC has
    /// it, all of them on the wire.
    PacketChecksum = 40,
    /// A checksum is left to the NIC only where the NIC computes it for such a packet.
    ChecksumOffload = 41,
    /// A packet that is no large send is within the MTU.
    Mtu = 42,
    /// A kernel event is initialized before it is used, outlives the waits for it, and is signaled
    /// for each of them.
    Events = 43,
    /// A failure of the miniport reaches the overlying driver.
    FinalStatus = 44,
    /// A routine of NDIS is called with the handle that NDIS gave the driver for it.
    Handles = 45,
    /// A packet goes on under the port that it came for, and its flags are defined ones.
    PortAndFlags = 46,
    /// Received NBLs are indicated or returned once, as many as the call states; one that was
    /// indicated with RESOURCES is the miniport's again when the handler returns.
    Receives = 47,
    /// A restart completes once, and successfully or not at all.
    Restart = 48,
    /// Memory is used within its bounds, while it is allocated, by its owner.
    Memory = 49,
    /// Two threads do not access the same memory without synchronization, one of them writing.
    Race = 50,
    /// The driver's own assertions hold.
    Assertion = 51,
    /// The structures that NDIS is passed have the header and the members of their revision.
    Structures = 52,
    /// An entry of the System event log is within its size, its strings end, and it is written or
    /// freed.
    ErrorLog = 53,
    /// Sleeps, and stalls of the processor, are no longer than is documented.
    Durations = 54,
}

impl Rule {
    /// The rule in a few words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneOwner => "one owner",
            Self::Once => "sent and completed once",
            Self::EachCompletes => "each completes",
            Self::ParentIntact => "parent intact",
            Self::FirstFailure => "first failure",
            Self::TransmitComplete => "transmit complete",
            Self::OneNetBuffer => "one NET_BUFFER",
            Self::Limit => "NIC limit",
            Self::MssMultiple => "multiple of MSS",
            Self::Wire => "wire bytes",
            Self::Headers => "contiguous headers",
            Self::Chain => "MDL chain",
            Self::PartialMdl => "partial MDL",
            Self::Mappings => "mappings",
            Self::SourceHandle => "source handle",
            Self::Clones => "clones",
            Self::OutOfBand => "out-of-band information",
            Self::Order => "order",
            Self::Running => "running",
            Self::Pause => "pause",
            Self::NothingLeft => "nothing left",
            Self::Irql => "IRQL",
            Self::Passive => "passive level",
            Self::SpinLock => "spin locks",
            Self::Recursion => "recursion",
            Self::FailedAllocation => "failed allocation",
            Self::SteadyState => "steady state",
            Self::PoolTags => "pool tags",
            Self::Oid => "OID requests",
            Self::Status => "status indications",
            Self::StaleSize => "stale size",
            Self::PreDetach => "true configuration",
            Self::Attach => "attach",
            Self::ControlDevice => "control device",
            Self::NetEvent => "network events",
            Self::PacketLength => "packet lengths",
            Self::PacketChecksum => "packet checksums",
            Self::ChecksumOffload => "checksum offload",
            Self::Mtu => "MTU",
            Self::Events => "kernel events",
            Self::ErrorLog => "error log",
            Self::Durations => "durations",
            Self::Tracing => "event tracing",
            Self::FinalStatus => "final status",
            Self::Handles => "handles",
            Self::PortAndFlags => "port and flags",
            Self::Receives => "receives",
            Self::Restart => "restart",
            Self::Memory => "memory",
            Self::Race => "data race",
            Self::Assertion => "assertion",
            Self::Structures => "structures",
        }
    }

    /// The rule's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The level of the rule's findings, where a finding has no other.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::FirstFailure
            | Self::Wire
            | Self::Order
            | Self::FailedAllocation
            | Self::SteadyState
            | Self::StaleSize
            | Self::PreDetach => Level::Product,
            _ => Level::Contract,
        }
    }
}

/// A broken rule, not yet tied to the object that it was broken for.
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    pub(crate) level: Level,
    pub(crate) found: String,
    /// The page behind it, where that is not the routine's or the rule's.
    pub(crate) page: Option<&'static str>,
}

impl Finding {
    /// A finding at the rule's own level.
    pub(crate) fn new(rule: Rule, found: impl Into<String>) -> Self {
        Self::at(rule.level(), rule, found)
    }

    /// A finding at `level`.
    pub(crate) fn at(level: Level, rule: Rule, found: impl Into<String>) -> Self {
        Self {
            rule,
            level,
            found: found.into(),
            page: None,
        }
    }

    /// The same, documented on `page`, a path below the drivers' documentation.
    pub(crate) fn on(self, page: &'static str) -> Self {
        Self {
            page: Some(page),
            ..self
        }
    }
}

/// One rule broken once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The rule that is broken.
    pub rule: Rule,
    /// The obligation behind it.
    pub level: Level,
    /// The NBL, or other object, that it was broken for.
    pub subject: String,
    /// Description of the finding.
    pub found: String,
    /// The page that documents the obligation, where that is not the page of the subject or the
    /// rule; a path below the drivers' documentation.
    pub own_page: Option<&'static str>,
}

impl Violation {
    /// The address of the page that documents the obligation; `None` for a promise of this product
    /// alone.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        (self.level != Level::Product)
            .then(|| page::address(self.rule, &self.subject, self.own_page))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, name) = (self.rule.number(), self.rule.name());
        write!(
            f,
            "rule {number} ({name}): {}: {}",
            self.subject, self.found
        )?;
        match self.page() {
            Some(page) => write!(f, " ({}: {page})", self.level.name()),
            None => Ok(()),
        }
    }
}
