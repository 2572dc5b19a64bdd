//! The registry through NDIS, and the control device.

use core::ffi::c_void;

use crate::{DRIVER_DISPATCH, GUID, NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_STRING, UNICODE_STRING};

/// The object whose parameters NdisOpenConfigurationEx opens.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_CONFIGURATION_OBJECT {
    pub Header: NDIS_OBJECT_HEADER,
    pub NdisHandle: NDIS_HANDLE,
    pub Flags: u32,
}

/// One value of the registry.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_CONFIGURATION_PARAMETER {
    /// `NdisParameter…`; it determines which member of `ParameterData` is valid.
    pub ParameterType: i32,
    pub ParameterData: NDIS_CONFIGURATION_PARAMETER_DATA,
}

/// The value: a number, a string, or bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub union NDIS_CONFIGURATION_PARAMETER_DATA {
    pub IntegerData: u32,
    pub StringData: NDIS_STRING,
    pub BinaryData: BINARY_DATA,
}

/// Counted bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BINARY_DATA {
    pub Length: u16,
    pub Buffer: *mut c_void,
}

/// The control device's name, protection and handlers.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_DEVICE_OBJECT_ATTRIBUTES {
    pub Header: NDIS_OBJECT_HEADER,
    pub DeviceName: *mut NDIS_STRING,
    pub SymbolicName: *mut NDIS_STRING,
    /// An array of `IRP_MJ_MAXIMUM_FUNCTION + 1` entries.
    pub MajorFunctions: *mut Option<DRIVER_DISPATCH>,
    pub ExtensionSize: u32,
    pub DefaultSDDLString: *const UNICODE_STRING,
    pub DeviceClassGuid: *const GUID,
}

layout! {
    NDIS_CONFIGURATION_OBJECT: size 24, align 8 { Header, NdisHandle, Flags }
    NDIS_CONFIGURATION_PARAMETER: size 24, align 8 { ParameterType, ParameterData }
    NDIS_CONFIGURATION_PARAMETER_DATA in
        "NDIS_CONFIGURATION_PARAMETER.ParameterData": size 16, align 8 {
        IntegerData, StringData, BinaryData,
    }
    BINARY_DATA: size 16, align 8 { Length, Buffer }
    NDIS_DEVICE_OBJECT_ATTRIBUTES: size 56, align 8 {
        Header, DeviceName, SymbolicName, MajorFunctions, ExtensionSize, DefaultSDDLString,
        DeviceClassGuid,
    }
}

constants! {
    u8 {
        NDIS_CONFIGURATION_OBJECT_REVISION_1 = 1;
        NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1 = 1;
    }
    u16 {
        NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1 = 20;
        NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1 = 56;
    }
    i32 {
        NdisParameterInteger = 0;
        NdisParameterHexInteger = 1;
        NdisParameterString = 2;
        NdisParameterBinary = 4;
    }
}
