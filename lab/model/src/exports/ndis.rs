//! `ndis.sys`.

use std::{ptr, time::Duration};

use ::ndis::sys::{
    self, NDIS_FILTER_ATTRIBUTES, NDIS_FILTER_DRIVER_CHARACTERISTICS, NDIS_HANDLE,
    NDIS_PORT_NUMBER, NDIS_STATUS, NET_BUFFER_LIST, NET_BUFFER_LIST_POOL_PARAMETERS,
};

use crate::{
    above::hidden_part_intact,
    handles::{DRIVER, handle},
    memory::Block,
    rules::{Finding, Level, Rule},
    state::{Allocates, Driver, ModuleState, NblPool, Origin, Owner},
    suspension, thread,
    world::World,
};

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisGetVersion() -> u32 {
    thread::world().config.ndis_version
}

/// The pages of NBL pools.
const POOL_PARAMETERS: &str = "ddi/nblapi/ns-nblapi-net_buffer_list_pool_parameters";
const FREEING_POOL: &str = "ddi/nblapi/nf-nblapi-ndisfreenetbufferlistpool";

/// The first NDIS version with a second revision of the parameters of pools.
const SECOND_POOL_REVISION: u32 = 6 << 16 | 87;

/// The longest sleep that the page of NdisMSleep allows.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisMSleep(microseconds: u32) {
    thread::ndis_call(sys::APC_LEVEL, "NdisMSleep");
    suspension::require_none("NdisMSleep");
    let world = thread::world();
    let length = Duration::from_micros(microseconds.into());
    if length > LONGEST_SLEEP {
        let found = format!("a sleep of {length:?}");
        world.violation(Rule::Durations, "NdisMSleep", found);
    }
    world.wait("NdisMSleep", Some(length), || false);
}

/// The first NDIS version that supports the third revision of a filter driver's characteristics.
const CHARACTERISTICS_3: u32 = 6 << 16 | 80;

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFRegisterFilterDriver(
    _driver_object: *mut sys::DRIVER_OBJECT,
    context: NDIS_HANDLE,
    characteristics: *mut NDIS_FILTER_DRIVER_CHARACTERISTICS,
    driver_handle: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisFRegisterFilterDriver");
    let world = thread::world();
    // SAFETY: the caller passes characteristics of the size in their header.
    let Some(characteristics) = (unsafe { read_characteristics(characteristics) }) else {
        return sys::NDIS_STATUS_BAD_VERSION;
    };
    let version = 6 << 16 | u32::from(characteristics.MinorNdisVersion);
    if characteristics.MajorNdisVersion != 6 || version > world.config.ndis_version {
        return sys::NDIS_STATUS_BAD_VERSION;
    }
    world.state().check_names(&characteristics);
    let needed = [
        characteristics.AttachHandler.is_some(),
        characteristics.DetachHandler.is_some(),
        characteristics.RestartHandler.is_some(),
        characteristics.PauseHandler.is_some(),
        characteristics.OidRequestHandler.is_none()
            || characteristics.OidRequestCompleteHandler.is_some(),
    ];
    if needed.contains(&false) {
        return sys::NDIS_STATUS_BAD_CHARACTERISTICS;
    }
    let mut state = world.state();
    if characteristics.SendNetBufferListsHandler.is_some()
        && characteristics.SendNetBufferListsCompleteHandler.is_none()
    {
        let found = "a send handler without a completion handler: it can send nothing";
        let finding = Finding::at(Level::Advice, Rule::Running, found);
        state.finding("NdisFRegisterFilterDriver", finding);
    }
    let receives = characteristics.ReceiveNetBufferListsHandler.is_some()
        || characteristics.ReturnNetBufferListsHandler.is_some();
    if receives && characteristics.StatusHandler.is_none() {
        let found = "a receive or return handler without a status handler";
        let finding = Finding::new(Rule::Receives, found).on("network/data-bypass-mode");
        state.finding("NdisFRegisterFilterDriver", finding);
    }
    if !state.kernel.memory.grant() {
        return sys::NDIS_STATUS_RESOURCES;
    }
    state.driver = Some(Driver {
        context,
        characteristics,
    });
    // SAFETY: the caller passes a place for the handle.
    unsafe { *driver_handle = handle(DRIVER) };
    drop(state);
    if let Some(options) = characteristics.SetOptionsHandler {
        // SAFETY: the handler is the driver's.
        let status = unsafe { options(handle(DRIVER), context) };
        if status < 0 {
            world.state().driver = None;
            return status;
        }
    }
    if world.config.attaches_in_registration {
        // A failed attach leaves the driver registered.
        let _ = world.attach();
    }
    sys::NDIS_STATUS_SUCCESS
}

