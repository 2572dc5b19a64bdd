//! A send as data: small enough for a line of a script, and always the same packet.

mod build;

use serde::{Deserialize, Serialize};

/// The contents of one NBL of the overlying driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// LSOv2.
    #[default]
    Lso,
    /// LSOv1.
    LsoV1,
    /// UDP segmentation.
    Uso,
    /// LSOv2, or UDP segmentation, inside VXLAN.
    Vxlan,
    /// The same inside NVGRE.
    Nvgre,
    /// TCP that is no large send.
    Tcp,
    /// UDP that is no large send.
    Udp,
    /// Neither TCP nor UDP.
    Arp,
    /// Any bytes.
    Bytes,
}

/// One NBL of the overlying driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Shape {
    /// The kind of large send, or none.
    pub kind: Kind,
    /// Whether it is IPv6; inside a tunnel, the inner packet.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub ipv6: bool,
    /// Bytes of payload; of any bytes, how many.
    pub payload: u32,
    /// Bytes of payload in each wire packet.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub mss: u32,
    /// VLAN tags in the frame.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub tags: u8,
    /// IPv4 options of so many words, or one of the choices of IPv6 extension headers.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub ip_options: u8,
    /// Bytes of TCP options.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub tcp_options: u8,
    /// TCP flags beside ACK.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub flags: u16,
    /// TCP sequence number.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub seq: u32,
    /// IPv4 identification, inside a tunnel both.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub ip_id: u16,
    /// Type of service or traffic class.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub class: u8,
    /// Whether UDP has a checksum, that of a tunnel as well.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub udp_checksum: bool,
    /// Whether lengths of UDP and of tunnels are stated.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub stated: bool,
    /// The headers outside of a tunnel.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub outer: Outer,
    /// Out-of-band slots that a filter carries as they are, and their values.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub slots: Vec<(u8, u32)>,
    /// NblFlags.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub nbl_flags: u32,
    /// Source port; another one is another flow.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub port: u16,
    /// Chooses the payload's bytes.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub seed: u64,
    /// The layout in memory.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub memory: Memory,
    /// The malformation, if any.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub damage: Vec<Damage>,
}

/// The headers outside of a tunnel, and their out-of-band information.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Outer {
    /// Whether the outer packet is IPv6.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub ipv6: bool,
    /// VLAN tags of the outer frame.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub tags: u8,
    /// As those of the [`Shape`].
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub ip_options: u8,
    /// Whether the offsets of the inner headers are left out.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub silent: bool,
    /// Whether the large-send slot has the inner IP version.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub says_inner: bool,
    /// Whether the inner packet is UDP: a UDP segmentation in place of an LSOv2.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub uso: bool,
}

/// The layout of a packet in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Memory {
    /// Bytes in each buffer but the first and the last; all in one buffer where it is 0.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub buffer: u32,
    /// Whether the headers have an MDL of their own.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub own_header: bool,
    /// Whether the content of a tunnel begins in another MDL than the outer headers.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub own_inner: bool,
    /// Bytes before the frame in the first MDL.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub before: u32,
    /// Bytes behind the frame in the last MDL.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub behind: u32,
    /// Bytes from a page's start at which each buffer starts.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub page_offset: u32,
    /// Whether its pages are locked without a mapping.
    #[serde(skip_serializing_if = "harness::json::is_default")]
    pub locked: bool,
}

/// Something wrong with a packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// A byte of the frame.
    Frame(u32, u8),
    /// A byte counted from the IP header; inside a tunnel from the inner one.
    Ip(u32, u8),
    /// A byte counted from the TCP or UDP header.
    Transport(u32, u8),
    /// The value of an out-of-band slot.
    Slot(u8, u32),
    /// The value of the large-send slot.
    LargeSend(u32),
    /// More bytes in DataLength than there are.
    Longer(u32),
    /// More bytes in CurrentMdlOffset than in DataOffset.
    Skew(u32),
    /// So many NET_BUFFERs.
    NetBuffers(u8),
    /// So many bytes in the first MDL.
    First(u32),
    /// No more than so many bytes of frame.
    Cut(u32),
}

/// How many choices of extension headers there are; those from [`SOUND_EXTENSIONS`] on are refused.
pub const EXTENSIONS: u8 = 10;
/// How many of them a large send may have.
pub const SOUND_EXTENSIONS: u8 = 4;

impl Shape {
    /// Whether its slots make it a large send.
    pub fn is_large(&self) -> bool {
        use Kind::{Lso, LsoV1, Nvgre, Uso, Vxlan};
        matches!(self.kind, Lso | LsoV1 | Uso | Vxlan | Nvgre)
    }
}
