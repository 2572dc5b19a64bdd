//! Rules 19 and 48 of a module that is Restarting: from the beginning of FilterRestart until the restart
//! is complete.

use std::{
    ptr,
    sync::{
        Arc,
        atomic::{AtomicPtr, Ordering},
    },
};

use model::{
    Config, Indication, Level, ModuleState, OidCall, ReceiveCall, Rule, SendCall, Violation, World,
    exports,
};
use ndis::sys::{self, NDIS_HANDLE, NDIS_STATUS};
use scenarios::{assert_clean, packets::small};

use crate::{
    Nbl, Run, assert_breaks,
    mini_filter::{self, fault, module},
};

/// NDIS_RECEIVE_FLAGS_RESOURCES.
const RESOURCES: u32 = 2;
/// The subject of findings about a module that is restarting.
const RESTARTING: &str = "restarting module";

type Entry = sys::DRIVER_INITIALIZE;
type Characteristics = sys::NDIS_FILTER_DRIVER_CHARACTERISTICS;

/// A driver with the handlers that `change` gives it.
///
/// # Safety
/// As for [`mini_filter::entry_with`].
unsafe fn entry_with(driver: *mut sys::DRIVER_OBJECT, change: fn(&mut Characteristics)) -> i32 {
    // SAFETY: as the caller vouches.
    unsafe { mini_filter::entry_with::<{ fault::NONE }>(driver, change) }
}

/// An entry point of the mini filter with other handlers.
macro_rules! driver {
    ($name:ident, $($member:ident = $handler:expr),*) => {
        unsafe extern "efiapi" fn $name(
            driver: *mut sys::DRIVER_OBJECT,
            _path: *mut sys::UNICODE_STRING,
        ) -> i32 {
            // SAFETY: the object is the one of the call.
            unsafe { entry_with(driver, |all| { $(all.$member = Some($handler);)* }) }
        }
    };
}

driver!(
    refuses,
    SendNetBufferListsHandler = refuse::<{ sys::NDIS_STATUS_PAUSED }>
);
driver!(
    fails,
    SendNetBufferListsHandler = refuse::<{ sys::NDIS_STATUS_FAILURE }>
);
driver!(
    keeps,
    SendNetBufferListsHandler = keep,
    PauseHandler = pause_with_kept
);
driver!(
    originates,
    RestartHandler = originate::<{ sys::NDIS_STATUS_SUCCESS }>,
    SendNetBufferListsCompleteHandler = free
);
driver!(
    originates_and_fails,
    RestartHandler = originate::<{ sys::NDIS_STATUS_FAILURE }>,
    SendNetBufferListsCompleteHandler = free
);
driver!(indicates, RestartHandler = indicate);
driver!(
    indicates_early,
    SetFilterModuleOptionsHandler = indicate_paused
);
driver!(
    originates_in_pause,
    PauseHandler = originate_pausing,
    SendNetBufferListsCompleteHandler = free
);
driver!(indicates_in_pause, PauseHandler = indicate_pausing);
driver!(completes_once, RestartHandler = complete::<1>);
driver!(completes_twice, RestartHandler = complete::<2>);
driver!(completes_never, RestartHandler = complete::<0>);

unsafe extern "efiapi" fn refuse<const STATUS: i32>(
    context: NDIS_HANDLE,
    chain: Nbl,
    _port: u32,
    _flags: u32,
) {
    // SAFETY: the context is the module's; the chain is the filter's now.
    unsafe {
        for nbl in scenarios::tampering::nbls(chain) {
            (*nbl).Status = STATUS;
        }
        sys::NdisFSendNetBufferListsComplete(module(context).handle, chain, 0);
    }
}

/// The chain that [`keep`] holds.
static KEPT: AtomicPtr<sys::NET_BUFFER_LIST> = AtomicPtr::new(ptr::null_mut());

unsafe extern "efiapi" fn keep(_context: NDIS_HANDLE, chain: Nbl, _port: u32, _flags: u32) {
    KEPT.store(chain, Ordering::SeqCst);
}

unsafe extern "efiapi" fn pause_with_kept(
    context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    let kept = KEPT.swap(ptr::null_mut(), Ordering::SeqCst);
    // SAFETY: kept by the same module.
    unsafe {
        if !kept.is_null() {
            refuse::<{ sys::NDIS_STATUS_PAUSED }>(context, kept, 0, 0);
        }
    }
    sys::NDIS_STATUS_SUCCESS
}

/// An NBL of the module's own, without data.
///
/// # Safety
/// The context is the module's.
unsafe fn own(context: NDIS_HANDLE) -> Nbl {
    // SAFETY: as the caller vouches.
    unsafe {
        let module = module(context);
        let nbl =
            sys::NdisAllocateNetBufferAndNetBufferList(module.pool, 0, 0, ptr::null_mut(), 0, 0);
        (*nbl).SourceHandle = module.handle;
        nbl
    }
}

unsafe extern "efiapi" fn originate<const STATUS: i32>(
    context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: the context is the module's.
    unsafe {
        let nbl = own(context);
        sys::NdisFSendNetBufferLists(module(context).handle, nbl, 0, 0);
    }
    STATUS
}

unsafe extern "efiapi" fn free(_context: NDIS_HANDLE, chain: Nbl, _flags: u32) {
    // SAFETY: of these drivers' NBLs all are their own.
    unsafe { sys::NdisFreeNetBufferList(chain) };
}

unsafe extern "efiapi" fn indicate(
    context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: the context is the module's.
    unsafe { indicate_paused(context) }
}

