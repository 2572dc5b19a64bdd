//! The parameters that NDIS passes to FilterAttach.
#![expect(unsafe_code, reason = "fills a C structure")]

use ndis::sys;

use crate::{config::Config, memory::Block};

/// The parameters with all that they point to.
pub(crate) struct AttachParameters {
    parameters: Block,
    offload: Option<Block>,
    names: [(Vec<u16>, Block); 3],
}

/// The interface index of the filter module.
pub const FILTER_IF_INDEX: u32 = 7;
/// The interface index of the miniport.
pub const MINIPORT_IF_INDEX: u32 = 5;
/// The filter module's GUID.
pub const FILTER_MODULE_GUID: &str = "{6C1B2A9E-0F6D-4A3B-9D57-3B1E4C5F7A80}";
/// The miniport's name for people.
pub const MINIPORT_INSTANCE_NAME: &str = "Model Ethernet Adapter";

/// The interface index of the driver's module on another adapter.
pub const NEIGHBOR_IF_INDEX: u32 = 27;
/// The GUID of that module.
const NEIGHBOR_MODULE_GUID: &str = "{6C1B2A9E-0F6D-4A3B-9D57-3B1E4C5F7A81}";

impl AttachParameters {
    /// The parameters for a module over a miniport whose offload configuration is `own`.
    pub(crate) fn new(config: &Config, own: &[u8]) -> Self {
        let texts = [
            FILTER_MODULE_GUID,
            MINIPORT_INSTANCE_NAME,
            "\\DEVICE\\{9B0E6D2C-58A1-4F0E-8C34-71D2B6A3E915}",
        ];
        let made = Self {
            parameters: Block::new(size_of::<sys::NDIS_FILTER_ATTACH_PARAMETERS>(), 8),
            offload: config.has_offload.then(|| Block::of(own)),
            names: texts.map(counted),
        };
        let raw = made.parameters.start().cast();
        // SAFETY: the block is new and as long as the structure.
        unsafe { made.fill(raw, config.medium) };
        made
    }

    /// # Safety
    /// `raw` points to zeroed parameters.
    unsafe fn fill(&self, raw: *mut sys::NDIS_FILTER_ATTACH_PARAMETERS, medium: i32) {
        // SAFETY: as the caller vouches.
        unsafe {
            (*raw).Header = sys::NDIS_OBJECT_HEADER {
                Type: sys::NDIS_OBJECT_TYPE_FILTER_ATTACH_PARAMETERS,
                Revision: sys::NDIS_FILTER_ATTACH_PARAMETERS_REVISION_4,
                Size: sys::NDIS_SIZEOF_FILTER_ATTACH_PARAMETERS_REVISION_4,
            };
            (*raw).IfIndex = FILTER_IF_INDEX;
            (*raw).NetLuid.Value = 0x0006_0000_0700_0000;
            (*raw).FilterModuleGuidName = self.names[0].1.start().cast();
            (*raw).BaseMiniportIfIndex = MINIPORT_IF_INDEX;
            (*raw).BaseMiniportInstanceName = self.names[1].1.start().cast();
            (*raw).BaseMiniportName = self.names[2].1.start().cast();
            (*raw).MediaConnectState = sys::MediaConnectStateConnected;
            (*raw).MediaDuplexState = sys::MediaDuplexStateFull;
            (*raw).XmitLinkSpeed = 100_000_000_000;
            (*raw).RcvLinkSpeed = 100_000_000_000;
            (*raw).MiniportMediaType = medium;
            (*raw).MiniportPhysicalMediaType = sys::NdisPhysicalMedium802_3;
            (*raw).MacAddressLength = 6;
            (*raw).CurrentMacAddress[0] = 2;
            (*raw).CurrentMacAddress[5] = 1;
            (*raw).BaseMiniportNetLuid.Value = 0x0006_0000_0500_0000;
            (*raw).LowerIfIndex = MINIPORT_IF_INDEX;
            (*raw).LowerIfNetLuid.Value = 0x0006_0000_0500_0000;
            if let Some(offload) = &self.offload {
                (*raw).DefaultOffloadConfiguration = offload.start().cast();
            }
        }
    }

    /// The same for a module on another adapter.
    pub(crate) fn of_neighbor(mut self) -> Self {
        self.names[0] = counted(NEIGHBOR_MODULE_GUID);
        self.names[1] = counted("Model Ethernet Adapter #2");
        let raw = self.raw();
        // SAFETY: the block is as long as the structure.
        unsafe {
            (*raw).IfIndex = NEIGHBOR_IF_INDEX;
            (*raw).NetLuid.Value = 0x0006_0000_2700_0000;
            (*raw).FilterModuleGuidName = self.names[0].1.start().cast();
            (*raw).BaseMiniportIfIndex = NEIGHBOR_IF_INDEX - 2;
            (*raw).BaseMiniportInstanceName = self.names[1].1.start().cast();
            (*raw).CurrentMacAddress[5] = 2;
            (*raw).BaseMiniportNetLuid.Value = 0x0006_0000_2500_0000;
            (*raw).LowerIfIndex = NEIGHBOR_IF_INDEX - 2;
            (*raw).LowerIfNetLuid.Value = 0x0006_0000_2500_0000;
        }
        self
    }

    pub(crate) fn raw(&mut self) -> *mut sys::NDIS_FILTER_ATTACH_PARAMETERS {
        self.parameters.start().cast()
    }

    /// The offload configuration as it is now; `None` where the miniport has none.
    pub(crate) fn offload(&self) -> Option<Vec<u8>> {
        self.offload.as_ref().map(Block::bytes)
    }
}

/// UTF-16 of `text`, and a UNICODE_STRING that points to it.
pub(crate) fn counted(text: &str) -> (Vec<u16>, Block) {
    let mut wide: Vec<u16> = text.encode_utf16().collect();
    let bytes = (wide.len() * 2) as u16;
    let block = Block::new(size_of::<sys::UNICODE_STRING>(), 8);
    let string = sys::UNICODE_STRING {
        Length: bytes,
        MaximumLength: bytes,
        Buffer: wide.as_mut_ptr(),
    };
    // SAFETY: the block is new and as long as the structure; the text's memory does not move with
    // the vector.
    unsafe { block.start().cast::<sys::UNICODE_STRING>().write(string) };
    (wide, block)
}

/// The text of a counted string behind which there is a NUL, as NDIS asks of the names of devices
/// and registry values (Windows driver documentation, NDIS_DEVICE_OBJECT_ATTRIBUTES,
/// NdisReadConfiguration); `None` where there is none.
///
/// # Safety
/// `string` is null or a counted string.
pub(crate) unsafe fn terminated_text(string: *const sys::UNICODE_STRING) -> Option<String> {
    // SAFETY: as the caller vouches.
    unsafe {
        let text = text(string)?;
        let units = usize::from((*string).Length / 2);
        let room = usize::from((*string).MaximumLength / 2);
        (units < room && *(*string).Buffer.add(units) == 0).then_some(text)
    }
}

/// The text of a counted string; `None` for a null pointer.
///
/// # Safety
/// `string` is null or a counted string.
pub(crate) unsafe fn text(string: *const sys::UNICODE_STRING) -> Option<String> {
    if string.is_null() {
        return None;
    }
    // SAFETY: as the caller vouches.
    unsafe {
        if (*string).Length == 0 {
            return Some(String::new());
        }
        let length = usize::from((*string).Length / 2);
        let wide = std::slice::from_raw_parts((*string).Buffer, length);
        Some(String::from_utf16_lossy(wide))
    }
}
