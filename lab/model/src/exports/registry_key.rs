//! `ntoskrnl.exe`: keys of the registry. The driver's own key exists, and has no values but those of the
//! module's parameters; it has no other key.

use std::{ffi::c_void, ptr};

use ::ndis::sys::{self, NTSTATUS, UNICODE_STRING};

use crate::{
    attach::text,
    guard,
    objects::Kind,
    registry::{self, RegistryValue},
    thread,
};

/// OBJECT_ATTRIBUTES.
#[repr(C)]
pub struct OBJECT_ATTRIBUTES {
    length: u32,
    root: *mut c_void,
    name: *const UNICODE_STRING,
    attributes: u32,
    rest: [usize; 2],
}

/// STATUS_BUFFER_TOO_SMALL, STATUS_BUFFER_OVERFLOW and STATUS_NO_MORE_ENTRIES.
const TOO_SMALL: NTSTATUS = 0xC000_0023_u32 as i32;
const OVERFLOW: NTSTATUS = 0x8000_0005_u32 as i32;
const NO_MORE: NTSTATUS = 0x8000_001A_u32 as i32;

/// The beginning of the path of the services' keys, in lower case.
const SERVICES: &str = r"\registry\machine\system\currentcontrolset\services\filter";

/// Whether the attributes name the driver's key, or one below a key that is open.
///
/// # Safety
/// `attributes` are ones with a name.
unsafe fn is_known(attributes: *const OBJECT_ATTRIBUTES) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        let name = text((*attributes).name).unwrap_or_default();
        let below = !(*attributes).root.is_null();
        below || name.to_lowercase().starts_with(SERVICES)
    }
}

fn open(key: *mut *mut c_void, routine: &str) -> NTSTATUS {
    let world = thread::world();
    let Some(made) = world.state().new_handle(Kind::Handle, routine) else {
        return sys::NDIS_STATUS_RESOURCES;
    };
    // SAFETY: the caller passes a place for the handle.
    unsafe { *key = made.cast() };
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn ZwOpenKey(
    key: *mut *mut c_void,
    _access: u32,
    attributes: *const OBJECT_ATTRIBUTES,
) -> NTSTATUS {
    let routine = "ZwOpenKey";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    // SAFETY: the caller passes attributes.
    match unsafe { is_known(attributes) } {
        true => open(key, routine),
        false => sys::STATUS_OBJECT_NAME_NOT_FOUND,
    }
}

unsafe extern "efiapi" fn ZwCreateKey(
    key: *mut *mut c_void,
    _access: u32,
    _attributes: *const OBJECT_ATTRIBUTES,
    _index: u32,
    _class: *const UNICODE_STRING,
    _options: u32,
    disposition: *mut u32,
) -> NTSTATUS {
    const OPENED: u32 = 2;
    let routine = "ZwCreateKey";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    if !disposition.is_null() {
        // SAFETY: the caller passes a place or null.
        unsafe { *disposition = OPENED };
    }
    open(key, routine)
}

/// KEY_VALUE_PARTIAL_INFORMATION: bytes before the data; and the same of KEY_VALUE_FULL_INFORMATION,
/// without the name.
const PARTIAL: usize = 12;
const FULL: usize = 20;

unsafe extern "efiapi" fn ZwQueryValueKey(
    key: *mut c_void,
    name: *const UNICODE_STRING,
    class: i32,
    output: *mut u8,
    room: u32,
    needed: *mut u32,
) -> NTSTATUS {
    const FULL_CLASS: i32 = 1;
    const PARTIAL_CLASS: i32 = 2;
    let routine = "ZwQueryValueKey";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    state.require_object(key.addr(), Kind::Handle, routine);
    // SAFETY: the caller passes a name.
    let name = unsafe { text(name) }.unwrap_or_default();
    let value = registry::find(&state.kernel.registry, &name).cloned();
    let Some(value) = value else {
        return sys::STATUS_OBJECT_NAME_NOT_FOUND;
    };
    let (kind, data) = match value {
        RegistryValue::Integer(value) => (4_u32, value.to_le_bytes().to_vec()),
        RegistryValue::Text(text) => {
            let text = text.encode_utf16().chain([0]);
            (1, text.flat_map(u16::to_le_bytes).collect())
        }
        RegistryValue::Bytes(bytes) => (3, bytes),
    };
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    let length = data.len() as u32;
    let (head, all) = match class {
        PARTIAL_CLASS => (PARTIAL, [words(&[0, kind, length]), data].concat()),
        FULL_CLASS => {
            let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let at = (FULL + name.len()) as u32;
            let head = words(&[0, kind, at, length, name.len() as u32]);
            (FULL, [head, name, data].concat())
        }
        _ => return sys::NDIS_STATUS_INVALID_PARAMETER,
    };
    // SAFETY: the caller passes a place for the length, and `room` bytes.
    unsafe {
        *needed = all.len() as u32;
        if (room as usize) < head {
            return TOO_SMALL;
        }
        let fits = all.len().min(room as usize);
        guard::check_access(output, fits, true);
        ptr::copy(all.as_ptr(), output, fits);
        match fits == all.len() {
            true => sys::STATUS_SUCCESS,
            false => OVERFLOW,
        }
    }
}

unsafe extern "efiapi" fn ZwSetValueKey(
    key: *mut c_void,
    _name: *const UNICODE_STRING,
    _index: u32,
    _kind: u32,
    _data: *const c_void,
    _length: u32,
) -> NTSTATUS {
    let routine = "ZwSetValueKey";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    world
        .state()
        .require_object(key.addr(), Kind::Handle, routine);
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn ZwEnumerateKey(
    _key: *mut c_void,
    _index: u32,
    _class: i32,
    _output: *mut c_void,
    _room: u32,
    _needed: *mut u32,
) -> NTSTATUS {
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, "ZwEnumerateKey");
    NO_MORE
}
use ZwEnumerateKey as ZwEnumerateValueKey;

unsafe extern "efiapi" fn ZwClose(handle: *mut c_void) -> NTSTATUS {
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, "ZwClose");
    let world = thread::world();
    world
        .state()
        .free_object(handle.addr(), Kind::Handle, "ZwClose");
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn RtlCheckRegistryKey(_relative: u32, _path: *const u16) -> NTSTATUS {
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, "RtlCheckRegistryKey");
    sys::STATUS_OBJECT_NAME_NOT_FOUND
}

/// The table's default values stay.
unsafe extern "efiapi" fn RtlQueryRegistryValues(
    _relative: u32,
    _path: *const u16,
    _table: *mut c_void,
    _context: *mut c_void,
    _environment: *mut c_void,
) -> NTSTATUS {
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, "RtlQueryRegistryValues");
    sys::STATUS_OBJECT_NAME_NOT_FOUND
}
use RtlQueryRegistryValues as RtlQueryRegistryValuesEx;

super::exports! {
    ZwOpenKey
    ZwCreateKey
    ZwQueryValueKey
    ZwSetValueKey
    ZwEnumerateKey
    ZwEnumerateValueKey
    ZwClose
    RtlCheckRegistryKey
    RtlQueryRegistryValues
    RtlQueryRegistryValuesEx
}
