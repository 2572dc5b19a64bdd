//! `ntoskrnl.exe` and `ndis.sys`: the system's version, its routines by their names, and event tracing
//! of the older kind, which nobody turns on.

use std::ffi::{CStr, c_char, c_void};

use ::ndis::sys::{self, NTSTATUS, UNICODE_STRING};

use crate::{attach::text, thread};

unsafe extern "efiapi" fn MmGetSystemRoutineAddress(name: *const UNICODE_STRING) -> *const () {
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, "MmGetSystemRoutineAddress");
    // SAFETY: the caller passes a name.
    let name = unsafe { text(name) }.unwrap_or_default();
    super::find("ntoskrnl.exe", &name).unwrap_or(std::ptr::null())
}

unsafe extern "efiapi" fn NdisGetRoutineAddress(name: *const UNICODE_STRING) -> *const () {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisGetRoutineAddress");
    // SAFETY: the caller passes a name.
    let name = unsafe { text(name) }.unwrap_or_default();
    super::find("ndis.sys", &name).unwrap_or(std::ptr::null())
}

/// Windows 11 and Windows Server 2022.
const MAJOR: u32 = 10;
const BUILD: u32 = 20_348;

/// OSVERSIONINFOW, to the build.
#[repr(C)]
pub struct OSVERSIONINFOW {
    size: u32,
    major: u32,
    minor: u32,
    build: u32,
    platform: u32,
}

