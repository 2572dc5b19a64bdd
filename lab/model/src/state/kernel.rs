//! The kernel's objects that the driver has.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    device::{Device, Request},
    error_log::ErrorLog,
    etw::Tracing,
    events::Events,
    handles::NEIGHBOR,
    memory::{Block, Memory},
    objects::Objects,
    registry::RegistryValue,
    spin_lock::SpinLocks,
    world::{deferred::Deferred, threads::Threads},
};

/// The kernel's objects that the driver has.
#[derive(Default)]
pub(crate) struct Kernel {
    pub(crate) memory: Memory,
    pub(crate) warm: bool,
    /// Open registry handles.
    pub(crate) configurations: BTreeMap<usize, Configuration>,
    pub(crate) extensions: BTreeMap<(usize, usize), Block>,
    pub(crate) rundowns: BTreeMap<usize, Rundown>,
    pub(crate) registry: BTreeMap<String, RegistryValue>,
    /// The registry values of the module on another adapter.
    pub(crate) neighbor_registry: BTreeMap<String, RegistryValue>,
    /// The keywords that were read, with the type of parameter.
    pub(crate) keywords: BTreeMap<String, i32>,
    pub(crate) spin_locks: SpinLocks,
    pub(crate) error_log: ErrorLog,
    pub(crate) events: Events,
    pub(crate) tracing: Tracing,
    pub(crate) deferred: Deferred,
    pub(crate) objects: Objects,
    pub(crate) threads: Threads,
    /// Symbolic links.
    pub(crate) links: BTreeSet<String>,
    /// Mutexes, each with the thread that owns it and how often that has acquired it.
    pub(crate) mutexes: BTreeMap<usize, (usize, u32)>,
}

impl Kernel {
    /// The registry values that a handle opened by `owner` leads to.
    pub(crate) fn registry_of(&mut self, owner: usize) -> &mut BTreeMap<String, RegistryValue> {
        if owner == NEIGHBOR {
            &mut self.neighbor_registry
        } else {
            &mut self.registry
        }
    }
}

/// An open registry handle.
pub(crate) struct Configuration {
    pub(crate) _memory: Block,
    /// The parameters that were read through it.
    pub(crate) read: Vec<Block>,
    /// The handle that it was opened with.
    pub(crate) owner: usize,
}

/// A rundown reference.
pub(crate) struct Rundown {
    pub(crate) count: u64,
    pub(crate) down: bool,
    /// Whether the owner has marked it as completed, which it must do before it uses it again.
    pub(crate) completed: bool,
    pub(crate) memory: Block,
}

/// The control device and its requests.
#[derive(Default)]
pub(crate) struct ControlDevice {
    pub(crate) device: Option<Device>,
    /// Requests that the control device has now.
    pub(crate) requests: Vec<Request>,
    /// The control codes of requests that the driver has kept until they were canceled.
    pub(crate) kept: BTreeSet<u32>,
}
