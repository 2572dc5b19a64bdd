//! The driver of a phase, and the machines on which it runs.

use std::{sync::Arc, time::Duration};

use harness::driver::Driver;
use harness::random::Random;
use model::{Config, Level, Nic, STACK, World};

/// OID_GEN_MAXIMUM_FRAME_SIZE.
pub(super) const FRAME_SIZE: u32 = 0x0001_0106;
/// OID_GEN_CURRENT_PACKET_FILTER.
pub(super) const PACKET_FILTER: u32 = 0x0001_010E;
/// OID_802_3_PERMANENT_ADDRESS, which stands for a statistic here.
pub(super) const STATISTICS: u32 = 0x0102_0001;
/// OID_GEN_VENDOR_DESCRIPTION.
pub(super) const VENDOR: u32 = 0x0001_010D;

/// OID_TCP_TASK_IPSEC_OFFLOAD_V2_DELETE_SA, which comes as a direct request.
pub(super) const DELETE_SA: u32 = 0xFC03_0203;

/// A step of the driver's life failed, with this status.
pub(super) struct Refused {
    pub(super) step: &'static str,
    pub(super) status: i32,
}

impl Refused {
    pub(super) fn new(step: &'static str) -> impl FnOnce(i32) -> Self {
        move |status| Self { step, status }
    }
}

/// The newest NDIS, that of Windows 11 24H2: a driver may be built for any.
const NEWEST: u32 = 6 << 16 | 89;

/// How long nothing happens in the machine before what is pending is called endless.
const PATIENCE: Duration = Duration::from_millis(100);

/// The driver of a phase, and its options.
pub(super) struct Subject {
    pub(super) driver: Driver,
    pub(super) random: Random,
    /// Control codes that the command line names.
    pub(super) codes: Vec<u32>,
    /// Whether what no page rules out is tried too.
    pub(super) stress: bool,
    /// Whether NDIS attaches the filter within its registration.
    pub(super) attaches_in_registration: bool,
    pub(super) level: Level,
}

impl Subject {
    /// A machine for the driver.
    pub(super) fn machine(&mut self) -> Arc<World> {
        let mut nic = Nic::new(62_780, 2);
        nic.answers = vec![
            (FRAME_SIZE, vec![0xDC, 5, 0, 0]),
            (PACKET_FILTER, vec![0; 4]),
            (VENDOR, b"a NIC of the model\0".to_vec()),
            (STATISTICS, vec![9; 16]),
            (DELETE_SA, Vec::new()),
        ];
        let stack = match self.driver {
            Driver::Native => Config::default().stack,
            Driver::Image(_) => STACK,
        };
        World::new(Config {
            ndis_version: NEWEST,
            level: self.level,
            patience: PATIENCE,
            stack,
            restart_attributes_reversed: self.stress,
            attaches_in_registration: self.attaches_in_registration,
            ..Config::with_nic(nic)
        })
    }
}
