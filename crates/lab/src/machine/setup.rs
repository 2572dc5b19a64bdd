//! How a machine is set up: the one place where the lab's settings become the
//! model's.

use model::{Config, Nic};

use crate::reference::Kind;

/// The NIC and what the driver is told about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Bytes of payload in the largest large send that the NIC takes.
    pub nic_max: u32,
    /// The least wire packets that a large send makes.
    pub min_segments: u32,
    /// Bits in which the NIC counts the IPv4 identification, as the filter's
    /// setting says: 15 or 16.
    pub ip_id_bits: u32,
    /// What is sent, which the NIC says that it takes.
    pub kind: Kind,
    /// Whether the NIC takes large sends at all. If not, the filter makes every
    /// packet of the wire.
    pub nic_lso: bool,
    /// Whether the NIC computes checksums of packets that are no large sends.
    pub nic_checksum: bool,
    /// The filter's setting MaxElements: most MDLs of what the NIC is given.
    pub max_elements: Option<u32>,
    /// The filter's setting EndedChains: whether MDL chains end with the packet.
    pub ended_chains: bool,
}

impl Setup {
    /// A NIC that takes large sends of `nic_max` bytes of payload and
    /// `min_segments` wire packets, and is otherwise as most are.
    #[must_use]
    pub const fn new(nic_max: u32, min_segments: u32) -> Self {
        Self {
            nic_max,
            min_segments,
            ip_id_bits: 16,
            kind: Kind::Tcp,
            nic_lso: true,
            nic_checksum: true,
            max_elements: None,
            ended_chains: false,
        }
    }

    /// What of this the model or the filter does not know yet: such a machine
    /// does not start. Each goes from here when [`config`](Self::config) has it.
    #[must_use]
    pub fn unconnected(self) -> Option<&'static str> {
        match self {
            Self {
                kind: Kind::Udp, ..
            } => Some("large sends of UDP"),
            Self {
                kind: Kind::Encapsulated,
                ..
            } => Some("large sends in tunnels"),
            Self { nic_lso: false, .. } => Some("a NIC without large sends"),
            Self {
                nic_checksum: false,
                ..
            } => Some("a NIC without checksum offload"),
            Self {
                max_elements: Some(_),
                ..
            } => Some("a bound on MDLs"),
            Self {
                ended_chains: true, ..
            } => Some("MDL chains that end with the packet"),
            Self {
                kind: Kind::Tcp, ..
            } => None,
        }
    }

    /// The model's machine.
    pub(super) fn config(self) -> Config {
        let nic = Nic::new(self.nic_max, self.min_segments);
        Config::with_nic(nic).counting_ip_id_in(self.ip_id_bits)
    }
}
