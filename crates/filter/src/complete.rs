//! FilterSendNetBufferListsComplete: the completion path.
//!
//! NDIS completes chains in which our children and others' NBLs are mixed, in any order, on any
//! processor, perhaps from within our own send. Children return to the pool; a parent whose last
//! child is in the chain joins the other NBLs on their way up.

use children::ChildRun;
use ndis::{AtDispatch, CompleteFlags, Nbl, NblChain, NblQueue, Status};

use crate::{module::FilterModule, statistics::Tally};

/// Completes `chain`. Returns the number of children in it, each of which held the module's rundown
/// protection, to be released by the caller: because each child holds it, and not just each parent,
/// a call is covered until it returns, even if another call completes the last child meanwhile.
pub(crate) fn send_complete(module: &FilterModule, chain: NblChain, flags: CompleteFlags) -> u32 {
    if !module.handle.has_any_of(&chain) {
        module.handle.send_complete(chain, flags);
        return 0;
    }
    let mut tally = Tally::default();
    let (up, children) = complete_children(module, chain, flags, &mut tally);
    module.counters.add(&tally);
    module.handle.send_complete(up.into_chain(), flags);
    children
}

/// Completes the children in `chain` and returns the NBLs to be completed upward, with the number
/// of children. The children are returned to the pool before a parent is completed, because the
/// overlying driver may send again from inside that call.
fn complete_children(
    module: &FilterModule,
    mut chain: NblChain,
    flags: CompleteFlags,
    tally: &mut Tally,
) -> (NblQueue, u32) {
    let (mut up, mut children) = (NblQueue::new(), 0_u32);
    let at = AtDispatch::if_already(flags.at_dispatch());
    while !chain.is_empty() {
        if let Some(run) = ChildRun::pop(&mut chain, module.handle) {
            // Cannot overflow: one call never carries 2^32 NBLs.
            children = children.wrapping_add(run.count());
            if let Some(parent) = complete_run(module, run, at.as_ref()) {
                tally.count_completed(&parent);
                up.push(parent);
            }
        } else if let Some(others) = chain.pop() {
            up.push(others);
        }
    }
    (up, children)
}

/// Returns the children to their owner CPU. After the last one, returns the parent, ready to be
/// completed.
#[inline]
fn complete_run(module: &FilterModule, run: ChildRun, at: Option<&AtDispatch>) -> Option<Nbl> {
    let status = run.status();
    let parent = run.return_to_owner_cpu(&module.children, at);
    // The first failure among the children is the parent's status.
    parent.record_first_failure(status);
    let mut parent = parent.count_off()?;
    // On failure report TcpPayload = 0 even if some children were sent: TCP retransmits everything.
    // On success the slot has been ready since the split.
    if parent.status() != Status::SUCCESS {
        parent.set_large_send(parent.large_send().transmit_complete(0));
    }
    Some(parent)
}
