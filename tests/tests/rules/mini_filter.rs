//! A filter driver that sends a copy of each packet and does one thing wrong.
//!
//! In place of each packet it sends one child, an NBL of its own over the same buffers, and
//! completes the packet when the child is completed. Its pause waits for nothing: its tests have
//! to. Its fault is part of its type, so that every fault is a driver of its own.

use std::{
    ptr,
    sync::{
        Arc,
        atomic::{AtomicPtr, Ordering},
    },
};

use model::{Config, World};
use ndis::sys::{self, NDIS_HANDLE, NDIS_STATUS};

use crate::Nbl;

/// The faults that the driver can have.
pub(crate) mod fault {
    /// No fault.
    pub(crate) const NONE: u8 = 0;
    /// A child names its parent where only a clone does.
    pub(crate) const AS_A_CLONE: u8 = 1;
    /// A child's SourceHandle is not the filter's.
    pub(crate) const OTHER_HANDLE: u8 = 2;
    /// The send handler returns at a higher IRQL.
    pub(crate) const KEEPS_IRQL: u8 = 3;
    /// Two children are sent one by one; if the second cannot be had, the first is out already.
    pub(crate) const HALF_SENT: u8 = 4;
    /// An allocation that fails makes the packet complete with another status than RESOURCES.
    pub(crate) const OTHER_STATUS: u8 = 5;
    /// FilterAttach fails after NdisFSetAttributes.
    pub(crate) const FAILS_LATE: u8 = 6;
    /// FilterAttach succeeds without NdisFSetAttributes.
    pub(crate) const NO_CONTEXT: u8 = 7;
    /// Unload does not deregister.
    pub(crate) const STAYS: u8 = 8;
    /// DriverEntry fails after it registered.
    pub(crate) const FAILS_REGISTERED: u8 = 9;
    /// Pause returns pending, and never completes.
    pub(crate) const PAUSES_LATER: u8 = 10;
    /// The byte behind the part of a child's NBL that drivers see is written.
    pub(crate) const WRITES_BEHIND: u8 = 11;
    /// FilterAttach opens the module's configuration and does not close it.
    pub(crate) const CONFIGURATION_OPEN: u8 = 12;
    /// NDIS is not asked to copy the information that it keeps with the parent.
    pub(crate) const NOT_COPIED: u8 = 13;
    /// A child is freed after its slots were cleared.
    pub(crate) const CLEARS_SLOTS: u8 = 14;
    /// The send handler takes the module that was attached last for the one of its context.
    pub(crate) const LATEST_MODULE: u8 = 15;
}

/// A machine with that driver running.
pub(crate) fn start<const FAULT: u8>(config: Config) -> Arc<World> {
    let world = World::new(config);
    // SAFETY: the entry point is this driver's.
    unsafe { world.start(entry::<FAULT>) }.expect("the driver starts");
    world
}

/// Loads the driver.
///
/// # Safety
/// `driver` is the driver object that the model made for it.
pub(crate) unsafe extern "efiapi" fn entry<const FAULT: u8>(
    driver: *mut sys::DRIVER_OBJECT,
    _path: *mut sys::UNICODE_STRING,
) -> i32 {
    // SAFETY: as the caller vouches.
    unsafe { entry_with::<FAULT>(driver, |_| {}) }
}

/// The same for a driver with other handlers, as `change` puts them.
///
/// # Safety
/// `driver` is the driver object that the model made for it.
pub(crate) unsafe fn entry_with<const FAULT: u8>(
    driver: *mut sys::DRIVER_OBJECT,
    change: impl FnOnce(&mut sys::NDIS_FILTER_DRIVER_CHARACTERISTICS),
) -> i32 {
    let mut all = scenarios::driver::characteristics();
    all.AttachHandler = Some(attach::<FAULT>);
    all.DetachHandler = Some(detach);
    all.RestartHandler = Some(restart);
    all.PauseHandler = Some(pause::<FAULT>);
    all.SendNetBufferListsHandler = Some(send::<FAULT>);
    all.SendNetBufferListsCompleteHandler = Some(complete::<FAULT>);
    change(&mut all);
    let mut handle: NDIS_HANDLE = ptr::null_mut();
    // SAFETY: the driver object is the model's, as long as its driver.
    unsafe {
        (*driver).DriverUnload = Some(unload::<FAULT>);
        let status =
            sys::NdisFRegisterFilterDriver(driver, ptr::null_mut(), &raw mut all, &raw mut handle);
        // For unload; the model's driver object has no extension.
        (*driver).DriverExtension = handle.cast();
        if FAULT == fault::FAILS_REGISTERED {
            return sys::NDIS_STATUS_FAILURE;
        }
        status
    }
}

