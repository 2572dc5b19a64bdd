//! The configuration of a machine.

use std::time::Duration;

use ndis::sys;

use crate::{nic::Nic, rules::Level};

/// The configuration of a model.
#[derive(Clone, Debug)]
pub struct Config {
    /// The version that NdisGetVersion returns.
    pub ndis_version: u32,
    /// Active processors.
    pub processors: u32,
    /// Processors that [`World::add_processors`](crate::World::add_processors) makes active while the system runs.
    pub hot_added: u32,
    /// The NIC and how it behaves.
    pub nic: Nic,
    /// The miniport's medium; Ethernet unless a test wants another.
    pub medium: i32,
    /// Most bytes of an IP datagram on the wire, as NDIS reports at each restart; `None` if it has
    /// no restart attributes, and the wire has no limit.
    pub mtu: Option<u32>,
    /// Whether the miniport has an offload configuration at all.
    pub has_offload: bool,
    /// Whether NDIS passes to FilterAttach the configuration that an earlier FilterAttach left,
    /// raised, in place of the miniport's.
    pub keeps_raised_offload: bool,
    /// Integer parameters of the filter module in the registry at the start, by keyword.
    pub parameters: Vec<(String, u32)>,
    /// The highest level of findings that are reported.
    pub level: Level,
    /// How long nothing may happen in the machine before a pending pause or restart, or a wait without
    /// a limit, is called endless.
    pub patience: Duration,
    /// Most bytes of kernel stack for the driver's own frames.
    pub stack: usize,
    /// Whether the restart attributes come in the reverse of the usual order, in which the general
    /// ones are first.
    pub restart_attributes_reversed: bool,
    /// Whether NDIS attaches the filter to the NIC before NdisFRegisterFilterDriver returns, and
    /// detaches it within NdisFDeregisterFilterDriver, as the pages of both routines warn.
    pub attaches_in_registration: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ndis_version: 6 << 16 | 85,
            processors: 2,
            hot_added: 0,
            nic: Nic::default(),
            medium: sys::NdisMedium802_3,
            mtu: Some(1500),
            has_offload: true,
            keeps_raised_offload: false,
            parameters: Vec::new(),
            level: Level::default(),
            patience: Duration::from_millis(100),
            stack: UNOPTIMISED_STACK,
            restart_attributes_reversed: false,
            attaches_in_registration: false,
        }
    }
}

/// Most bytes of stack for the driver's frames in an image, which is optimized. A kernel stack has
/// 24 KiB for all drivers of a stack of devices together.
pub const STACK: usize = 10 << 10;

/// The same for a driver that is linked natively: code that is not optimized takes several times
/// more.
const UNOPTIMISED_STACK: usize = if cfg!(debug_assertions) {
    64 << 10
} else {
    STACK
};

impl Config {
    /// A machine whose NIC counts the IPv4 identification in `bits` bits, and whose filter is set
    /// to do the same.
    #[must_use]
    pub fn counting_ip_id_in(mut self, bits: u32) -> Self {
        self.nic.id_bits = bits;
        self.parameters.push(("IpIdBits".into(), bits));
        self
    }

    /// This machine with a parameter of the filter module in the registry.
    #[must_use]
    pub fn with_parameter(mut self, keyword: &str, value: u32) -> Self {
        self.parameters.push((keyword.to_owned(), value));
        self
    }

    /// The default machine with another NIC.
    #[must_use]
    pub fn with_nic(nic: Nic) -> Self {
        Self {
            nic,
            ..Self::default()
        }
    }
}
