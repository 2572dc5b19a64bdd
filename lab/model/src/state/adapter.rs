//! An adapter with the driver's module on it. A machine has two; the model works on one at a time
//! and keeps what belongs to the other aside.

use std::mem::swap;

use ndis::sys;

use super::{
    Advertised, Indications, Life, MiniportState, ModuleState, Origin, Receives, Sends, State,
};
use crate::{config::Config, handles::NEIGHBOR, oid::Oids, rules::Rule};

/// Numbers of sends and requests on the second adapter begin here, apart from those on the first.
const SECOND: u64 = 1 << 32;

/// Everything that belongs to one adapter.
pub(crate) struct Adapter {
    pub(crate) life: Life,
    pub(crate) sends: Sends,
    pub(crate) miniport: MiniportState,
    pub(crate) receives: Receives,
    pub(crate) advertised: Advertised,
    pub(crate) indications: Indications,
    pub(crate) oids: Oids,
}

impl Adapter {
    pub(super) fn new(config: &Config, handle: usize) -> Self {
        let first = if handle == NEIGHBOR { SECOND } else { 0 };
        Self {
            life: Life::new(handle),
            sends: Sends {
                next: first,
                ..Sends::default()
            },
            miniport: MiniportState {
                id_bits: config.nic.id_bits,
                ..MiniportState::default()
            },
            receives: Receives::default(),
            advertised: Advertised {
                may_add: config.nic.may_add(),
                mtu: config.mtu,
                ..Advertised::default()
            },
            indications: Indications::default(),
            oids: Oids {
                next: first,
                ..Oids::default()
            },
        }
    }
}

impl State {
    /// Whether `handle` is that of one of the modules.
    pub(crate) fn is_module(&self, handle: sys::NDIS_HANDLE) -> bool {
        handle.addr() == self.life.handle || self.is_other(handle)
    }

    /// Whether `handle` is that of the module on the adapter that is not in use, which is attached.
    pub(crate) fn is_other(&self, handle: sys::NDIS_HANDLE) -> bool {
        let life = &self.other.life;
        handle.addr() == life.handle && life.module != ModuleState::Detached
    }

    /// Whether the NBL at `address` is a send on the other adapter, which is reported.
    pub(crate) fn is_of_other_adapter(&mut self, address: usize) -> bool {
        let Some(Origin::Above(number)) = self.nbls.known.get(&address).map(|known| known.origin)
        else {
            return false;
        };
        let elsewhere = self.other.sends.sent.contains_key(&number);
        if elsewhere {
            let name = self.name(address);
            let found = "passed on with the handle of the driver's module on another adapter";
            self.violation(Rule::Handles, name, found);
        }
        elsewhere
    }

    /// Works on the other adapter from now on.
    pub(crate) fn switch_adapter(&mut self) {
        let other = &mut self.other;
        swap(&mut self.life, &mut other.life);
        swap(&mut self.sends, &mut other.sends);
        swap(&mut self.miniport, &mut other.miniport);
        swap(&mut self.receives, &mut other.receives);
        swap(&mut self.advertised, &mut other.advertised);
        swap(&mut self.indications, &mut other.indications);
        swap(&mut self.oids, &mut other.oids);
    }
}
