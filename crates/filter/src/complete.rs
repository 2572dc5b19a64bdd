//! FilterSendNetBufferListsComplete: the way back up.
//!
//! NDIS completes chains in which our children and others' NBLs are mixed, in any order, on any
//! processor, perhaps from within our own send. Children are settled and taken home; a parent whose
//! last child this was joins the others' NBLs on their way up.

use ndis::{Child, CompleteFlags, Nbl, NblChain, NblQueue};

use crate::{module::FilterModule, statistics::Tally};

/// Completes `chain`. Returns how many parents left with it, each of which held the module's gate.
pub(crate) fn send_complete(module: &FilterModule, chain: NblChain, flags: CompleteFlags) -> u32 {
    if !module.handle.has_any_of(&chain) {
        module.handle.send_complete(chain, flags);
        return 0;
    }
    let mut tally = Tally::default();
    let up = settle_children(module, chain, &mut tally);
    module.counters.add(&tally);
    module.handle.send_complete(up.into_chain(), flags);
    tally.parents_completed()
}

/// What goes up of `chain`, with every child in it settled and on its way home. The children are
/// home before a parent is completed: the layer above may send again from inside that call.
fn settle_children(module: &FilterModule, mut chain: NblChain, tally: &mut Tally) -> NblQueue {
    let mut up = NblQueue::new();
    let mut recycler = module.children.recycler();
    while let Some(nbl) = chain.pop() {
        match Child::claim(nbl, module.handle) {
            Err(others) => up.push(others),
            Ok(child) => {
                let (child, parent) = child.settle();
                recycler.push(child);
                if let Some(parent) = parent {
                    finish(parent, tally, &mut up);
                }
            }
        }
    }
    up
}

fn finish(parent: Nbl, tally: &mut Tally, up: &mut NblQueue) {
    tally.completed(&parent);
    up.push(parent);
}
