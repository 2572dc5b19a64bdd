//! `ndis.sys`: the registry.

use std::{ptr, time::Duration};

use ::ndis::sys::{self, NDIS_HANDLE, NDIS_STATUS};

use crate::{
    attach::{terminated_text, text},
    handles::{DRIVER, MODULE},
    memory::Block,
    registry::{self, RegistryValue},
    rules::{Finding, Level, Rule},
    state::Configuration,
    suspension, thread,
};

/// The page of the object that a configuration is opened with.
const CONFIGURATION_OBJECT: &str = "ddi/ndis/ns-ndis-_ndis_configuration_object";

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisOpenConfigurationEx(
    object: *mut sys::NDIS_CONFIGURATION_OBJECT,
    configuration: *mut NDIS_HANDLE,
) -> NDIS_STATUS {
    let routine = "NdisOpenConfigurationEx";
    thread::ndis_call(sys::PASSIVE_LEVEL, routine);
    suspension::require_none(routine);
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes an object of the size in its header.
    let (header, of) = unsafe { ((*object).Header, (*object).NdisHandle) };
    let size = sys::NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1;
    if header.Revision != sys::NDIS_CONFIGURATION_OBJECT_REVISION_1 || header.Size != size {
        let found = format!(
            "an object of revision {} and {} bytes",
            header.Revision, header.Size
        );
        // Microsoft's samples pass the structure's length with its padding, and a longer one holds
        // all that the revision has.
        let longer = header.Size > size && header.Revision == 1;
        let level = if longer {
            Level::Advice
        } else {
            Level::Contract
        };
        let finding = Finding::at(level, Rule::Structures, found);
        state.finding(routine, finding.on(CONFIGURATION_OBJECT));
    }
    if header.Type != sys::NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT
        || of.addr() != DRIVER && !state.is_module(of)
    {
        return sys::NDIS_STATUS_INVALID_PARAMETER;
    }
    if !state.may_allocate(routine) {
        return sys::NDIS_STATUS_RESOURCES;
    }
    let memory = Block::new(16, 16);
    // SAFETY: the caller passes a place for the handle.
    unsafe { *configuration = memory.start().cast() };
    let address = memory.address();
    let open = Configuration {
        _memory: memory,
        read: Vec::new(),
        owner: of.addr(),
    };
    state.kernel.configurations.insert(address, open);
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisReadConfiguration(
    status: *mut NDIS_STATUS,
    value: *mut *mut sys::NDIS_CONFIGURATION_PARAMETER,
    configuration: NDIS_HANDLE,
    keyword: *mut sys::NDIS_STRING,
    kind: i32,
) {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisReadConfiguration");
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes a counted string.
    let keyword = unsafe { terminated_text(keyword) }.unwrap_or_default();
    state.kernel.keywords.insert(keyword.clone(), kind);
    let owner = state.kernel.configurations.get(&configuration.addr());
    let owner = owner.map_or(MODULE, |open| open.owner);
    let found = registry::find(state.kernel.registry_of(owner), &keyword)
        .and_then(|value| made_of(value, kind));
    let granted = found.is_some() && state.kernel.memory.grant();
    let open = state.kernel.configurations.get_mut(&configuration.addr());
    // SAFETY: the caller passes places for status and value; the block is as long as a parameter.
    unsafe {
        *value = ptr::null_mut();
        *status = match (found, open) {
            (Some((parameter, bytes)), Some(open)) if granted => {
                *value = parameter.start().cast();
                open.read.extend([parameter, bytes]);
                sys::NDIS_STATUS_SUCCESS
            }
            (Some(_), Some(_)) => sys::NDIS_STATUS_RESOURCES,
            _ => sys::NDIS_STATUS_FAILURE,
        };
    }
}

/// A parameter of type `kind` with the registry's `value`, and the bytes that it points to.
fn made_of(value: &RegistryValue, kind: i32) -> Option<(Block, Block)> {
    let integer = |base| {
        Some(sys::NDIS_CONFIGURATION_PARAMETER_DATA {
            IntegerData: value.integer(base)?,
        })
    };
    let (bytes, data) = match (value, kind) {
        (_, sys::NdisParameterInteger) => (Block::of(&[]), integer(10)?),
        (_, sys::NdisParameterHexInteger) => (Block::of(&[]), integer(16)?),
        (RegistryValue::Text(text), sys::NdisParameterString) => {
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_ne_bytes).collect();
            let block = Block::of(&wide);
            let string = sys::NDIS_STRING {
                Length: wide.len() as u16,
                MaximumLength: wide.len() as u16,
                Buffer: block.start().cast(),
            };
            (
                block,
                sys::NDIS_CONFIGURATION_PARAMETER_DATA { StringData: string },
            )
        }
        (RegistryValue::Bytes(bytes), sys::NdisParameterBinary) => {
            let block = Block::of(bytes);
            let binary = sys::BINARY_DATA {
                Length: bytes.len() as u16,
                Buffer: block.start().cast(),
            };
            (
                block,
                sys::NDIS_CONFIGURATION_PARAMETER_DATA { BinaryData: binary },
            )
        }
        _ => return None,
    };
    let block = Block::new(size_of::<sys::NDIS_CONFIGURATION_PARAMETER>(), 16);
    let parameter = sys::NDIS_CONFIGURATION_PARAMETER {
        ParameterType: kind,
        ParameterData: data,
    };
    // SAFETY: the block is new and as long as the structure.
    unsafe {
        block
            .start()
            .cast::<sys::NDIS_CONFIGURATION_PARAMETER>()
            .write(parameter)
    };
    Some((block, bytes))
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisWriteConfiguration(
    status: *mut NDIS_STATUS,
    configuration: NDIS_HANDLE,
    keyword: *mut sys::NDIS_STRING,
    value: *mut sys::NDIS_CONFIGURATION_PARAMETER,
) {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisWriteConfiguration");
    // The registry is slow, so that writers that are not serialized overlap.
    std::thread::sleep(Duration::from_micros(200));
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes a counted string and a parameter.
    let (keyword, value) = unsafe {
        (
            terminated_text(keyword).unwrap_or_default(),
            read_value(value),
        )
    };
    let owner = state.kernel.configurations.get(&configuration.addr());
    let owner = owner.map(|open| open.owner);
    let answer = match value {
        Some(_) if owner.is_none() || keyword.is_empty() => sys::NDIS_STATUS_FAILURE,
        Some(_) if !state.kernel.memory.grant() => sys::NDIS_STATUS_RESOURCES,
        Some(value) => {
            let owner = owner.unwrap_or(MODULE);
            registry::write(state.kernel.registry_of(owner), &keyword, value);
            sys::NDIS_STATUS_SUCCESS
        }
        None => sys::NDIS_STATUS_NOT_SUPPORTED,
    };
    // SAFETY: the caller passes a place for the status.
    unsafe { *status = answer };
}

/// The value of a parameter that NdisWriteConfiguration can write.
///
/// # Safety
/// `parameter` points to a parameter.
unsafe fn read_value(parameter: *const sys::NDIS_CONFIGURATION_PARAMETER) -> Option<RegistryValue> {
    // SAFETY: as the caller vouches; ParameterType selects the member of the union that holds.
    unsafe {
        let data = (*parameter).ParameterData;
        match (*parameter).ParameterType {
            sys::NdisParameterInteger | sys::NdisParameterHexInteger => {
                Some(RegistryValue::Integer(data.IntegerData))
            }
            sys::NdisParameterString => text(&raw const data.StringData).map(RegistryValue::Text),
            _ => None,
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisCloseConfiguration(configuration: NDIS_HANDLE) {
    thread::ndis_call(sys::PASSIVE_LEVEL, "NdisCloseConfiguration");
    let world = thread::world();
    let mut state = world.state();
    if state
        .kernel
        .configurations
        .remove(&configuration.addr())
        .is_none()
    {
        state.violation(
            Rule::Once,
            "configuration",
            "closed although it is not open",
        );
    }
}

super::exports! {
    NdisOpenConfigurationEx
    NdisReadConfiguration
    NdisWriteConfiguration
    NdisCloseConfiguration
}