unsafe extern "efiapi" fn RtlGetVersion(version: *mut OSVERSIONINFOW) -> NTSTATUS {
    const NT: u32 = 2;
    // SAFETY: the caller passes a structure of the size in it.
    unsafe {
        *version = OSVERSIONINFOW {
            size: (*version).size,
            major: MAJOR,
            minor: 0,
            build: BUILD,
            platform: NT,
        };
    }
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn PsGetVersion(
    major: *mut u32,
    minor: *mut u32,
    build: *mut u32,
    _pack: *mut c_void,
) -> u8 {
    for (place, value) in [(major, MAJOR), (minor, 0), (build, BUILD)] {
        if !place.is_null() {
            // SAFETY: the caller passes places or null.
            unsafe { *place = value };
        }
    }
    0
}

unsafe extern "efiapi" fn RtlIsNtDdiVersionAvailable(_version: u32) -> u8 {
    1
}

unsafe extern "efiapi" fn IoIsWdmVersionAvailable(_major: u8, _minor: u8) -> u8 {
    1
}

unsafe extern "efiapi" fn ExGetPreviousMode() -> i8 {
    sys::KernelMode
}

unsafe extern "efiapi" fn IoIs32bitProcess(_irp: *mut c_void) -> u8 {
    0
}

/// A process's number.
unsafe extern "efiapi" fn PsGetCurrentProcessId() -> *mut c_void {
    std::ptr::without_provenance_mut(4)
}
use PsGetCurrentProcessId as PsGetCurrentThreadId;

unsafe extern "efiapi" fn IoGetRequestorProcessId(_irp: *mut c_void) -> u32 {
    4
}

/// The one process: a place that nobody looks at.
unsafe extern "efiapi" fn IoGetCurrentProcess() -> *mut c_void {
    std::ptr::without_provenance_mut(0x9_40CE_5500)
}
use IoGetCurrentProcess as KeGetCurrentThread;
use IoGetCurrentProcess as PsGetCurrentProcess;
use IoGetCurrentProcess as PsGetCurrentThread;

unsafe extern "efiapi" fn KeSetPriorityThread(_thread: *mut c_void, _priority: i32) -> i32 {
    8
}
use KeSetPriorityThread as KeSetBasePriorityThread;

unsafe extern "efiapi" fn KeShouldYieldProcessor() -> u8 {
    0
}

unsafe extern "efiapi" fn DbgBreakPoint() {
    thread::world().violation(
        crate::rules::Rule::Assertion,
        "driver",
        "stops for a debugger".into(),
    );
}
use DbgBreakPoint as DbgBreakPointWithStatus;

/// NdisWriteEventLogEntry, whose entries are not judged.
unsafe extern "efiapi" fn NdisWriteEventLogEntry(
    _log: *mut c_void,
    _code: i32,
    _unique: u32,
    _strings: u16,
    _list: *const c_void,
    _size: u32,
    _data: *const c_void,
) -> i32 {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisWriteEventLogEntry");
    sys::NDIS_STATUS_SUCCESS
}

/// WPP's and the older tracing: registered, and never turned on.
unsafe extern "efiapi" fn IoWMIRegistrationControl(_device: *mut c_void, _action: u32) -> NTSTATUS {
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn EtwRegisterClassicProvider(
    _provider: *const c_void,
    _kind: u32,
    _callback: *const c_void,
    _context: *mut c_void,
    handle: *mut u64,
) -> NTSTATUS {
    // SAFETY: the caller passes a place.
    unsafe { *handle = 0 };
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn WmiTraceMessage() -> NTSTATUS {
    sys::STATUS_SUCCESS
}
use WmiTraceMessage as WmiQueryTraceInformation;

/// An exception in a driver ends the machine.
unsafe extern "efiapi" fn __C_specific_handler() -> i32 {
    const CONTINUE_SEARCH: i32 = 1;
    CONTINUE_SEARCH
}

unsafe extern "efiapi" fn ExRaiseStatus(status: NTSTATUS) {
    let found = format!("raises the exception {status:#010x}");
    thread::world().violation(crate::rules::Rule::Assertion, "driver", found);
}
use ExRaiseStatus as RtlRaiseStatus;

/// What the addresses of a program are good for: the model's requests have none.
unsafe extern "efiapi" fn probe(_start: *const c_void, _length: usize, _alignment: u32) {}
use probe as ProbeForRead;
use probe as ProbeForWrite;

unsafe extern "efiapi" fn MmIsAddressValid(address: *const c_void) -> u8 {
    (!address.is_null()).into()
}

/// Pageable code stays where it is.
unsafe extern "efiapi" fn MmLockPagableDataSection(address: *mut c_void) -> *mut c_void {
    address
}

unsafe extern "efiapi" fn leave_section(_section: *mut c_void) -> *mut c_void {
    std::ptr::null_mut()
}
use leave_section as MmPageEntireDriver;
use leave_section as MmResetDriverPaging;
use leave_section as MmUnlockPagableImageSection;

/// Assertions of the checked runtime.
unsafe extern "efiapi" fn RtlFailFast(code: u32) {
    let found = format!("fails fast with code {code}");
    thread::world().violation(crate::rules::Rule::Assertion, "driver", found);
    std::process::abort();
}

unsafe extern "efiapi" fn NdisInitializeString(to: *mut UNICODE_STRING, from: *const c_char) {
    // SAFETY: the caller passes a place, and text that ends with a zero.
    unsafe {
        let text = CStr::from_ptr(from).to_bytes();
        let world = thread::world();
        let length = text.len() * 2;
        let tag = u32::from_le_bytes(*b"NdSt");
        let routine = "NdisInitializeString";
        let place: *mut u16 =
            super::kernel_pool::allocate_pool(&mut world.state(), length + 2, tag, false, routine)
                .cast();
        let length = if place.is_null() { 0 } else { length };
        for (at, byte) in text.iter().take(length / 2).enumerate() {
            place.add(at).write(u16::from(*byte));
        }
        if !place.is_null() {
            place.add(length / 2).write(0);
        }
        *to = UNICODE_STRING {
            Length: length as u16,
            MaximumLength: length as u16 + 2,
            Buffer: place,
        };
    }
}

/// Numbers that drivers import, and objects of which only the place counts.
static NT_BUILD_NUMBER: u32 = 0xF000_0000 | BUILD;
static ONE: u64 = 1;
static NONE: u64 = 0;
/// The highest address of a program.
static HIGHEST: u64 = 0x7FFF_FFFF_0000;

/// The data that drivers import.
pub(super) static DATA: &[(&str, super::Export)] = &[
    ("NtBuildNumber", data(&raw const NT_BUILD_NUMBER)),
    ("KeNumberProcessors", data(&raw const ONE)),
    ("InitSafeBootMode", data(&raw const NONE)),
    ("KdDebuggerEnabled", data(&raw const NONE)),
    ("KdDebuggerNotPresent", data(&raw const ONE)),
    ("NtGlobalFlag", data(&raw const NONE)),
    ("MmUserProbeAddress", data(&raw const HIGHEST)),
    ("MmHighestUserAddress", data(&raw const HIGHEST)),
    ("ExEventObjectType", data(&raw const NONE)),
    ("IoFileObjectType", data(&raw const NONE)),
    ("PsProcessType", data(&raw const NONE)),
    ("PsThreadType", data(&raw const NONE)),
    ("PsInitialSystemProcess", data(&raw const NONE)),
    ("_fltused", data(&raw const ONE)),
];

const fn data<T>(place: *const T) -> super::Export {
    super::Export(place.cast())
}

super::exports! {
    MmGetSystemRoutineAddress
    NdisGetRoutineAddress
    RtlGetVersion
    PsGetVersion
    RtlIsNtDdiVersionAvailable
    IoIsWdmVersionAvailable
    ExGetPreviousMode
    IoIs32bitProcess
    PsGetCurrentProcessId
    PsGetCurrentThreadId
    IoGetRequestorProcessId
    IoGetCurrentProcess
    KeGetCurrentThread
    PsGetCurrentProcess
    PsGetCurrentThread
    KeSetPriorityThread
    KeSetBasePriorityThread
    KeShouldYieldProcessor
    DbgBreakPoint
    DbgBreakPointWithStatus
    NdisWriteEventLogEntry
    IoWMIRegistrationControl
    EtwRegisterClassicProvider
    WmiTraceMessage
    WmiQueryTraceInformation
    __C_specific_handler
    ExRaiseStatus
    RtlRaiseStatus
    ProbeForRead
    ProbeForWrite
    MmIsAddressValid
    MmLockPagableDataSection
    MmPageEntireDriver
    MmResetDriverPaging
    MmUnlockPagableImageSection
    RtlFailFast
    NdisInitializeString
}
