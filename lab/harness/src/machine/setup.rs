//! How a machine is set up: the one place where the lab's settings become the
//! model's.

use control::{Profile, keyword};
use model::{Config, Nic};

/// A machine on which the administrator chose the profile `throughput` for the adapter and had it
/// persist. As installed, the driver raises nothing.
pub fn turned_on(config: Config) -> Config {
    config.with_parameter(keyword::PROFILE, Profile::Throughput.number())
}

/// Most bytes of an IP packet on Ethernet (RFC 894).
pub const ETHERNET_MTU: u32 = 1500;

/// The same where packets travel in tunnels: Windows hosts of virtual networks
/// leave 160 bytes for the headers around one (the adapter's EncapOverhead).
pub const TUNNEL_MTU: u32 = ETHERNET_MTU + 160;

/// The NIC and the driver's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Bytes of payload in the largest large send that the NIC accepts.
    pub nic_max: u32,
    /// The least wire packets that a large send makes.
    pub min_segments: u32,
    /// Bits in which the NIC counts the IPv4 identification, as in the filter's setting: 15 or 16.
    pub ip_id_bits: u32,
    /// Whether the NIC has large send offload. If not, the filter makes every packet of the wire.
    pub nic_lso: bool,
    /// Whether the NIC computes checksums of packets that are no large sends.
    pub nic_checksum: bool,
    /// Most bytes of an IP packet that the filter makes. The MTU does not limit the packets that
    /// the NIC segments.
    pub mtu: u32,
    /// The filter's setting MaxSgElements: most MDLs of a packet for the NIC. The NIC accepts no
    /// more.
    pub max_sg_elements: Option<u32>,
}

impl Setup {
    /// A NIC that accepts large sends of `nic_max` bytes of payload and `min_segments` wire
    /// packets, and is otherwise as most are.
    pub const fn new(nic_max: u32, min_segments: u32) -> Self {
        Self {
            nic_max,
            min_segments,
            ip_id_bits: 16,
            nic_lso: true,
            nic_checksum: true,
            mtu: ETHERNET_MTU,
            max_sg_elements: None,
        }
    }

    /// The model's machine.
    pub(super) fn config(self) -> Config {
        let mut config = turned_on(Config {
            mtu: Some(self.mtu),
            ..Config::with_nic(self.nic()).counting_ip_id_in(self.ip_id_bits)
        });
        let most = self.max_sg_elements;
        config
            .parameters
            .extend(most.map(|most| (keyword::MAX_SG_ELEMENTS.to_owned(), most)));
        config
    }

    /// The model's NIC. It accepts USO and tunnels if it has large send offload, and reports a
    /// broken rule where chains do not match the settings.
    pub(super) fn nic(self) -> Nic {
        let nic = Nic {
            id_bits: self.ip_id_bits,
            max_elements: self.max_sg_elements.map(|most| most as usize),
            ..Nic::new(self.nic_max, self.min_segments)
        };
        let nic = match self.nic_lso {
            true => nic,
            false => nic.without_lso().without_uso(),
        };
        match self.nic_checksum {
            true => nic,
            false => nic.without_checksum_offload(),
        }
    }
}