unsafe extern "efiapi" fn unload<const FAULT: u8>(driver: *mut sys::DRIVER_OBJECT) {
    if FAULT != fault::STAYS {
        // SAFETY: the handle is that of `entry`.
        unsafe { sys::NdisFDeregisterFilterDriver((*driver).DriverExtension.cast()) };
    }
}

/// The driver's state for an attached module.
pub(crate) struct Module {
    pub(crate) handle: NDIS_HANDLE,
    pub(crate) pool: NDIS_HANDLE,
}

/// The module that was attached last to a driver that takes it for every module.
static LATEST: AtomicPtr<Module> = AtomicPtr::new(ptr::null_mut());

/// The module of a context.
///
/// # Safety
/// The context is the one that this driver set, and the module is attached.
pub(crate) unsafe fn module<'a>(context: NDIS_HANDLE) -> &'a Module {
    // SAFETY: as the caller vouches.
    unsafe { &*context.cast::<Module>() }
}

unsafe extern "efiapi" fn attach<const FAULT: u8>(
    handle: NDIS_HANDLE,
    _driver: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_ATTACH_PARAMETERS,
) -> NDIS_STATUS {
    if FAULT == fault::NO_CONTEXT {
        return sys::NDIS_STATUS_SUCCESS;
    }
    // SAFETY: the handle is NDIS's.
    let configuration = unsafe { scenarios::driver::open_configuration(handle) };
    if FAULT != fault::CONFIGURATION_OPEN {
        // SAFETY: just opened.
        unsafe { sys::NdisCloseConfiguration(configuration) };
    }
    let parameters = sys::NET_BUFFER_LIST_POOL_PARAMETERS {
        Header: ndis::driver::header(
            sys::NDIS_OBJECT_TYPE_DEFAULT,
            sys::NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
            sys::NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
        ),
        ProtocolId: sys::NDIS_PROTOCOL_ID_DEFAULT,
        fAllocateNetBuffer: 1,
        ContextSize: 0,
        PoolTag: crate::kernel::TAG,
        DataSize: 0,
    };
    let mut attributes = sys::NDIS_FILTER_ATTRIBUTES {
        Header: ndis::driver::header(
            sys::NDIS_OBJECT_TYPE_FILTER_ATTRIBUTES,
            sys::NDIS_FILTER_ATTRIBUTES_REVISION_1,
            sys::NDIS_SIZEOF_FILTER_ATTRIBUTES_REVISION_1,
        ),
        Flags: 0,
    };
    // SAFETY: the handle is NDIS's; the structures live during the calls; detach frees the module.
    unsafe {
        let pool = sys::NdisAllocateNetBufferListPool(handle, &raw const parameters);
        let module = Box::into_raw(Box::new(Module { handle, pool }));
        if FAULT == fault::LATEST_MODULE {
            LATEST.store(module, Ordering::SeqCst);
        }
        let status = sys::NdisFSetAttributes(handle, module.cast(), &raw mut attributes);
        if FAULT == fault::FAILS_LATE {
            detach(module.cast());
            return sys::NDIS_STATUS_FAILURE;
        }
        status
    }
}

unsafe extern "efiapi" fn detach(context: NDIS_HANDLE) {
    if context.is_null() {
        return;
    }
    // SAFETY: `attach` made the module, and detach comes once.
    unsafe {
        let module = Box::from_raw(context.cast::<Module>());
        sys::NdisFreeNetBufferListPool(module.pool);
    }
}

