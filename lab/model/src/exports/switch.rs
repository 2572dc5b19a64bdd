//! `ndis.sys`: the handlers of the Hyper-V virtual switch for its extensions.

use std::{collections::BTreeMap, ffi::c_void, ptr};

use ::ndis::sys::{
    self, NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_STATUS, NET_BUFFER_LIST, UNICODE_STRING,
};

use crate::{
    guard,
    memory::Block,
    rules::{Finding, Rule},
    thread,
    virtual_switch::{ARRAY, DETAIL, Destinations, ELEMENT, ROOM, has_port, nic_index},
};

/// The switch's context for its handlers.
const SWITCH: usize = 0x5917C4;
/// Bytes of NDIS_SWITCH_OPTIONAL_HANDLERS before the handlers.
const HEAD: usize = 8;

/// The page of the handlers.
const HANDLERS: &str = "ddi/ndis/ns-ndis-_ndis_switch_optional_handlers";

type Context = *mut c_void;
type Nbl = *mut NET_BUFFER_LIST;

/// NDIS_SWITCH_FORWARDING_DESTINATION_ARRAY.
#[repr(C)]
pub struct DESTINATION_ARRAY {
    header: NDIS_OBJECT_HEADER,
    element_size: u32,
    room: u32,
    used: u32,
    first: *mut u8,
}

/// A handler is called with the switch's `context`, for `nbl` if that is not null.
fn begin(context: Context, nbl: *const NET_BUFFER_LIST, handler: &str) {
    thread::ndis_call(sys::DISPATCH_LEVEL, handler);
    if context.addr() != SWITCH {
        let found = format!("called with context {:#x}", context.addr());
        thread::world().finding(handler, Finding::new(Rule::Handles, found).on(HANDLERS));
    }
    if !nbl.is_null() {
        guard::check_access(nbl.cast(), size_of::<NET_BUFFER_LIST>(), true);
    }
}

/// The destinations of `nbl`, with room for `more`.
///
/// # Safety
/// `nbl` is a live NBL.
unsafe fn destinations(nbl: Nbl, more: u32) -> *mut DESTINATION_ARRAY {
    let world = thread::world();
    let mut state = world.state();
    let all = &mut state.virtual_switch.destinations;
    let known = all.entry(nbl.addr()).or_insert_with(|| {
        let array = Block::new(ARRAY, 16);
        let elements = Block::new(ELEMENT, 16);
        // SAFETY: the block is new and as long as the structure.
        unsafe {
            *array.start().cast() = DESTINATION_ARRAY {
                header: NDIS_OBJECT_HEADER {
                    Type: sys::NDIS_OBJECT_TYPE_DEFAULT,
                    Revision: 1,
                    Size: ARRAY as u16,
                },
                element_size: ELEMENT as u32,
                room: 1,
                used: 0,
                first: elements.start(),
            };
        }
        Destinations { array, elements }
    });
    let array = known.array.start().cast::<DESTINATION_ARRAY>();
    // SAFETY: the array is live; the new elements are as long as the old ones, and longer.
    unsafe {
        let room = (*array).used + more;
        if room > (*array).room {
            let elements = Block::new(room as usize * ELEMENT, 16);
            let length = (*array).used as usize * ELEMENT;
            ptr::copy_nonoverlapping(known.elements.start(), elements.start(), length);
            ((*array).room, (*array).first) = (room, elements.start());
            known.elements = elements;
        }
        set_room(nbl, (*array).room - (*array).used);
    }
    array
}

/// Writes how many destinations there is room for.
///
/// # Safety
/// `nbl` is a live NBL.
unsafe fn set_room(nbl: Nbl, room: u32) {
    // SAFETY: as the caller vouches.
    unsafe {
        let slot = &mut (&mut (*nbl).NetBufferListInfo)[sys::SwitchForwardingDetail];
        let detail = slot.addr() & !ROOM | room as usize;
        *slot = ptr::without_provenance_mut(detail);
    }
}

