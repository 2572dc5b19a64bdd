//! A filter module's parameters in the registry.

use core::ptr;

use crate::{filter_module::ModuleHandle, object::header, status::Status, sys};

/// The open parameters of one filter module. IRQL PASSIVE_LEVEL throughout.
pub struct Configuration {
    handle: sys::NDIS_HANDLE,
}

impl Configuration {
    /// Opens the parameters of `module`.
    ///
    /// # Errors
    /// The status of NDIS, for example if there are none.
    pub fn open(module: ModuleHandle) -> Result<Self, Status> {
        let mut object = sys::NDIS_CONFIGURATION_OBJECT {
            Header: header(
                sys::NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
                sys::NDIS_CONFIGURATION_OBJECT_REVISION_1,
                sys::NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1,
            ),
            NdisHandle: module.raw(),
            Flags: 0,
        };
        let mut handle = ptr::null_mut();
        // SAFETY: the object names an attached or attaching module and is read during the call.
        let status = unsafe { sys::NdisOpenConfigurationEx(&raw mut object, &raw mut handle) };
        Status(status).ok()?;
        Ok(Self { handle })
    }

    /// The integer parameter `keyword`; `None` where it is missing or of another type.
    ///
    /// # Errors
    /// [`Status::RESOURCES`]: whether there is such a parameter is not known.
    pub fn integer(&self, keyword: &'static [u16]) -> Result<Option<u32>, Status> {
        let mut keyword = crate::object::unicode_string(keyword);
        let mut status = Status::RESOURCES.0;
        let mut parameter = ptr::null_mut();
        // SAFETY: the handle is open; all pointers live during the call.
        unsafe {
            sys::NdisReadConfiguration(
                &raw mut status,
                &raw mut parameter,
                self.handle,
                &raw mut keyword,
                sys::NdisParameterInteger,
            );
        }
        if Status(status) == Status::RESOURCES {
            return Err(Status::RESOURCES);
        }
        if Status(status) != Status::SUCCESS || parameter.is_null() {
            return Ok(None);
        }
        // SAFETY: on success NDIS returned a parameter that lives until the configuration is
        // closed; its type determines which member of the union is valid.
        unsafe {
            let is_integer = (*parameter).ParameterType == sys::NdisParameterInteger;
            Ok(is_integer.then(|| (*parameter).ParameterData.IntegerData))
        }
    }

    /// Writes the integer parameter `keyword`, so that it persists after the driver is unloaded.
    pub fn set_integer(&self, keyword: &'static [u16], value: u32) -> Result<(), Status> {
        let mut keyword = crate::object::unicode_string(keyword);
        let mut status = Status::RESOURCES.0;
        let mut parameter = sys::NDIS_CONFIGURATION_PARAMETER {
            ParameterType: sys::NdisParameterInteger,
            ParameterData: sys::NDIS_CONFIGURATION_PARAMETER_DATA { IntegerData: value },
        };
        // SAFETY: the handle is open; all pointers live during the call.
        unsafe {
            sys::NdisWriteConfiguration(
                &raw mut status,
                self.handle,
                &raw mut keyword,
                &raw mut parameter,
            );
        }
        Status(status).ok()
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        // SAFETY: opened in `open`, closed once.
        unsafe { sys::NdisCloseConfiguration(self.handle) };
    }
}
