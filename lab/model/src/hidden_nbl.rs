//! The parts of an NBL that belong to NDIS and WFP and are no business of a driver: NDIS's private
//! information, and a WFP object whose address is in a slot.
//!
//! NdisCopySendNetBufferListInfo carries the information over and clones the object; an NBL that is
//! freed takes its object with it. (Windows driver documentation, NdisCopySendNetBufferListInfo;
//! NDIS_NET_BUFFER_LIST_INFO on WfpNetBufferListInfo.)
#![expect(unsafe_code, reason = "NBLs are C structures")]

use std::collections::BTreeMap;

use ndis::sys::{self, NET_BUFFER_LIST};

use crate::{rules::Rule, state::State};

#[derive(Default)]
pub(crate) struct HiddenNbls {
    /// The NBL from which information was copied to each of the filter's NBLs, until that is
    /// completed.
    copied: BTreeMap<usize, usize>,
    /// Objects of WFP's, each with the filter's NBL that it belongs to.
    objects: BTreeMap<usize, usize>,
    clones: usize,
}

impl HiddenNbls {
    /// The NBL from which information was copied to the filter's `nbl`.
    pub(crate) fn copied_from(&self, nbl: usize) -> Option<usize> {
        self.copied.get(&nbl).copied()
    }

    /// The filter's NBL is completed.
    pub(crate) fn forget(&mut self, nbl: usize) {
        self.copied.remove(&nbl);
    }
}

/// Where clones are, which are nothing but a number.
const CLONES: usize = 0x3F9_0000;

/// WFP's object of an NBL; 0 for none.
///
/// # Safety
/// `nbl` is a live NBL.
unsafe fn object(nbl: *const NET_BUFFER_LIST) -> usize {
    // SAFETY: as the caller vouches.
    unsafe { (&(*nbl).NetBufferListInfo)[sys::WfpNetBufferListInfo].addr() }
}

impl State {
    /// NDIS copies the information of `from` to the filter's `to`.
    ///
    /// # Safety
    /// Both are live NBLs.
    pub(crate) unsafe fn copy_private(
        &mut self,
        to: *mut NET_BUFFER_LIST,
        from: *const NET_BUFFER_LIST,
    ) {
        self.check_lost(to.addr());
        self.nbls.hidden.copied.insert(to.addr(), from.addr());
        // SAFETY: as the caller vouches.
        if unsafe { object(from) } != 0 {
            self.nbls.hidden.clones += 1;
            let clone = CLONES + self.nbls.hidden.clones;
            self.nbls.hidden.objects.insert(clone, to.addr());
            // SAFETY: as above.
            let slots = unsafe { &mut (*to).NetBufferListInfo };
            slots[sys::WfpNetBufferListInfo] = std::ptr::without_provenance_mut(clone);
        }
    }

    /// A child goes down.
    ///
    /// # Safety
    /// `nbl` is a live NBL.
    pub(crate) unsafe fn check_private(&mut self, nbl: *const NET_BUFFER_LIST, name: &str) {
        // SAFETY: as the caller vouches.
        let object = unsafe { object(nbl) };
        if object != 0 {
            // An unknown object was made by a callout further down.
            let of = self.nbls.hidden.objects.entry(object).or_insert(nbl.addr());
            if *of != nbl.addr() {
                let found = "has an object of WFP's that is another NBL's";
                self.violation(Rule::OutOfBand, name, found);
            }
        }
    }

    /// The filter frees its NBL.
    ///
    /// # Safety
    /// `nbl` is a live NBL.
    pub(crate) unsafe fn free_private(&mut self, nbl: *const NET_BUFFER_LIST) {
        self.nbls.hidden.forget(nbl.addr());
        // SAFETY: as the caller vouches.
        let object = unsafe { object(nbl) };
        if self.nbls.hidden.objects.get(&object) == Some(&nbl.addr()) {
            self.nbls.hidden.objects.remove(&object);
        }
        self.check_lost(nbl.addr());
    }

    /// Reports the WFP object that `nbl` still has, if any: with the NBL gone, the object is lost.
    fn check_lost(&mut self, nbl: usize) {
        let objects = &mut self.nbls.hidden.objects;
        let before = objects.len();
        objects.retain(|_, of| *of != nbl);
        if objects.len() < before {
            let name = self.name(nbl);
            self.violation(Rule::OutOfBand, name, "WFP's object of it is lost");
        }
    }
}