unsafe extern "efiapi" fn indicate_paused(context: NDIS_HANDLE) -> NDIS_STATUS {
    // SAFETY: the context is the module's; with RESOURCES the NBL is the filter's again.
    unsafe {
        let (nbl, handle) = (own(context), module(context).handle);
        exports::receive::NdisFIndicateReceiveNetBufferLists(handle, nbl, 0, 1, RESOURCES);
        sys::NdisFreeNetBufferList(nbl);
    }
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn originate_pausing(
    context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: the context is the module's.
    unsafe { originate::<{ sys::NDIS_STATUS_SUCCESS }>(context, ptr::null_mut()) }
}

unsafe extern "efiapi" fn indicate_pausing(
    context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: the context is the module's.
    unsafe { indicate_paused(context) }
}

unsafe extern "efiapi" fn complete<const TIMES: u32>(
    context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    for _ in 0..TIMES {
        // SAFETY: the context is the module's.
        unsafe { exports::ndis::NdisFRestartComplete(module(context).handle, 0) };
    }
    sys::NDIS_STATUS_PENDING
}

/// The machine with a driver that is attached.
fn attached(entry: Entry) -> Arc<World> {
    let world = World::new(Config::default());
    // SAFETY: the entry point is this file's.
    unsafe { world.load(entry) }.expect("loaded");
    world.attach().expect("attached");
    world
}

/// A restart during which the overlying driver sends, and the end.
fn sent_amid(entry: Entry) -> Vec<Violation> {
    let world = attached(entry);
    let send = |world: &Arc<World>| {
        world.send(vec![small()], SendCall::default());
    };
    world.restart_amid(send).expect("restarted");
    world.stop()
}

/// A restart, which may fail, and the end.
fn restarted(entry: Entry) -> Vec<Violation> {
    let world = attached(entry);
    if world.restart().is_ok() {
        return world.stop();
    }
    world.detach();
    world.unload();
    world.finish()
}

#[test]
fn a_send_that_goes_down_before_the_restart_is_noticed() {
    assert_breaks(Rule::Running, RESTARTING, |run| match run {
        Run::Right => sent_amid(refuses),
        Run::Wrong => sent_amid(mini_filter::entry::<{ fault::NONE }>),
    });
}

#[test]
fn a_send_that_comes_back_from_a_restart_with_another_status_is_noticed() {
    assert_breaks(Rule::Running, "packet 0", |run| match run {
        Run::Right => sent_amid(refuses),
        Run::Wrong => sent_amid(fails),
    });
}

#[test]
fn the_page_of_a_send_in_a_restart_is_that_about_restarts() {
    let all = sent_amid(fails);
    let found = all
        .iter()
        .find(|one| one.found.starts_with("sent while restarting"));
    let page = found.and_then(Violation::page).expect("it is documented");
    assert!(page.ends_with("network/starting-a-filter-module"), "{page}");
}

#[test]
fn a_pause_is_no_time_to_originate() {
    for wrong in [originates_in_pause as Entry, indicates_in_pause] {
        assert_breaks(Rule::Running, "module", |run| match run {
            Run::Right => restarted(mini_filter::entry::<{ fault::NONE }>),
            Run::Wrong => restarted(wrong),
        });
    }
}

#[test]
fn a_send_that_is_queued_before_the_restart_is_noticed() {
    assert_breaks(Rule::Running, "packet 0", |run| match run {
        Run::Right => sent_amid(refuses),
        Run::Wrong => sent_amid(keeps),
    });
}

/// The finding of `rule` for `subject` in a restart with that entry point.
fn found(entry: Entry, rule: Rule, subject: &str) -> Violation {
    let all = restarted(entry);
    let found = |one: &&Violation| one.rule == rule && one.subject == subject;
    let found = all.iter().find(found);
    found
        .unwrap_or_else(|| panic!("not among {all:#?}"))
        .clone()
}

#[test]
fn a_restart_is_no_time_to_originate() {
    assert_clean(&restarted(mini_filter::entry::<{ fault::NONE }>));
    for entry in [originates as Entry, indicates] {
        let found = found(entry, Rule::Running, RESTARTING);
        assert_eq!(found.level, Level::Advice);
        let page = found.page().expect("it is documented");
        assert!(page.ends_with("network/starting-a-filter-module"), "{page}");
    }
}

#[test]
fn a_packet_of_the_filters_own_that_is_indicated_while_paused_is_noticed() {
    let found = found(indicates_early, Rule::Running, "module");
    assert_eq!(found.level, Level::Contract);
    assert!(found.found.contains("of its own while Paused"), "{found}");
}

#[test]
fn a_restart_that_fails_has_sent_nothing() {
    let all = restarted(originates_and_fails);
    let failed = |one: &Violation| one.found.contains("in a restart that failed");
    let found = all.iter().find(|one| failed(one)).expect("it is noticed");
    assert_eq!(found.level, Level::Contract);
}

#[test]
fn a_pending_restart_is_completed_once() {
    for wrong in [completes_twice as Entry, completes_never] {
        assert_breaks(Rule::Restart, "module", |run| match run {
            Run::Right => restarted(completes_once),
            Run::Wrong => restarted(wrong),
        });
    }
}

#[test]
fn requests_indications_and_received_packets_come_while_restarting() {
    let world = attached(refuses);
    let mut states = Vec::new();
    world
        .restart_amid(|world| {
            states.push(world.module_state());
            world.oid(OidCall::query(0x0001_0106, 4));
            world.indicate_with(&Indication::new(0x4001_0017, vec![1; 40]));
            world.receive(vec![vec![0; 60]], ReceiveCall::default());
        })
        .expect("restarted");
    states.push(world.module_state());
    assert_eq!(states, [ModuleState::Restarting, ModuleState::Running]);
    assert_clean(&world.stop());
}
