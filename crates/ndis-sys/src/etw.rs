//! Event tracing: registering a provider and writing an event.
//!
//! The numbers that TraceLogging adds, levels and types of fields among them, are in headers that
//! ndis.h does not include; they are defined where events are built, in `ndis::event`.

use core::ffi::c_void;

/// A registration of an event provider; zero is none.
pub type REGHANDLE = u64;

/// The descriptor by which ETW filters an event, and decodes it where there is a manifest.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct EVENT_DESCRIPTOR {
    pub Id: u16,
    pub Version: u8,
    pub Channel: u8,
    pub Level: u8,
    pub Opcode: u8,
    pub Task: u16,
    pub Keyword: u64,
}

/// A part of an event's data. In C the pointer is a number of 64 bits.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct EVENT_DATA_DESCRIPTOR {
    pub Ptr: *const c_void,
    pub Size: u32,
    pub Type: u8,
    pub Reserved1: u8,
    pub Reserved2: u16,
}

layout! {
    EVENT_DESCRIPTOR: size 16, align 8 { Id, Version, Channel, Level, Opcode, Task, Keyword }
    EVENT_DATA_DESCRIPTOR: size 16, align 8 { Ptr, Size, Type = Reserved, Reserved1, Reserved2 }
}

constants! {
    i32 {
        // EVENT_INFO_CLASS. Traits are the provider's name; once they are set, ETW heeds the types
        // of data descriptors.
        EventProviderSetTraits = 2;
    }
    u8 {
        EVENT_DATA_DESCRIPTOR_TYPE_NONE = 0;
        EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA = 1;
        EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA = 2;
    }
}
