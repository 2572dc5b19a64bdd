//! How a machine is set up: the one place where the lab's settings become the
//! model's.

use model::{Config, Nic};

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
        }
    }

    /// The model's machine.
    pub(super) fn config(self) -> Config {
        let nic = Nic::new(self.nic_max, self.min_segments);
        Config::with_nic(nic).counting_ip_id_in(self.ip_id_bits)
    }
}
