//! The measured cases.

/// The kind of send that the overlying driver makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Traffic {
    /// LSOv2 over IPv4, with this MSS.
    Tcp(u32),
    /// The same in VXLAN.
    Vxlan(u32),
    /// UDP segmentation over IPv4, with this MSS.
    Udp(u32),
    /// No large sends.
    Plain,
}

/// The NIC's limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Nic {
    /// Large sends of every kind, up to [`MAX_PAYLOAD`] bytes.
    LargeSends,
    /// No large sends; it makes checksums.
    Checksums,
    /// Neither.
    Nothing,
}

/// Bytes of payload that the NIC accepts as one large send: the maximum that Hyper-V's virtual NIC
/// advertises.
pub(crate) const MAX_PAYLOAD: u32 = 62_780;
/// Segments that a large send must make.
pub(crate) const MIN_SEGMENTS: u32 = 2;

/// The unit by which costs are divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// A large send that the NIC gets.
    Child,
    /// A packet that the filter cut.
    Packet,
    /// An NBL that passes untouched.
    Untouched,
}

impl Unit {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Child => "child",
            Self::Packet => "packet",
            Self::Untouched => "NBL",
        }
    }
}

/// The budget for one unit: whichever limits are set.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Budget {
    /// Instructions of filter and null NDIS, as a multiple of the floor's.
    pub(crate) of_floor: Option<f64>,
    /// Instructions of filter and null NDIS.
    pub(crate) instructions: Option<f64>,
    pub(crate) nanoseconds: Option<f64>,
}

impl Budget {
    const NONE: Self = Self {
        of_floor: None,
        instructions: None,
        nanoseconds: None,
    };
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) traffic: Traffic,
    /// Bytes of payload in one NBL.
    pub(crate) payload: u32,
    /// Bytes of its buffers, over and over.
    pub(crate) buffers: &'static [u32],
    /// NBLs sent in one call.
    pub(crate) batch: usize,
    pub(crate) nic: Nic,
    /// The processor that completes is another than the one that sends.
    pub(crate) elsewhere: bool,
    pub(crate) unit: Unit,
    pub(crate) budget: Budget,
}

const KIB: u32 = 1024;
const LARGE_BUFFERS: &[u32] = &[64 * KIB];
const PAGES: &[u32] = &[4 * KIB];
/// Buffers as a proxy may gather them: a header of its own, bits of a cache, whole pages.
const MIXED: &[u32] = &[64 * KIB, 300, 4 * KIB, 16 * KIB, 1448, 9000];
/// Payload of 45 segments of 1,448 bytes, the most that the length field of one IP packet allows.
const TO_SEGMENT: u32 = 45 * 1448;

/// A split of 256 KiB in buffers of 64 KiB, one in a call. Others differ from it.
const SPLIT: Case = Case {
    name: "",
    traffic: Traffic::Tcp(1448),
    payload: 256 * KIB,
    buffers: LARGE_BUFFERS,
    batch: 1,
    nic: Nic::LargeSends,
    elsewhere: false,
    unit: Unit::Child,
    budget: Budget::NONE,
};

const fn split(name: &'static str, payload: u32, buffers: &'static [u32], batch: usize) -> Case {
    let (of_floor, nanoseconds) = match (buffers, payload) {
        ([65_536], 1_048_576) => (Some(1.1), Some(25.0)),
        ([65_536], _) => (Some(1.25), Some(30.0)),
        ([4096], _) => (None, Some(60.0)),
        _ => (None, None),
    };
    let budget = Budget {
        of_floor,
        nanoseconds,
        ..Budget::NONE
    };
    Case {
        name,
        payload,
        buffers,
        batch,
        budget,
        ..SPLIT
    }
}

/// Completed on another processor.
const fn elsewhere(name: &'static str, payload: u32) -> Case {
    Case {
        name,
        payload,
        batch: 16,
        elsewhere: true,
        ..SPLIT
    }
}

const fn untouched(name: &'static str, batch: usize) -> Case {
    Case {
        name,
        traffic: Traffic::Plain,
        payload: 1448,
        batch,
        unit: Unit::Untouched,
        budget: Budget {
            instructions: if batch >= 64 { Some(16.0) } else { None },
            ..Budget::NONE
        },
        ..SPLIT
    }
}

const fn software(name: &'static str, mss: u32, nic: Nic) -> Case {
    Case {
        name,
        traffic: Traffic::Tcp(mss),
        payload: TO_SEGMENT,
        nic,
        unit: Unit::Packet,
        budget: Budget {
            nanoseconds: match (mss, nic) {
                (1448, Nic::Nothing) => Some(45.0),
                _ => None,
            },
            ..Budget::NONE
        },
        ..SPLIT
    }
}

/// All of them, in the order of the table.
pub(crate) const CASES: &[Case] = &[
    split("256 KiB in 64 KiB x1", 256 * KIB, LARGE_BUFFERS, 1),
    split("256 KiB in 64 KiB x16", 256 * KIB, LARGE_BUFFERS, 16),
    split("256 KiB in 64 KiB x64", 256 * KIB, LARGE_BUFFERS, 64),
    split("1 MiB in 64 KiB x1", KIB * KIB, LARGE_BUFFERS, 1),
    split("1 MiB in 64 KiB x16", KIB * KIB, LARGE_BUFFERS, 16),
    split("256 KiB in 4 KiB x1", 256 * KIB, PAGES, 1),
    split("256 KiB in 4 KiB x16", 256 * KIB, PAGES, 16),
    split("256 KiB in 4 KiB x64", 256 * KIB, PAGES, 64),
    split("1 MiB in 4 KiB x1", KIB * KIB, PAGES, 1),
    split("1 MiB in 4 KiB x16", KIB * KIB, PAGES, 16),
    split("256 KiB mixed x1", 256 * KIB, MIXED, 1),
    split("1 MiB mixed x16", KIB * KIB, MIXED, 16),
    elsewhere("256 KiB in 64 KiB x16, elsewhere", 256 * KIB),
    elsewhere("1 MiB in 64 KiB x16, elsewhere", KIB * KIB),
    Case {
        name: "VXLAN, 256 KiB in 64 KiB x1",
        traffic: Traffic::Vxlan(1398),
        ..SPLIT
    },
    Case {
        name: "USO, 256 KiB in 64 KiB x1",
        traffic: Traffic::Udp(1472),
        ..SPLIT
    },
    untouched("untouched x1", 1),
    untouched("untouched x16", 16),
    untouched("untouched x64", 64),
    Case {
        traffic: Traffic::Tcp(1448),
        payload: 40 * 1448,
        ..untouched("untouched large sends x16", 16)
    },
    software("segments of 1448, checksums", 1448, Nic::Nothing),
    software("segments of 1448, NIC's checksums", 1448, Nic::Checksums),
    software("segments of 8948, checksums", 8948, Nic::Nothing),
    software("segments of 8948, NIC's checksums", 8948, Nic::Checksums),
];

pub(crate) fn find(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}
