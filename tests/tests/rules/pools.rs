//! Rules 20, 21 and 29 for rundown references and pools of NBLs.

use std::ptr;

use model::{Rule, exports::net_buffer::NdisAllocateNetBufferList};
use ndis::sys::{self, NDIS_HANDLE};

use crate::{
    Run,
    kernel::{TAG, assert_calls_break},
};

type Reference = *mut sys::EX_RUNDOWN_REF_CACHE_AWARE;

const REFERENCE: &str = "rundown reference";

fn new_reference() -> Reference {
    // SAFETY: called at PASSIVE_LEVEL.
    unsafe { sys::ExAllocateCacheAwareRundownProtection(sys::NonPagedPoolNx, TAG) }
}

fn acquire(reference: Reference, count: u32) -> bool {
    // SAFETY: the reference lives.
    unsafe { sys::ExAcquireRundownProtectionCacheAwareEx(reference, count) != 0 }
}

fn release(reference: Reference, count: u32) {
    // SAFETY: the reference lives.
    unsafe { sys::ExReleaseRundownProtectionCacheAwareEx(reference, count) };
}

fn free_reference(reference: Reference) {
    // SAFETY: the model looks the address up.
    unsafe { sys::ExFreeCacheAwareRundownProtection(reference) };
}

#[test]
fn a_rundown_reference_is_released_as_often_as_it_was_acquired() {
    assert_calls_break(Rule::Pause, REFERENCE, |run, _| {
        let reference = new_reference();
        assert!(acquire(reference, 2));
        release(reference, if run == Run::Right { 2 } else { 3 });
        if run == Run::Wrong {
            release(reference, 2);
        }
        free_reference(reference);
    });
}

#[test]
fn a_rundown_reference_is_reinitialized_only_when_its_rundown_is_completed() {
    assert_calls_break(Rule::Pause, REFERENCE, |run, _| {
        let reference = new_reference();
        // SAFETY: the reference lives, and no protection is acquired.
        unsafe {
            sys::ExWaitForRundownProtectionReleaseCacheAware(reference);
            if run == Run::Right {
                sys::ExRundownCompletedCacheAware(reference);
            }
            sys::ExReInitializeRundownProtectionCacheAware(reference);
        }
        free_reference(reference);
    });
}

#[test]
fn a_wait_that_would_never_end_is_noticed() {
    assert_calls_break(Rule::Pause, REFERENCE, |run, _| {
        let reference = new_reference();
        assert!(run == Run::Right || acquire(reference, 1));
        // SAFETY: the reference lives.
        unsafe { sys::ExWaitForRundownProtectionReleaseCacheAware(reference) };
        if run == Run::Wrong {
            release(reference, 1);
        }
        free_reference(reference);
    });
}

#[test]
fn a_rundown_reference_is_freed_once_and_unused() {
    for in_use in [true, false] {
        assert_calls_break(Rule::PoolTags, REFERENCE, |run, _| {
            let reference = new_reference();
            if run == Run::Wrong {
                if in_use {
                    assert!(acquire(reference, 1));
                } else {
                    free_reference(reference);
                }
            }
            free_reference(reference);
        });
    }
}

#[test]
fn a_rundown_reference_has_a_tag() {
    let routine = "ExAllocateCacheAwareRundownProtection";
    assert_calls_break(Rule::PoolTags, routine, |run, _| {
        let tag = if run == Run::Right { TAG } else { 0 };
        // SAFETY: called at PASSIVE_LEVEL.
        let reference =
            unsafe { sys::ExAllocateCacheAwareRundownProtection(sys::NonPagedPoolNx, tag) };
        free_reference(reference);
    });
}

#[test]
fn no_rundown_reference_is_left_at_the_end() {
    assert_calls_break(Rule::NothingLeft, REFERENCE, |run, _| {
        let reference = new_reference();
        if run == Run::Right {
            free_reference(reference);
        }
    });
}

const GOOD: sys::NET_BUFFER_LIST_POOL_PARAMETERS = sys::NET_BUFFER_LIST_POOL_PARAMETERS {
    Header: sys::NDIS_OBJECT_HEADER {
        Type: sys::NDIS_OBJECT_TYPE_DEFAULT,
        Revision: sys::NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
        Size: sys::NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
    },
    ProtocolId: sys::NDIS_PROTOCOL_ID_DEFAULT,
    fAllocateNetBuffer: 1,
    ContextSize: 32,
    PoolTag: TAG,
    DataSize: 0,
};

fn new_pool(parameters: &sys::NET_BUFFER_LIST_POOL_PARAMETERS) -> NDIS_HANDLE {
    // SAFETY: the parameters live during the call.
    unsafe { sys::NdisAllocateNetBufferListPool(ptr::null_mut(), parameters) }
}

fn free_pool(pool: NDIS_HANDLE) {
    // SAFETY: the model looks the handle up.
    unsafe { sys::NdisFreeNetBufferListPool(pool) };
}

fn new_nbl(pool: NDIS_HANDLE, context: u16) -> *mut sys::NET_BUFFER_LIST {
    let none = ptr::null_mut();
    // SAFETY: the model looks the pool up.
    unsafe { sys::NdisAllocateNetBufferAndNetBufferList(pool, context, 0, none, 0, 0) }
}

