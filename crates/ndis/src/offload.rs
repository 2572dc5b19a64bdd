//! NDIS_OFFLOAD: a typed copy of an offload configuration, and the buffer that NDIS lends at attach.

use core::{marker::PhantomData, ptr::NonNull};

use crate::sys;

/// The buffer is no NDIS_OFFLOAD of a revision and size that NDIS defines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// A copy of an NDIS_OFFLOAD of any revision. Fields that its revision lacks are zero, which means
/// "not supported".
#[derive(Clone, Copy)]
pub struct OffloadConfig(Content);

/// Every byte is initialized. Copies of a union keep all of its bytes, also where the structure has
/// padding.
#[derive(Clone, Copy)]
#[repr(C)]
union Content {
    bytes: [u8; OffloadConfig::CAPACITY],
    fields: sys::NDIS_OFFLOAD,
}

impl OffloadConfig {
    /// Longest NDIS_OFFLOAD that is copied whole, in bytes. Revision 7, the newest, has 216.
    pub const CAPACITY: usize = 320;

    /// A place for a configuration, without one.
    pub const fn zeroed() -> Self {
        Self(Content {
            bytes: [0; Self::CAPACITY],
        })
    }

    /// Copies the configuration in `bytes`; its header gives the length.
    pub fn copy_from(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut config = Self::zeroed();
        config.read_from(bytes)?;
        Ok(config)
    }

    /// Copies the configuration in `bytes` to `self`, which is unchanged if it is malformed: for a
    /// frame that is to have one copy only.
    #[inline(never)]
    pub fn read_from(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let &[kind, revision, low, high, ..] = bytes else {
            return Err(Malformed);
        };
        let size = u16::from_le_bytes([low, high]);
        if kind != sys::NDIS_OBJECT_TYPE_OFFLOAD
            || revision < sys::NDIS_OFFLOAD_REVISION_1
            || size < sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_1
        {
            return Err(Malformed);
        }
        let bytes = bytes.get(..usize::from(size)).ok_or(Malformed)?;
        // SAFETY: every byte of the union is initialized, and stays so.
        let copy = unsafe { &mut self.0.bytes };
        *copy = [0; Self::CAPACITY];
        for (to, from) in copy.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(())
    }

    /// Copies the configuration back to `buffer`, from which it was copied.
    pub fn copy_to(&self, buffer: &mut [u8]) {
        // SAFETY: every byte of the union is initialized.
        let copy = unsafe { &self.0.bytes };
        for (to, from) in buffer.iter_mut().zip(copy.iter().take(self.size())) {
            *to = *from;
        }
    }

    /// Whether the copy holds all of the configuration. One that is longer than
    /// [`CAPACITY`](Self::CAPACITY) has a revision newer than this driver.
    pub fn is_whole(&self) -> bool {
        self.size() <= Self::CAPACITY
    }

    /// Whether the revision has all fields of UDP segmentation, the last ones of the structure.
    pub fn has_uso(&self) -> bool {
        self.size() >= size_of::<sys::NDIS_OFFLOAD>()
    }

    /// The fields.
    pub const fn fields(&self) -> &sys::NDIS_OFFLOAD {
        // SAFETY: every byte of the union is initialized, and the fields are integers.
        unsafe { &self.0.fields }
    }

    /// The fields, to be changed.
    pub const fn fields_mut(&mut self) -> &mut sys::NDIS_OFFLOAD {
        // SAFETY: as in `fields`.
        unsafe { &mut self.0.fields }
    }

    /// The bytes to be indicated; the header gives the length.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let size = self.size();
        // SAFETY: every byte of the union is initialized.
        unsafe { &mut self.0.bytes }
            .get_mut(..size)
            .unwrap_or_default()
    }

    fn size(&self) -> usize {
        self.fields().Header.Size.into()
    }
}

/// The offload configuration that NDIS lends to FilterAttach, for the filter to modify if it needs
/// to (Windows driver documentation, NDIS_FILTER_ATTACH_PARAMETERS).
pub struct AttachOffload<'call> {
    raw: NonNull<sys::NDIS_OFFLOAD>,
    call: PhantomData<&'call mut ()>,
}

impl AttachOffload<'_> {
    /// # Safety
    /// `raw` is DefaultOffloadConfiguration of the parameters that NDIS passed to FilterAttach,
    /// which has not returned.
    pub const unsafe fn from_raw(raw: NonNull<sys::NDIS_OFFLOAD>) -> Self {
        Self {
            raw,
            call: PhantomData,
        }
    }

    /// The configuration's bytes; its header gives the length.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: lent for the call and for modification. Every NDIS object is at least as long as
        // its header, and at least as long as the size in the header.
        unsafe {
            let length = usize::from((*self.raw.as_ptr()).Header.Size);
            core::slice::from_raw_parts_mut(self.raw.as_ptr().cast(), length)
        }
    }
}
