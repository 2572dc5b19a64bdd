//! Objects of the kernel and of NDIS that the driver makes and frees, with the memory that goes with
//! each.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    memory::Block,
    rules::{Finding, Rule},
    state::State,
};

/// The kind of object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// An MDL of NdisAllocateMdl.
    NdisMdl,
    /// An MDL of IoAllocateMdl.
    IoMdl,
    /// A read/write lock of NDIS.
    RwLock,
    /// A lookaside list, in memory of the driver.
    Lookaside,
    /// A device that no program opens.
    Device,
    /// An ERESOURCE, in memory of the driver.
    Resource,
    /// A handle of the Windows Filtering Platform.
    WfpHandle,
    /// A handle of the kernel, such as that of a registry key.
    Handle,
}

impl Kind {
    /// The object in messages, and the page of the routine that frees it.
    const fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::NdisMdl => ("MDL", "ddi/mdlapi/nf-mdlapi-ndisfreemdl"),
            Self::IoMdl => ("MDL", "ddi/wdm/nf-wdm-iofreemdl"),
            Self::RwLock => ("read/write lock", "ddi/ndis/nf-ndis-ndisfreerwlock"),
            Self::Lookaside => ("lookaside list", "kernel/using-lookaside-lists"),
            Self::Device => ("device", "ddi/wdm/nf-wdm-iodeletedevice"),
            Self::Resource => ("resource", "ddi/wdm/nf-wdm-exdeleteresourcelite"),
            Self::WfpHandle => ("WFP handle", "network/unloading-a-callout-driver"),
            Self::Handle => ("handle", "ddi/wdm/nf-wdm-zwclose"),
        }
    }
}

/// All of them, by address.
#[derive(Default)]
pub(crate) struct Objects(BTreeMap<usize, (Kind, Option<Block>)>);

impl Objects {
    /// Records an object in `memory`, and returns its address.
    pub(crate) fn insert(&mut self, kind: Kind, memory: Block) -> *mut u8 {
        let start = memory.start();
        self.0.insert(memory.address(), (kind, Some(memory)));
        start
    }

    /// Records an object in memory of the driver.
    pub(crate) fn insert_at(&mut self, address: usize, kind: Kind) {
        self.0.insert(address, (kind, None));
    }

    /// Whether there is such an object at `address`.
    pub(crate) fn has(&self, address: usize, kind: Kind) -> bool {
        self.0
            .get(&address)
            .is_some_and(|(found, _)| *found == kind)
    }
}

impl State {
    /// Makes an object that is only a handle; `None` where memory fails.
    pub(crate) fn new_handle(&mut self, kind: Kind, routine: &str) -> Option<*mut u8> {
        let may = self.may_allocate(routine);
        may.then(|| self.kernel.objects.insert(kind, Block::new(16, 16)))
    }

    /// `routine` frees the object at `address`. Returns whether it exists.
    pub(crate) fn free_object(&mut self, address: usize, kind: Kind, routine: &str) -> bool {
        if !self.kernel.objects.has(address, kind) {
            let (name, _) = kind.described();
            let found = format!("of no {name} of this kind, or of one that is freed already");
            self.violation(Rule::Memory, routine, found);
            return false;
        }
        self.kernel.objects.0.remove(&address);
        true
    }

    /// Reports a use of an object that does not exist. Returns whether it does.
    pub(crate) fn require_object(&mut self, address: usize, kind: Kind, routine: &str) -> bool {
        let exists = self.kernel.objects.has(address, kind);
        if !exists {
            let (name, _) = kind.described();
            let found = format!("of no {name}, or of one that is freed already");
            self.violation(Rule::Memory, routine, found);
        }
        exists
    }

    /// Memory of the driver is freed: an object in it has to be gone.
    pub(crate) fn forget_objects(&mut self, memory: Range<usize>) {
        let inside = self.kernel.objects.0.range(memory);
        let inside: Vec<_> = inside.map(|(at, (kind, _))| (*at, *kind)).collect();
        for (address, kind) in inside {
            self.kernel.objects.0.remove(&address);
            let (name, page) = kind.described();
            let found = format!("its memory is freed before the {name} is");
            self.finding(name, Finding::new(Rule::Memory, found).on(page));
        }
    }

    /// The driver is gone, and with it each object that it made.
    pub(crate) fn check_objects_gone(&mut self, when: &str) {
        for (kind, _) in std::mem::take(&mut self.kernel.objects).0.into_values() {
            let (name, page) = kind.described();
            let finding = Finding::new(Rule::NothingLeft, format!("is not freed {when}"));
            self.finding(name, finding.on(page));
        }
    }
}