fn free_nbl(nbl: *mut sys::NET_BUFFER_LIST) {
    // SAFETY: the model looks the address up.
    unsafe { sys::NdisFreeNetBufferList(nbl) };
}

#[test]
fn a_pool_of_nbls_has_parameters_that_ndis_takes() {
    let mut no_type = GOOD;
    no_type.Header.Type = 0;
    let no_tag = sys::NET_BUFFER_LIST_POOL_PARAMETERS { PoolTag: 0, ..GOOD };
    let odd = sys::NET_BUFFER_LIST_POOL_PARAMETERS {
        ContextSize: 33,
        ..GOOD
    };
    let data_alone = sys::NET_BUFFER_LIST_POOL_PARAMETERS {
        DataSize: 100,
        ..BARE
    };
    for bad in [no_type, no_tag, odd, data_alone] {
        let routine = "NdisAllocateNetBufferListPool";
        assert_calls_break(Rule::PoolTags, routine, |run, _| {
            let pool = new_pool(if run == Run::Right { &GOOD } else { &bad });
            if !pool.is_null() {
                free_pool(pool);
            }
        });
    }
}

/// A pool of NBLs alone, and one whose NBLs have data.
const BARE: sys::NET_BUFFER_LIST_POOL_PARAMETERS = sys::NET_BUFFER_LIST_POOL_PARAMETERS {
    fAllocateNetBuffer: 0,
    ..GOOD
};
const WITH_DATA: sys::NET_BUFFER_LIST_POOL_PARAMETERS = sys::NET_BUFFER_LIST_POOL_PARAMETERS {
    DataSize: 100,
    ..GOOD
};

/// The bytes of data that an NBL of such a pool comes with; none without a NET_BUFFER.
fn data_of(parameters: &sys::NET_BUFFER_LIST_POOL_PARAMETERS) -> Option<u32> {
    let pool = new_pool(parameters);
    // SAFETY: the pool exists, and the NBL is new.
    let size = unsafe {
        let nbl = NdisAllocateNetBufferList(pool, 32, 0);
        let packet = (*nbl).FirstNetBuffer.as_ref();
        let size = packet.map(|one| one.MdlChain.as_ref().map_or(0, |mdl| mdl.ByteCount));
        free_nbl(nbl);
        size
    };
    free_pool(pool);
    size
}

#[test]
fn a_pool_allocates_what_it_is_for() {
    assert_calls_break(
        Rule::PoolTags,
        "NdisAllocateNetBufferAndNetBufferList",
        |run, _| {
            let shapes = [&BARE, &GOOD, &WITH_DATA];
            assert_eq!(shapes.map(data_of), [None, Some(0), Some(100)]);
            let pool = new_pool(if run == Run::Right { &GOOD } else { &BARE });
            let nbl = new_nbl(pool, 32);
            if run == Run::Right {
                free_nbl(nbl);
            }
            free_pool(pool);
        },
    );
}

#[test]
fn a_pool_of_nbls_outlives_its_contents() {
    assert_calls_break(Rule::PoolTags, "NBL pool", |run, _| {
        let pool = new_pool(&GOOD);
        let nbl = new_nbl(pool, 32);
        if run == Run::Right {
            free_nbl(nbl);
        }
        free_pool(pool);
        if run == Run::Wrong {
            free_nbl(nbl);
        }
    });
}

#[test]
fn a_pool_of_nbls_is_freed_once() {
    assert_calls_break(Rule::PoolTags, "NBL pool", |run, _| {
        let pool = new_pool(&GOOD);
        free_pool(pool);
        if run == Run::Wrong {
            free_pool(pool);
        }
    });
}

#[test]
fn a_pool_is_freed_by_the_routine_for_its_kind() {
    assert_calls_break(Rule::PoolTags, "NdisFreeNetBufferPool", |run, _| {
        let pool = new_pool(&GOOD);
        match run {
            Run::Right => free_pool(pool),
            // SAFETY: the model looks the handle up.
            Run::Wrong => unsafe { sys::NdisFreeNetBufferPool(pool) },
        }
    });
}

#[test]
fn no_pool_of_nbls_is_left_at_the_end() {
    assert_calls_break(Rule::NothingLeft, "NBL pool", |run, _| {
        let pool = new_pool(&GOOD);
        if run == Run::Right {
            free_pool(pool);
        }
    });
}

#[test]
fn an_nbl_comes_from_a_pool_that_exists_with_a_context_that_fits() {
    let routine = "NdisAllocateNetBufferAndNetBufferList";
    for (exists, context) in [(true, 48), (true, 31), (false, 32)] {
        assert_calls_break(Rule::PoolTags, routine, |run, _| {
            let pool = new_pool(&GOOD);
            let nbl = match run {
                Run::Right => new_nbl(pool, 32),
                Run::Wrong if exists => new_nbl(pool, context),
                Run::Wrong => new_nbl(ptr::null_mut(), context),
            };
            if !nbl.is_null() {
                free_nbl(nbl);
            }
            free_pool(pool);
        });
    }
}

#[test]
fn an_nbl_is_freed_once() {
    assert_calls_break(Rule::OneOwner, "unknown NBL", |run, _| {
        let pool = new_pool(&GOOD);
        let nbl = new_nbl(pool, 32);
        free_nbl(nbl);
        if run == Run::Wrong {
            free_nbl(nbl);
        }
        free_pool(pool);
    });
}