unsafe extern "efiapi" fn allocate_context(context: Context, nbl: Nbl) -> NDIS_STATUS {
    begin(context, nbl, "AllocateNetBufferListForwardingContext");
    // SAFETY: the caller passes a live NBL.
    unsafe {
        let slot = &mut (&mut (*nbl).NetBufferListInfo)[sys::SwitchForwardingDetail];
        *slot = ptr::without_provenance_mut(DETAIL);
        destinations(nbl, 0);
    }
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn free_context(context: Context, nbl: Nbl) {
    let handler = "FreeNetBufferListForwardingContext";
    begin(context, nbl, handler);
    let world = thread::world();
    let mut state = world.state();
    let known = state.virtual_switch.destinations.remove(&nbl.addr());
    if known.is_none() {
        let found = Finding::new(Rule::Memory, "of an NBL without one");
        state.finding(handler, found.on(HANDLERS));
    }
}

unsafe extern "efiapi" fn set_source(
    context: Context,
    nbl: Nbl,
    port: u32,
    index: u16,
) -> NDIS_STATUS {
    begin(context, nbl, "SetNetBufferListSource");
    // SAFETY: the caller passes a live NBL.
    unsafe {
        let slot = &mut (&mut (*nbl).NetBufferListInfo)[sys::SwitchForwardingDetail];
        let detail = slot.addr() & !0xFF_FFFF_0000;
        let source = (port as usize & 0xFFFF) << 16 | (usize::from(index) & 0xFF) << 32;
        *slot = ptr::without_provenance_mut(detail | source);
    }
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn add_destination(
    context: Context,
    nbl: Nbl,
    destination: *const [u8; ELEMENT],
) -> NDIS_STATUS {
    begin(context, nbl, "AddNetBufferListDestination");
    // SAFETY: the caller passes a live NBL and a destination.
    unsafe {
        let array = destinations(nbl, 1);
        let place = (*array).first.add((*array).used as usize * ELEMENT);
        place.cast::<[u8; ELEMENT]>().write(*destination);
        (*array).used += 1;
        set_room(nbl, (*array).room - (*array).used);
    }
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn grow_destinations(
    context: Context,
    nbl: Nbl,
    more: u32,
    array: *mut *mut DESTINATION_ARRAY,
) -> NDIS_STATUS {
    let handler = "GrowNetBufferListDestinations";
    begin(context, nbl, handler);
    if !thread::world().state().may_allocate(handler) {
        return sys::NDIS_STATUS_RESOURCES;
    }
    // SAFETY: the caller passes a live NBL and a place.
    unsafe { *array = destinations(nbl, more) };
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn get_destinations(
    context: Context,
    nbl: Nbl,
    array: *mut *mut DESTINATION_ARRAY,
) {
    begin(context, nbl, "GetNetBufferListDestinations");
    // SAFETY: the caller passes a live NBL and a place.
    unsafe { *array = destinations(nbl, 0) };
}

unsafe extern "efiapi" fn update_destinations(
    context: Context,
    nbl: Nbl,
    new: u32,
    array: *mut DESTINATION_ARRAY,
) -> NDIS_STATUS {
    let handler = "UpdateNetBufferListDestinations";
    begin(context, nbl, handler);
    // SAFETY: the caller passes a live NBL, and its array.
    unsafe {
        let known = destinations(nbl, 0);
        if known != array || new > (*known).room - (*known).used {
            let found = format!("{new} new destinations of an array without room for them");
            let finding = Finding::new(Rule::Memory, found).on(HANDLERS);
            thread::world().finding(handler, finding);
            return sys::NDIS_STATUS_FAILURE;
        }
        (*known).used += new;
        set_room(nbl, (*known).room - (*known).used);
    }
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn copy_info(
    context: Context,
    to: Nbl,
    from: Nbl,
    _flags: u32,
) -> NDIS_STATUS {
    begin(context, to, "CopyNetBufferListInfo");
    // SAFETY: the caller passes two live NBLs.
    unsafe {
        super::ndis::NdisCopySendNetBufferListInfo(to, from);
        let slot = sys::SwitchForwardingDetail;
        (&mut (*to).NetBufferListInfo)[slot] = (&(*from).NetBufferListInfo)[slot];
        destinations(to, 0);
    }
    sys::NDIS_STATUS_SUCCESS
}

/// Counts a reference of `port` in `all`.
fn reference(all: &mut BTreeMap<u32, u32>, port: u32) -> NDIS_STATUS {
    if !has_port(port) {
        return sys::NDIS_STATUS_INVALID_PARAMETER;
    }
    *all.entry(port).or_default() += 1;
    sys::NDIS_STATUS_SUCCESS
}

/// Takes a reference back. Returns whether there was one.
fn dereference(all: &mut BTreeMap<u32, u32>, port: u32) -> bool {
    match all.get_mut(&port) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    }
}

fn unreferenced(handler: &str) -> NDIS_STATUS {
    let found = Finding::new(Rule::Once, "without a reference");
    thread::world().finding(handler, found.on(HANDLERS));
    sys::NDIS_STATUS_INVALID_PARAMETER
}

unsafe extern "efiapi" fn reference_nic(context: Context, port: u32, index: u16) -> NDIS_STATUS {
    begin(context, ptr::null(), "ReferenceSwitchNic");
    if index != nic_index(port) {
        return sys::NDIS_STATUS_INVALID_PARAMETER;
    }
    reference(&mut thread::world().state().virtual_switch.nics, port)
}

unsafe extern "efiapi" fn dereference_nic(context: Context, port: u32, _index: u16) -> NDIS_STATUS {
    let handler = "DereferenceSwitchNic";
    begin(context, ptr::null(), handler);
    if dereference(&mut thread::world().state().virtual_switch.nics, port) {
        return sys::NDIS_STATUS_SUCCESS;
    }
    unreferenced(handler)
}

unsafe extern "efiapi" fn reference_port(context: Context, port: u32) -> NDIS_STATUS {
    begin(context, ptr::null(), "ReferenceSwitchPort");
    reference(&mut thread::world().state().virtual_switch.ports, port)
}

unsafe extern "efiapi" fn dereference_port(context: Context, port: u32) -> NDIS_STATUS {
    let handler = "DereferenceSwitchPort";
    begin(context, ptr::null(), handler);
    if dereference(&mut thread::world().state().virtual_switch.ports, port) {
        return sys::NDIS_STATUS_SUCCESS;
    }
    unreferenced(handler)
}

unsafe extern "efiapi" fn report_filtered(
    context: Context,
    _extension: *const UNICODE_STRING,
    _name: *const UNICODE_STRING,
    _port: u32,
    _flags: u32,
    count: u32,
    chain: Nbl,
    _reason: *const UNICODE_STRING,
) {
    let handler = "ReportFilteredNetBufferLists";
    begin(context, chain, handler);
    let (mut found, mut nbl) = (0, chain);
    while !nbl.is_null() && found <= count {
        found += 1;
        // SAFETY: the caller passes a chain of live NBLs.
        nbl = unsafe { (*nbl).Next };
    }
    if found != count {
        let found = format!("{count} NBLs, of a chain of another length");
        thread::world().finding(handler, Finding::new(Rule::Once, found).on(HANDLERS));
    }
}

unsafe extern "efiapi" fn set_switch_context(
    context: Context,
    nbl: Nbl,
    kind: *const c_void,
    value: *mut c_void,
) -> NDIS_STATUS {
    begin(context, nbl, "SetNetBufferListSwitchContext");
    let world = thread::world();
    let contexts = &mut world.state().virtual_switch.contexts;
    contexts.insert((nbl.addr(), kind.addr()), value.expose_provenance());
    sys::NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn get_switch_context(
    context: Context,
    nbl: Nbl,
    kind: *const c_void,
) -> *mut c_void {
    begin(context, nbl, "GetNetBufferListSwitchContext");
    let world = thread::world();
    let contexts = &world.state().virtual_switch.contexts;
    let value = contexts.get(&(nbl.addr(), kind.addr())).copied();
    ptr::with_exposed_provenance_mut(value.unwrap_or(0))
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFGetOptionalSwitchHandlers(
    module: NDIS_HANDLE,
    context: *mut *mut c_void,
    handlers: *mut NDIS_OBJECT_HEADER,
) -> NDIS_STATUS {
    let routine = "NdisFGetOptionalSwitchHandlers";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    thread::at_module(module, routine, |world| {
        world.state().life.switch_extension = true;
    });
    // In the order of NDIS_SWITCH_OPTIONAL_HANDLERS; the rest is reserved.
    let all = [
        allocate_context as *const (),
        free_context as *const (),
        set_source as *const (),
        add_destination as *const (),
        grow_destinations as *const (),
        get_destinations as *const (),
        update_destinations as *const (),
        copy_info as *const (),
        reference_nic as *const (),
        dereference_nic as *const (),
        reference_port as *const (),
        dereference_port as *const (),
        report_filtered as *const (),
        set_switch_context as *const (),
        get_switch_context as *const (),
    ];
    // SAFETY: the caller passes a place for the context, and handlers of the size in their header.
    unsafe {
        *context = ptr::without_provenance_mut(SWITCH);
        let size = usize::from((*handlers).Size);
        let first = handlers.cast::<u8>().add(HEAD).cast::<*const ()>();
        for index in 0..size.saturating_sub(HEAD) / size_of::<*const ()>() {
            let handler = all.get(index).copied().unwrap_or(ptr::null());
            first.add(index).write_unaligned(handler);
        }
    }
    sys::NDIS_STATUS_SUCCESS
}

super::exports! {
    NdisFGetOptionalSwitchHandlers
}
