//! The parts of an image's file that the loader needs, each checked to lie within the file or the
//! image.

use std::ops::Range;

use object::{
    LittleEndian as LE,
    pe::{self, ImageNtHeaders64},
    read::pe::{Import as PeImport, PeFile64},
};

use crate::error::Fault;

/// An image's parts.
pub(crate) struct Parts<'file> {
    file: PeFile64<'file>,
    pub(crate) headers: &'file [u8],
    pub(crate) sections: Vec<Section<'file>>,
    /// Bytes of memory that the image takes.
    pub(crate) size: usize,
    pub(crate) preferred_base: u64,
    /// RVA of the entry point.
    pub(crate) entry: usize,
}

/// One section: its address, its contents, and its protection.
pub(crate) struct Section<'file> {
    pub(crate) start: usize,
    /// Bytes in memory.
    pub(crate) size: usize,
    /// Bytes in the file; the rest is zero.
    pub(crate) data: &'file [u8],
    pub(crate) characteristics: u32,
}

/// One import, by name.
pub(crate) struct Import {
    pub(crate) module: String,
    pub(crate) name: String,
    /// RVA of the address that the image calls through.
    pub(crate) slot: usize,
}

fn broken(error: impl ToString) -> Fault {
    Fault::NotAnImage(error.to_string())
}

impl<'file> Parts<'file> {
    /// Finds and checks the parts of the image in `bytes`.
    pub(crate) fn of(bytes: &'file [u8]) -> Result<Self, Fault> {
        let file = PeFile64::parse(bytes).map_err(broken)?;
        let nt: &ImageNtHeaders64 = file.nt_headers();
        let optional = &nt.optional_header;
        if nt.file_header.machine.get(LE) != pe::IMAGE_FILE_MACHINE_AMD64 {
            return Err(broken("another processor's"));
        }
        if optional.subsystem.get(LE) != pe::IMAGE_SUBSYSTEM_NATIVE {
            return Err(Fault::NotADriver("its subsystem is not native"));
        }
        let size = optional.size_of_image.get(LE) as usize;
        let header_size = optional.size_of_headers.get(LE) as usize;
        let headers = bytes
            .get(..header_size)
            .ok_or_else(|| broken("truncated headers"))?;
        let sections = sections(&file, bytes, size)?;
        let entry = optional.address_of_entry_point.get(LE) as usize;
        let runs = |section: &Section<'_>| {
            section.characteristics & pe::IMAGE_SCN_MEM_EXECUTE.0 != 0
                && (section.start..section.start + section.data.len()).contains(&entry)
        };
        if !sections.iter().any(runs) {
            return Err(Fault::NotADriver("its entry point is not in code"));
        }
        if header_size > size || !sections.iter().all(|section| section.start >= header_size) {
            return Err(broken("sections over headers"));
        }
        Ok(Self {
            headers,
            sections,
            size,
            preferred_base: optional.image_base.get(LE),
            entry,
            file,
        })
    }

    /// Where the image's executable sections are.
    pub(crate) fn code(&self) -> Vec<Range<usize>> {
        let executable =
            |section: &&Section<'_>| section.characteristics & pe::IMAGE_SCN_MEM_EXECUTE.0 != 0;
        let sections = self.sections.iter().filter(executable);
        sections
            .map(|one| one.start..one.start + one.size)
            .collect()
    }

    /// RVA of the secret that checks of stack frames use, if the image has one.
    pub(crate) fn cookie(&self) -> Option<usize> {
        /// Where the load configuration has its size, and the address of the secret.
        const SIZE: usize = 0;
        const COOKIE: usize = 0x58;
        let directory = self
            .file
            .data_directory(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG)?;
        let config = directory
            .data(self.file.data(), &self.file.section_table())
            .ok()?;
        let size = config.get(SIZE..SIZE + 4)?;
        let size = u32::from_le_bytes(size.try_into().ok()?) as usize;
        let address = config
            .get(COOKIE..COOKIE + 8)
            .filter(|_| size >= COOKIE + 8)?;
        let address = u64::from_le_bytes(address.try_into().ok()?);
        usize::try_from(address.checked_sub(self.preferred_base)?).ok()
    }

    /// RVAs of the addresses to be moved with the image.
    pub(crate) fn relocations(&self) -> Result<Vec<usize>, Fault> {
        let directories = self.file.data_directories();
        let blocks = directories
            .relocation_blocks(self.file.data(), &self.file.section_table())
            .map_err(broken)?
            .ok_or(Fault::NoRelocations)?;
        let mut places = Vec::new();
        let mut blocks = blocks;
        while let Some(block) = blocks.next().map_err(broken)? {
            for relocation in block {
                let at = relocation.virtual_address as usize;
                match relocation.typ {
                    pe::IMAGE_REL_BASED_DIR64 => places.push(at),
                    pe::IMAGE_REL_BASED_ABSOLUTE => {}
                    _ => return Err(Fault::Relocation(at)),
                }
            }
        }
        Ok(places)
    }

    /// The image's imports.
    pub(crate) fn imports(&self) -> Result<Vec<Import>, Fault> {
        let mut imports = Vec::new();
        let Some(table) = self.file.import_table().map_err(broken)? else {
            return Ok(imports);
        };
        let mut descriptors = table.descriptors().map_err(broken)?;
        while let Some(descriptor) = descriptors.next().map_err(broken)? {
            let module = table.name(descriptor.name.get(LE)).map_err(broken)?;
            let module = String::from_utf8_lossy(module).into_owned();
            let lookup = descriptor.original_first_thunk.get(LE);
            let mut thunks = table.thunks(lookup).map_err(broken)?;
            let mut slot = descriptor.first_thunk.get(LE) as usize;
            while let Some(thunk) = thunks.next::<ImageNtHeaders64>().map_err(broken)? {
                match table.import::<ImageNtHeaders64>(thunk).map_err(broken)? {
                    PeImport::Name(_, name) => imports.push(Import {
                        module: module.clone(),
                        name: String::from_utf8_lossy(name).into_owned(),
                        slot,
                    }),
                    PeImport::Ordinal(_) => return Err(Fault::Imports),
                }
                slot += 8;
            }
        }
        Ok(imports)
    }
}

/// The sections, each within the file and within the image.
fn sections<'file>(
    file: &PeFile64<'file>,
    bytes: &'file [u8],
    size: usize,
) -> Result<Vec<Section<'file>>, Fault> {
    let mut sections = Vec::new();
    for header in file.section_table().iter() {
        let start = header.virtual_address.get(LE) as usize;
        let in_memory = header.virtual_size.get(LE) as usize;
        let offset = header.pointer_to_raw_data.get(LE) as usize;
        let length = (header.size_of_raw_data.get(LE) as usize).min(in_memory);
        let data = offset
            .checked_add(length)
            .and_then(|end| bytes.get(offset..end))
            .ok_or_else(|| broken("truncated section"))?;
        if start.checked_add(in_memory).is_none_or(|end| end > size) || !start.is_multiple_of(PAGE)
        {
            return Err(broken("section outside of the image"));
        }
        sections.push(Section {
            start,
            size: in_memory,
            data,
            characteristics: header.characteristics.get(LE).0,
        });
    }
    Ok(sections)
}

/// Sections start on pages, so that each can be protected.
const PAGE: usize = 4096;
