//! Loads the finished `mslso.sys` into this process, as the Windows loader does into the kernel.
//!
//! [`Image::load`] reads the file with the crate `object`, maps it with its sections' protections,
//! applies its relocations, and binds its imports to the model's routines of the same names. The
//! result is the entry point, to be given to a model like that of the filter linked natively: the
//! very file that is installed runs in the tests.
//!
//! The driver's code is for x86-64 and is run as it is, so the host must be x86-64.
#![expect(unsafe_code, reason = "maps an image and calls into it")]

mod error;
mod gaps;
mod parts;

use std::fs::File;
use std::io::Read;
use std::{ops::Range, path::Path};

use ndis::sys::DRIVER_INITIALIZE;
use object::pe;
use region::{Allocation, Protection};

pub use error::{Fault, LoadError};
pub use gaps::OnMissing;
use parts::Parts;

/// Most bytes of a file that are read: beyond any driver, and a bound on a device without an end.
const MOST: u64 = 256 << 20;

/// The secret of the stack checks: not the linker's 0x2B992DDFA232, and of 48 bits like it.
const COOKIE: u64 = 0x5EC3_E70F_57AC;

/// An image in this process. The code of a driver goes with it: it must outlive the model.
pub struct Image {
    memory: Allocation,
    entry: usize,
    /// Where its executable sections are.
    code: Vec<Range<usize>>,
    writable_code: bool,
    /// Stand-ins for routines that the model does not have.
    _gaps: Option<Allocation>,
}