/// Reads characteristics of any revision, with the handlers that the revision lacks left out;
/// `None` if header and version do not agree.
///
/// # Safety
/// `raw` points to characteristics of the size in their header.
unsafe fn read_characteristics(
    raw: *const NDIS_FILTER_DRIVER_CHARACTERISTICS,
) -> Option<NDIS_FILTER_DRIVER_CHARACTERISTICS> {
    // SAFETY: every revision has a header.
    let header = unsafe { (*raw).Header };
    let (size, least) = match header.Revision {
        sys::NDIS_FILTER_CHARACTERISTICS_REVISION_1 => (
            sys::NDIS_SIZEOF_FILTER_DRIVER_CHARACTERISTICS_REVISION_1,
            6 << 16,
        ),
        sys::NDIS_FILTER_CHARACTERISTICS_REVISION_2 => (
            sys::NDIS_SIZEOF_FILTER_DRIVER_CHARACTERISTICS_REVISION_2,
            6 << 16 | 1,
        ),
        sys::NDIS_FILTER_CHARACTERISTICS_REVISION_3 => (
            sys::NDIS_SIZEOF_FILTER_DRIVER_CHARACTERISTICS_REVISION_3,
            CHARACTERISTICS_3,
        ),
        _ => return None,
    };
    if header.Type != sys::NDIS_OBJECT_TYPE_FILTER_DRIVER_CHARACTERISTICS || header.Size < size {
        return None;
    }
    if header.Size > size {
        // Microsoft's samples pass the size of the newest revision with an older one.
        let found = format!("revision {} with {} bytes", header.Revision, header.Size);
        let finding = Finding::at(Level::Advice, Rule::Structures, found);
        let page = "ddi/ndis/ns-ndis-_ndis_filter_driver_characteristics";
        thread::world().finding("NdisFRegisterFilterDriver", finding.on(page));
    }
    let mut all = ::ndis::driver::no_characteristics();
    // SAFETY: the caller vouches for `size` bytes, which are the beginning of the structure.
    unsafe {
        let to = (&raw mut all).cast::<u8>();
        ptr::copy_nonoverlapping(raw.cast::<u8>(), to, size.into());
    }
    let version = 6 << 16 | u32::from(all.MinorNdisVersion);
    (version >= least).then_some(all)
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFDeregisterFilterDriver(driver_handle: NDIS_HANDLE) {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisFDeregisterFilterDriver");
    let world = thread::world();
    if driver_handle.addr() == DRIVER && world.config.attaches_in_registration {
        world.detach_attached();
        world.on_other_adapter(World::detach_attached);
    }
    let mut state = world.state();
    if driver_handle.addr() != DRIVER || state.driver.take().is_none() {
        state.violation(
            Rule::Once,
            "driver",
            "deregistered although it is not registered",
        );
    }
    let modules = [&state.life, &state.other.life];
    if modules.map(|life| life.module) != [ModuleState::Detached; 2] {
        state.violation(
            Rule::NothingLeft,
            "driver",
            "deregistered with a module attached",
        );
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFSetAttributes(
    module: NDIS_HANDLE,
    context: NDIS_HANDLE,
    attributes: *mut NDIS_FILTER_ATTRIBUTES,
) -> NDIS_STATUS {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisFSetAttributes");
    let world = thread::world();
    // SAFETY: the caller passes attributes of the size in their header.
    let (header, flags) = unsafe { ((*attributes).Header, (*attributes).Flags) };
    if header.Revision != sys::NDIS_FILTER_ATTRIBUTES_REVISION_1 || flags != 0 {
        let found = format!("revision {} with flags {flags:#x}", header.Revision);
        let finding = Finding::new(Rule::Structures, found);
        world.finding(
            "NdisFSetAttributes",
            finding.on("ddi/ndis/ns-ndis-_ndis_filter_attributes"),
        );
    }
    let mut state = world.state();
    if !state.life.context.is_null() {
        state.violation(Rule::Attach, "NdisFSetAttributes", "called twice");
    }
    if module.addr() != state.life.handle
        || header.Type != sys::NDIS_OBJECT_TYPE_FILTER_ATTRIBUTES
        || header.Size != sys::NDIS_SIZEOF_FILTER_ATTRIBUTES_REVISION_1
        || state.life.module != ModuleState::Attaching
    {
        return sys::NDIS_STATUS_INVALID_PARAMETER;
    }
    if !state.kernel.memory.grant() {
        return sys::NDIS_STATUS_RESOURCES;
    }
    state.life.context = context;
    sys::NDIS_STATUS_SUCCESS
}

/// NDIS_FILTER_PARTIAL_CHARACTERISTICS: handlers of the data path in the order of the characteristics.
#[repr(C)]
pub struct NDIS_FILTER_PARTIAL_CHARACTERISTICS {
    header: sys::NDIS_OBJECT_HEADER,
    flags: u32,
    send: Option<sys::FILTER_SEND_NET_BUFFER_LISTS>,
    complete: Option<sys::FILTER_SEND_NET_BUFFER_LISTS_COMPLETE>,
    cancel: Option<sys::FILTER_CANCEL_SEND_NET_BUFFER_LISTS>,
    receive: Option<sys::FILTER_RECEIVE_NET_BUFFER_LISTS>,
    give_back: Option<sys::FILTER_RETURN_NET_BUFFER_LISTS>,
}

/// NDIS_OBJECT_TYPE_FILTER_PARTIAL_CHARACTERISTICS.
const PARTIAL_CHARACTERISTICS: u8 = 0x8C;

unsafe extern "efiapi" fn NdisSetOptionalHandlers(
    owner: NDIS_HANDLE,
    handlers: *const NDIS_FILTER_PARTIAL_CHARACTERISTICS,
) -> NDIS_STATUS {
    let routine = "NdisSetOptionalHandlers";
    thread::ndis_call(sys::PASSIVE_LEVEL, routine);
    thread::require_module_or_driver(owner, routine);
    if owner.addr() == DRIVER {
        return sys::NDIS_STATUS_SUCCESS;
    }
    // SAFETY: the caller passes a structure of the type and size in its header.
    unsafe {
        let header = (*handlers).header;
        let size = size_of::<NDIS_FILTER_PARTIAL_CHARACTERISTICS>();
        if header.Type != PARTIAL_CHARACTERISTICS
            || header.Revision != 1
            || usize::from(header.Size) != size
        {
            let found = "characteristics of a wrong type, revision or size";
            thread::world().violation(Rule::Structures, routine, found.into());
            return sys::NDIS_STATUS_INVALID_PARAMETER;
        }
        let mut own = ::ndis::driver::no_characteristics();
        own.SendNetBufferListsHandler = (*handlers).send;
        own.SendNetBufferListsCompleteHandler = (*handlers).complete;
        own.CancelSendNetBufferListsHandler = (*handlers).cancel;
        own.ReceiveNetBufferListsHandler = (*handlers).receive;
        own.ReturnNetBufferListsHandler = (*handlers).give_back;
        thread::at_module(owner, routine, |world| {
            world.set_data_handlers(own, routine)
        });
    }
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFPauseComplete(module: NDIS_HANDLE) {
    thread::ndis_call_out(sys::DISPATCH_LEVEL, "NdisFPauseComplete");
    thread::at_module(module, "NdisFPauseComplete", |world| {
        let mut state = world.state();
        if state.life.module == ModuleState::Pausing {
            state.life.pauses_completed += 1;
        } else {
            let found = format!("NdisFPauseComplete while {:?}", state.life.module);
            state.violation(Rule::Pause, "module", found);
        }
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFRestartComplete(module: NDIS_HANDLE, status: NDIS_STATUS) {
    thread::ndis_call_out(sys::PASSIVE_LEVEL, "NdisFRestartComplete");
    thread::at_module(module, "NdisFRestartComplete", |world| {
        let mut state = world.state();
        match &mut state.life.restart_completed {
            Some((count, last)) => (*count, *last) = (*count + 1, status),
            None => {
                let found = "NdisFRestartComplete while no restart is under way";
                state.violation(Rule::Restart, "module", found);
            }
        }
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFRestartFilter(module: NDIS_HANDLE) -> NDIS_STATUS {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisFRestartFilter");
    thread::at_module(module, "NdisFRestartFilter", |world| {
        world.state().life.restart_requested = true;
    });
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFSendNetBufferLists(
    module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    port: NDIS_PORT_NUMBER,
    flags: u32,
) {
    thread::ndis_call_out(sys::DISPATCH_LEVEL, "NdisFSendNetBufferLists");
    thread::at_module(module, "NdisFSendNetBufferLists", |world| {
        world.check_running();
        world.check_completes_sends();
        world.send_down(chain, port, flags);
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFSendNetBufferListsComplete(
    module: NDIS_HANDLE,
    chain: *mut NET_BUFFER_LIST,
    flags: u32,
) {
    thread::ndis_call_out(sys::DISPATCH_LEVEL, "NdisFSendNetBufferListsComplete");
    let routine = "NdisFSendNetBufferListsComplete";
    thread::at_module(module, routine, |world| world.complete_up(chain, flags));
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateNetBufferListPool(
    owner: NDIS_HANDLE,
    parameters: *const NET_BUFFER_LIST_POOL_PARAMETERS,
) -> NDIS_HANDLE {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisAllocateNetBufferListPool");
    // The handle is optional.
    if !owner.is_null() {
        thread::require_module_or_driver(owner, "NdisAllocateNetBufferListPool");
    }
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes parameters of the size in their header.
    let parameters = unsafe { *parameters };
    let subject = "NdisAllocateNetBufferListPool";
    state.check_tag(parameters.PoolTag, subject);
    if parameters.ProtocolId > sys::NDIS_PROTOCOL_ID_MASK {
        let found = format!("ProtocolId {:#x}", parameters.ProtocolId);
        state.finding(
            subject,
            Finding::new(Rule::Structures, found).on(POOL_PARAMETERS),
        );
    }
    let header = parameters.Header;
    // The second revision has Flags at the end.
    let known = match world.config.ndis_version {
        SECOND_POOL_REVISION.. => 2,
        _ => 1,
    };
    if !(1..=known).contains(&header.Revision) {
        let found = format!("parameters of revision {}", header.Revision);
        state.finding(
            subject,
            Finding::new(Rule::Structures, found).on(POOL_PARAMETERS),
        );
    }
    let allocates = match (parameters.fAllocateNetBuffer, parameters.DataSize) {
        (0, _) => Allocates::Nbl,
        (_, 0) => Allocates::NetBuffer,
        (_, size) => Allocates::Data(size),
    };
    let legal = header.Type == sys::NDIS_OBJECT_TYPE_DEFAULT
        && header.Size >= sys::NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1
        && (parameters.DataSize == 0 || allocates != Allocates::Nbl)
        && parameters.ContextSize.is_multiple_of(16);
    if !legal {
        let found = Finding::new(Rule::PoolTags, "parameters that NDIS does not take");
        state.finding(subject, found.on(POOL_PARAMETERS));
        return ptr::null_mut();
    }
    if !state.may_allocate(subject) {
        return ptr::null_mut();
    }
    let memory = Block::new(16, 16);
    let pool = memory.start().cast();
    let address = memory.address();
    let context_size = parameters.ContextSize;
    let made = NblPool {
        allocates,
        context_size,
        live: 0,
        owner: owner.addr(),
        memory,
    };
    state.nbls.pools.insert(address, made);
    pool
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFreeNetBufferListPool(pool: NDIS_HANDLE) {
    free_pool(pool, false, "NdisFreeNetBufferListPool");
}

/// Frees a pool, which has to be of the kind that `routine` is for.
pub(super) fn free_pool(pool: NDIS_HANDLE, of_net_buffers: bool, routine: &str) {
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    let Some(gone) = state.nbls.pools.remove(&pool.addr()) else {
        let found = Finding::new(Rule::PoolTags, "freed although it does not exist");
        return state.finding("NBL pool", found.on(FREEING_POOL));
    };
    if matches!(gone.allocates, Allocates::NetBuffersAlone(_)) != of_net_buffers {
        let found = format!("of a pool of {:?}", gone.allocates);
        state.violation(Rule::PoolTags, routine, found);
    }
    if gone.live > 0 {
        let found = format!("freed with {} NBLs of it alive", gone.live);
        let finding = Finding::new(Rule::PoolTags, found);
        return state.finding("NBL pool", finding.on(FREEING_POOL));
    }
    drop(gone.memory);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFreeNetBufferList(nbl: *mut NET_BUFFER_LIST) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisFreeNetBufferList");
    let world = thread::world();
    let mut state = world.state();
    let name = state.name(nbl.addr());
    match state
        .nbls
        .known
        .get(&nbl.addr())
        .map(|known| (known.owner, known.origin))
    {
        Some((Owner::Filter, Origin::Pool(pool))) => {
            if state.nbls.clones.remove(&nbl.addr()).is_some() {
                let found = "of a clone, which NdisFreeCloneNetBufferList frees";
                state.violation(Rule::PoolTags, "NdisFreeNetBufferList", found);
            }
            // SAFETY: it is live still.
            unsafe { state.free_private(nbl) };
            state.nbls.known.remove(&nbl.addr());
            state.nbls.parts.remove(&nbl.addr());
            let block = state.nbls.memory.remove(&nbl.addr());
            if block.is_some_and(|block| !hidden_part_intact(&block)) {
                let found = "memory behind the visible NBL was overwritten";
                state.violation(Rule::OneOwner, name, found);
            }
            if let Some(pool) = state.nbls.pools.get_mut(&pool) {
                pool.live -= 1;
            }
        }
        Some((owner, origin)) => {
            let found = format!("freed although it is {origin:?} and its owner is the {owner:?}");
            state.violation(Rule::OneOwner, name, found);
        }
        None => state.violation(Rule::OneOwner, name, "freed although it does not exist"),
    }
}

/// The slots that NdisCopySendNetBufferListInfo is documented to copy.
const COPIED: [usize; 11] = [
    sys::TcpIpChecksumNetBufferListInfo,
    sys::IPsecOffloadV1NetBufferListInfo,
    sys::TcpLargeSendNetBufferListInfo,
    sys::Ieee8021QNetBufferListInfo,
    sys::NetBufferListCancelId,
    sys::MediaSpecificInformation,
    sys::NetBufferListProtocolId,
    sys::IPsecOffloadV2TunnelNetBufferListInfo,
    sys::IPsecOffloadV2HeaderNetBufferListInfo,
    sys::NetBufferListFilteringInfo,
    sys::VirtualSubnetInfo,
];

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisCopySendNetBufferListInfo(
    to: *mut NET_BUFFER_LIST,
    from: *const NET_BUFFER_LIST,
) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisCopySendNetBufferListInfo");
    // SAFETY: the caller owns both NBLs.
    unsafe {
        for slot in COPIED {
            (&mut (*to).NetBufferListInfo)[slot] = (&(*from).NetBufferListInfo)[slot];
        }
        thread::world().state().copy_private(to, from);
    }
}

super::exports! {
    NdisGetVersion
    NdisMSleep
    NdisFRegisterFilterDriver
    NdisFDeregisterFilterDriver
    NdisFSetAttributes
    NdisSetOptionalHandlers
    NdisFPauseComplete
    NdisFRestartComplete
    NdisFRestartFilter
    NdisFSendNetBufferLists
    NdisFSendNetBufferListsComplete
    NdisAllocateNetBufferListPool
    NdisFreeNetBufferListPool
    NdisFreeNetBufferList
    NdisCopySendNetBufferListInfo
}