unsafe extern "efiapi" fn restart(
    _context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn pause<const FAULT: u8>(
    _context: NDIS_HANDLE,
    _parameters: *mut sys::NDIS_FILTER_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    if FAULT == fault::PAUSES_LATER {
        return sys::NDIS_STATUS_PENDING;
    }
    sys::NDIS_STATUS_SUCCESS
}

pub(crate) unsafe extern "efiapi" fn send<const FAULT: u8>(
    context: NDIS_HANDLE,
    chain: Nbl,
    _port: u32,
    _flags: u32,
) {
    // SAFETY: the context is the one that `attach` set; the chain is the filter's now.
    unsafe {
        let module = match FAULT {
            fault::LATEST_MODULE => LATEST.load(Ordering::SeqCst),
            _ => context.cast::<Module>(),
        };
        for parent in scenarios::tampering::nbls(chain) {
            (*parent).Next = ptr::null_mut();
            send_child::<FAULT>(module, parent);
        }
        if FAULT == fault::KEEPS_IRQL {
            sys::KfRaiseIrql(sys::DISPATCH_LEVEL);
        }
    }
}

/// # Safety
/// The module is attached, and the parent is the filter's.
unsafe fn send_child<const FAULT: u8>(module: *mut Module, parent: Nbl) {
    // SAFETY: as the caller vouches.
    unsafe {
        let first = new_child::<FAULT>(module, parent);
        if FAULT == fault::HALF_SENT {
            down(module, first);
            let second = new_child::<FAULT>(module, parent);
            let status = if second.is_null() {
                sys::NDIS_STATUS_RESOURCES
            } else {
                sys::NdisFreeNetBufferList(second);
                sys::NDIS_STATUS_SUCCESS
            };
            return up(module, parent, status);
        }
        if first.is_null() {
            let status = if FAULT == fault::OTHER_STATUS {
                sys::NDIS_STATUS_FAILURE
            } else {
                sys::NDIS_STATUS_RESOURCES
            };
            return up(module, parent, status);
        }
        down(module, first);
    }
}

/// A child with the parent's packet; null where there is no memory.
///
/// # Safety
/// As for [`send_child`].
unsafe fn new_child<const FAULT: u8>(module: *mut Module, parent: Nbl) -> Nbl {
    // SAFETY: as the caller vouches.
    unsafe {
        let of = (*parent).FirstNetBuffer;
        let child = sys::NdisAllocateNetBufferAndNetBufferList(
            (*module).pool,
            0,
            0,
            (*of).MdlChain,
            (*of).DataOffset,
            (*of).DataLength as usize,
        );
        if child.is_null() {
            return child;
        }
        (*child).SourceHandle = if FAULT == fault::OTHER_HANDLE {
            ptr::null_mut()
        } else {
            (*module).handle
        };
        if FAULT == fault::AS_A_CLONE {
            (*child).ParentNetBufferList = parent;
        }
        if FAULT != fault::NOT_COPIED {
            sys::NdisCopySendNetBufferListInfo(child, parent);
        }
        // For the completion.
        (*child).Scratch = parent.cast();
        if FAULT == fault::WRITES_BEHIND {
            child.add(1).cast::<u8>().write(0);
        }
        child
    }
}

/// # Safety
/// The child is new.
unsafe fn down(module: *mut Module, child: Nbl) {
    // SAFETY: as the caller vouches.
    unsafe { sys::NdisFSendNetBufferLists((*module).handle, child, 0, 0) };
}

/// # Safety
/// The parent is the filter's.
unsafe fn up(module: *mut Module, parent: Nbl, status: NDIS_STATUS) {
    // SAFETY: as the caller vouches.
    unsafe {
        (*parent).Status = status;
        sys::NdisFSendNetBufferListsComplete((*module).handle, parent, 0);
    }
}

unsafe extern "efiapi" fn complete<const FAULT: u8>(context: NDIS_HANDLE, chain: Nbl, _flags: u32) {
    // SAFETY: the context is the one that `attach` set; all that goes down are children, the
    // filter's now.
    unsafe {
        for child in scenarios::tampering::nbls(chain) {
            let (parent, status) = ((*child).Scratch.cast(), (*child).Status);
            if FAULT == fault::CLEARS_SLOTS {
                (*child).NetBufferListInfo = [ptr::null_mut(); _];
            }
            sys::NdisFreeNetBufferList(child);
            if FAULT != fault::HALF_SENT {
                up(context.cast(), parent, status);
            }
        }
    }
}