// SAFETY: once loaded, the memory is only executed, and changed by the driver's code alone.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    /// Loads the image in the file at `path`.
    ///
    /// # Errors
    /// The fault in the file, the image, or this machine.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        Self::load_file(path, None)
    }

    /// The same of an image that may import routines which the model does not have, as long as it
    /// does not call them: `on_missing` is called then.
    ///
    /// # Errors
    /// The fault in the file, the image, or this machine.
    pub fn load_with_gaps(
        path: impl AsRef<Path>,
        on_missing: OnMissing,
    ) -> Result<Self, LoadError> {
        Self::load_file(path.as_ref(), Some(on_missing))
    }

    fn load_file(path: &Path, on_missing: Option<OnMissing>) -> Result<Self, LoadError> {
        let read = || {
            let mut file = Vec::new();
            File::open(path)?.take(MOST).read_to_end(&mut file)?;
            Ok(file)
        };
        read()
            .map_err(Fault::Read)
            .and_then(|file| Self::map(&file, on_missing))
            .map_err(|fault| LoadError::new(path, fault))
    }

    /// Loads the image in `file`.
    ///
    /// # Errors
    /// The fault in the image or this machine.
    pub fn from_bytes(file: &[u8]) -> Result<Self, Fault> {
        Self::map(file, None)
    }

    fn map(file: &[u8], on_missing: Option<OnMissing>) -> Result<Self, Fault> {
        if !cfg!(target_arch = "x86_64") {
            return Err(Fault::Host);
        }
        let parts = Parts::of(file)?;
        let memory = region::alloc(parts.size, Protection::READ_WRITE).map_err(Fault::Map)?;
        let mut image = Self {
            memory,
            entry: parts.entry,
            code: Vec::new(),
            writable_code: false,
            _gaps: None,
        };
        image.copy_sections(&parts);
        image.relocate(&parts)?;
        image.set_cookie(&parts);
        image.lead_to_shared_page(&parts);
        image.bind(&parts, on_missing)?;
        image.protect(&parts)?;
        image.code = parts.code();
        image.writable_code = parts
            .sections
            .iter()
            .any(|section| protection(section.characteristics) == Protection::READ_WRITE_EXECUTE);
        let start = image.memory.as_ptr::<u8>().addr();
        model::guard::set_image(start..start + image.memory.len());
        Ok(image)
    }

    /// The bytes of the image's code, a part for each executable section.
    pub fn code(&self) -> impl Iterator<Item = &[u8]> {
        self.code.iter().map(|range| {
            let start = self.memory.as_ptr::<u8>().wrapping_add(range.start);
            // SAFETY: the range is that of a section, which lies in the image and is readable.
            unsafe { std::slice::from_raw_parts(start, range.len()) }
        })
    }

    /// Whether a section is both executable and writable.
    pub fn has_writable_code(&self) -> bool {
        self.writable_code
    }

    /// The driver's entry point, to be called while this image lives.
    pub fn entry(&self) -> DRIVER_INITIALIZE {
        let address = self.memory.as_ptr::<u8>().wrapping_add(self.entry);
        // SAFETY: `Parts::of` found the entry point within an executable section; a driver's
        // image has a DriverEntry there. The convention is that of x64 Windows.
        unsafe { std::mem::transmute::<*const u8, DRIVER_INITIALIZE>(address) }
    }

    /// The image's memory while nothing of it runs yet.
    fn bytes(&mut self) -> &mut [u8] {
        let (start, length) = (self.memory.as_mut_ptr::<u8>(), self.memory.len());
        // SAFETY: the allocation is readable and writable until `protect`, zeroed, and ours alone.
        unsafe { std::slice::from_raw_parts_mut(start, length) }
    }

    fn copy_sections(&mut self, parts: &Parts<'_>) {
        let memory = self.bytes();
        memory[..parts.headers.len()].copy_from_slice(parts.headers);
        for section in &parts.sections {
            let to = &mut memory[section.start..section.start + section.data.len()];
            to.copy_from_slice(section.data);
        }
    }

    fn relocate(&mut self, parts: &Parts<'_>) -> Result<(), Fault> {
        let base = self.memory.as_ptr::<u8>() as u64;
        let delta = base.wrapping_sub(parts.preferred_base);
        for at in parts.relocations()? {
            let place = self
                .bytes()
                .get_mut(at..at + 8)
                .ok_or(Fault::Relocation(at))?;
            let value = u64::from_le_bytes(place.try_into().expect("eight bytes"));
            place.copy_from_slice(&value.wrapping_add(delta).to_le_bytes());
        }
        Ok(())
    }

    /// Gives the checks of stack frames their secret, as the kernel's loader does: a driver does not
    /// start with the one that the linker has left.
    fn set_cookie(&mut self, parts: &Parts<'_>) {
        let cookie = parts.cookie().and_then(|at| Some(at..at.checked_add(8)?));
        if let Some(place) = cookie.and_then(|range| self.bytes().get_mut(range)) {
            place.copy_from_slice(&COOKIE.to_le_bytes());
        }
    }

    /// Has the code that reads the page at a fixed address of the kernel read the model's page.
    fn lead_to_shared_page(&mut self, parts: &Parts<'_>) {
        let address = model::shared_page::ADDRESS.to_le_bytes();
        let page = model::shared_page::start().addr() as u64;
        for range in parts.code() {
            let code = &mut self.bytes()[range];
            // All bytes of the address but the lowest two, which are those of an offset.
            let places = code.windows(8).enumerate().filter(|(_, bytes)| {
                bytes[2..] == address[2..] && usize::from(bytes[1]) < model::shared_page::SIZE >> 8
            });
            let places: Vec<_> = places.map(|(at, _)| at).collect();
            for at in places {
                let offset = u16::from_le_bytes([code[at], code[at + 1]]);
                let place = page + u64::from(offset);
                code[at..at + 8].copy_from_slice(&place.to_le_bytes());
            }
        }
    }

    fn bind(&mut self, parts: &Parts<'_>, on_missing: Option<OnMissing>) -> Result<(), Fault> {
        let (mut missing, mut slots) = (Vec::new(), Vec::new());
        for import in parts.imports()? {
            match model::exports::find(&import.module, &import.name) {
                Some(address) => self.fill(import.slot, address as u64)?,
                None => {
                    missing.push((import.module, import.name));
                    slots.push(import.slot);
                }
            }
        }
        let on_missing = match (missing.is_empty(), on_missing) {
            (true, _) => return Ok(()),
            (false, None) => return Err(Fault::NoSuchImports(missing)),
            (false, Some(on_missing)) => on_missing,
        };
        let gaps = gaps::stand_ins(&missing, on_missing)?;
        for (index, slot) in slots.into_iter().enumerate() {
            self.fill(slot, gaps::address(&gaps, index))?;
        }
        self._gaps = Some(gaps);
        Ok(())
    }

    /// Writes the address that the image calls through the slot at an RVA.
    fn fill(&mut self, slot: usize, address: u64) -> Result<(), Fault> {
        let place = self.bytes().get_mut(slot..slot + 8).ok_or(Fault::Imports)?;
        place.copy_from_slice(&address.to_le_bytes());
        Ok(())
    }

    fn protect(&mut self, parts: &Parts<'_>) -> Result<(), Fault> {
        let start = self.memory.as_ptr::<u8>();
        // SAFETY: all ranges lie within the allocation, and nothing of the image runs yet.
        unsafe {
            region::protect(start, self.memory.len(), Protection::READ).map_err(Fault::Map)?;
            for section in &parts.sections {
                let first = start.add(section.start);
                region::protect(first, section.size, protection(section.characteristics))
                    .map_err(Fault::Map)?;
            }
        }
        Ok(())
    }
}

fn protection(characteristics: u32) -> Protection {
    let has = |flag: pe::SectionFlags| characteristics & flag.0 != 0;
    match (has(pe::IMAGE_SCN_MEM_WRITE), has(pe::IMAGE_SCN_MEM_EXECUTE)) {
        (false, false) => Protection::READ,
        (false, true) => Protection::READ_EXECUTE,
        (true, false) => Protection::READ_WRITE,
        (true, true) => Protection::READ_WRITE_EXECUTE,
    }
}
