//! Stand-ins for routines that the model does not have: the driver may import what it never calls.

use std::ffi::{CString, c_char};

use region::{Allocation, Protection};

use crate::error::Fault;

/// Called in place of a routine that the model does not have, with `routine from module`.
pub type OnMissing = extern "efiapi" fn(routine: *const c_char) -> !;

/// Bytes of a stand-in.
const SIZE: usize = 32;

/// Stand-ins for `imports`, in their order: each calls `on_missing` with its name.
pub(crate) fn stand_ins(
    imports: &[(String, String)],
    on_missing: OnMissing,
) -> Result<Allocation, Fault> {
    let length = (imports.len() * SIZE).max(1);
    let mut memory = region::alloc(length, Protection::READ_WRITE).map_err(Fault::Map)?;
    let start = memory.as_mut_ptr::<u8>();
    for (index, (module, routine)) in imports.iter().enumerate() {
        let name = format!("{routine} from {module}").replace('\0', "?");
        let name = CString::new(name).unwrap_or_default().into_raw();
        // sub rsp, 40; mov rcx, NAME; mov rax, HANDLER; call rax.
        let mut code = vec![0x48, 0x83, 0xEC, 0x28, 0x48, 0xB9];
        code.extend((name.expose_provenance() as u64).to_le_bytes());
        code.extend([0x48, 0xB8]);
        code.extend((on_missing as usize as u64).to_le_bytes());
        code.extend([0xFF, 0xD0]);
        // SAFETY: the memory has `SIZE` bytes for each.
        unsafe {
            std::ptr::copy_nonoverlapping(code.as_ptr(), start.add(index * SIZE), code.len());
        }
    }
    // SAFETY: the memory is this function's own.
    unsafe { region::protect(start, length, Protection::READ_EXECUTE) }.map_err(Fault::Map)?;
    Ok(memory)
}

/// Where the stand-in of the import at `index` is.
pub(crate) fn address(memory: &Allocation, index: usize) -> u64 {
    memory.as_ptr::<u8>().wrapping_add(index * SIZE).addr() as u64
}
