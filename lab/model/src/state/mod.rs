//! Everything a model keeps, behind one lock. The lock is never held while the driver is called.

mod adapter;
mod kernel;
mod life;
mod nbls;
mod traffic;

use std::sync::Arc;

use crate::{
    clock::Clock,
    config::Config,
    findings::Findings,
    handles::{MODULE, NEIGHBOR},
    oid::Oids,
    rules::{Finding, Rule},
    virtual_switch::VirtualSwitch,
};
use adapter::Adapter;
pub(crate) use kernel::{Configuration, ControlDevice, Kernel, Rundown};
pub use life::ModuleState;
pub(crate) use life::{Driver, Life, RESTARTING};
pub(crate) use nbls::{Allocates, Known, Mdls, NblParts, NblPool, Nbls, Origin, Owner, Partial};
pub(crate) use traffic::{Advertised, EventUnderWay, Indications, MiniportState, Receives, Sends};

/// See the module.
pub(crate) struct State {
    pub(crate) findings: Arc<Findings>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) driver: Option<Driver>,
    pub(crate) life: Life,
    pub(crate) nbls: Nbls,
    pub(crate) mdls: Mdls,
    pub(crate) sends: Sends,
    pub(crate) miniport: MiniportState,
    pub(crate) receives: Receives,
    pub(crate) advertised: Advertised,
    pub(crate) indications: Indications,
    pub(crate) kernel: Kernel,
    pub(crate) control: ControlDevice,
    pub(crate) oids: Oids,
    pub(crate) virtual_switch: VirtualSwitch,
    /// The adapter that is not in use.
    pub(crate) other: Adapter,
}

impl State {
    pub(crate) fn new(config: &Config, findings: Arc<Findings>) -> Self {
        let Adapter {
            life,
            sends,
            miniport,
            receives,
            advertised,
            indications,
            oids,
        } = Adapter::new(config, MODULE);
        Self {
            findings,
            clock: Arc::default(),
            driver: None,
            life,
            nbls: Nbls::default(),
            mdls: Mdls::default(),
            sends,
            miniport,
            receives,
            advertised,
            indications,
            kernel: Kernel::default(),
            control: ControlDevice::default(),
            oids,
            virtual_switch: VirtualSwitch::default(),
            other: Adapter::new(config, NEIGHBOR),
        }
    }

    /// Records that a rule was broken.
    pub(crate) fn violation(
        &mut self,
        rule: Rule,
        subject: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.finding(subject, Finding::new(rule, found));
    }

    /// Records a finding about `subject`, unless its level is not asked for.
    pub(crate) fn finding(&mut self, subject: impl Into<String>, finding: Finding) {
        self.findings.record(subject, finding);
    }

    /// Counts an allocation by `routine`, and returns whether it is to succeed.
    pub(crate) fn may_allocate(&mut self, routine: &str) -> bool {
        if self.kernel.warm {
            self.violation(Rule::SteadyState, routine, "an allocation after warm-up");
        }
        self.kernel.memory.grant()
    }

    /// The NBLs that a pause has to wait for: outstanding children, parents that wait for
    /// children, and sends that the filter queued. A send whose handler has not returned is none of
    /// them: the filter may still refuse it.
    pub(crate) fn outstanding(&self) -> Vec<String> {
        let elsewhere = |nbl: &usize| self.other.miniport.held.iter().any(|held| held.nbl == *nbl);
        let is_out = |known: &Known| match (known.origin, known.owner) {
            (Origin::Pool(pool), Owner::Above) => {
                let pool = self.nbls.pools.get(&pool);
                pool.is_some_and(|pool| pool.owner == self.life.handle)
            }
            (Origin::Pool(_), owner) => owner == Owner::Miniport,
            (Origin::Above(number), Owner::Filter) => {
                let sent = self.sends.sent.get(&number);
                sent.is_some_and(|sent| sent.children > 0 || sent.handler_returned)
            }
            _ => false,
        };
        let outstanding = self
            .nbls
            .known
            .iter()
            .filter(|(nbl, known)| is_out(known) && !elsewhere(nbl));
        outstanding.map(|(_, known)| known.name.clone()).collect()
    }

    /// FilterPause waits or has returned: it can no longer be about to find out that sends are to
    /// be refused.
    pub(crate) fn refuses_sends(&mut self) {
        self.life.refusing = true;
    }

    /// The name of the NBL at `address` for messages.
    pub(crate) fn name(&self, address: usize) -> String {
        self.nbls.known.get(&address).map_or_else(
            || format!("unknown NBL at {address:#x}"),
            |known| known.name.clone(),
        )
    }
}
