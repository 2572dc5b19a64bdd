//! Requirements on a child's chain by consumers that walk an MDL chain to its end, of which
//! NetAdapterCx is one, and by NICs with a limit on the number of elements.
#![expect(unsafe_code, reason = "MDLs are C structures")]

use ndis::sys;

use crate::{
    nic::Nic,
    rules::{Finding, Level, Rule},
    state::State,
};

impl State {
    /// Checks the chain of a child against the NIC's limits.
    ///
    /// # Safety
    /// `net_buffer` points to a live NET_BUFFER with a live MDL chain, which is as long as its
    /// window.
    pub(crate) unsafe fn check_chain(
        &mut self,
        nic: &Nic,
        net_buffer: *const sys::NET_BUFFER,
        name: &str,
    ) {
        // SAFETY: as the caller vouches.
        let (mut mdl, mut bytes, window) = unsafe {
            let skipped = i64::from((*net_buffer).CurrentMdlOffset);
            let window = i64::from((*net_buffer).DataLength);
            ((*net_buffer).CurrentMdl, -skipped, window)
        };
        let (mut elements, mut behind) = (0, 0);
        while !mdl.is_null() {
            if bytes < window {
                elements += 1;
            } else {
                behind += 1;
            }
            // SAFETY: as the caller vouches.
            unsafe {
                bytes += i64::from((*mdl).ByteCount);
                mdl = (*mdl).Next;
            }
        }
        if bytes != window || behind > 0 {
            let found =
                format!("its chain has {bytes} bytes for {window}, and {behind} MDLs behind them");
            self.finding(name, Finding::at(Level::Advice, Rule::Chain, found));
        }
        if nic.max_elements.is_some_and(|most| elements > most) {
            let found = format!("{elements} MDLs, the NIC takes {:?}", nic.max_elements);
            self.violation(Rule::Chain, name, found);
        }
    }
}
