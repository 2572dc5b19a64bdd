//! Scalar types and the object header shared by all NDIS structures.

use core::ffi::c_void;

/// An opaque handle of NDIS, or a context of ours that NDIS hands back.
pub type NDIS_HANDLE = *mut c_void;
/// NDIS's status code: negative is an error.
pub type NDIS_STATUS = i32;
/// The kernel's status code: negative is an error.
pub type NTSTATUS = i32;
/// An object identifier, the operation of an OID request.
pub type NDIS_OID = u32;
/// A port of a miniport adapter; zero is the default port.
pub type NDIS_PORT_NUMBER = u32;
/// An interface's index, unique while the interface exists.
pub type NET_IFINDEX = u32;
/// A counted UTF-16 string.
pub type NDIS_STRING = crate::UNICODE_STRING;

/// Interrupt request level.
pub type KIRQL = u8;
/// False is zero, true any other value.
pub type BOOLEAN = u8;
/// A physical address.
pub type PHYSICAL_ADDRESS = i64;
/// The number of a page of physical memory.
pub type PFN_NUMBER = usize;

/// The first member of every NDIS structure that has revisions; it identifies the revision.
///
/// `Size` is the `NDIS_SIZEOF_…` of the revision, which may be less than `size_of`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_OBJECT_HEADER {
    pub Type: u8,
    pub Revision: u8,
    pub Size: u16,
}

/// A network interface's identifier, which outlasts a restart.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NET_LUID {
    pub Value: u64,
}

layout! {
    NDIS_OBJECT_HEADER: size 4, align 2 { Type, Revision, Size }
    NET_LUID: size 8, align 8 { Value = Info }
}

constants! {
    u8 {
        NDIS_OBJECT_TYPE_DEFAULT = 0x80;
        NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES = 0x85;
        NDIS_OBJECT_TYPE_FILTER_DRIVER_CHARACTERISTICS = 0x8b;
        NDIS_OBJECT_TYPE_FILTER_ATTRIBUTES = 0x8d;
        NDIS_OBJECT_TYPE_OID_REQUEST = 0x96;
        NDIS_OBJECT_TYPE_STATUS_INDICATION = 0x98;
        NDIS_OBJECT_TYPE_FILTER_ATTACH_PARAMETERS = 0x99;
        NDIS_OBJECT_TYPE_FILTER_PAUSE_PARAMETERS = 0x9a;
        NDIS_OBJECT_TYPE_FILTER_RESTART_PARAMETERS = 0x9b;
        NDIS_OBJECT_TYPE_RESTART_GENERAL_ATTRIBUTES = 0xa2;
        NDIS_OBJECT_TYPE_OFFLOAD = 0xa7;
        NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT = 0xa9;
    }
    u32 {
        NDIS_DEFAULT_PORT_NUMBER = 0;
    }
}
