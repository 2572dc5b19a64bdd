//! The faults: which instruction touched which block.
#![expect(unsafe_code, reason = "handles signals")]

use std::{
    mem::MaybeUninit,
    ops::Range,
    ptr,
    sync::{Mutex, MutexGuard, TryLockError},
    time::Duration,
};

use super::{BLOCKS, CHOICE, EXIT, Guarded, IMAGE, pages};

/// Installs the handler.
pub(super) fn install() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
        // SAFETY: the action is complete: a handler of that kind, its flags, an empty mask.
        unsafe {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            action.sa_sigaction = handle as *const () as usize;
            // On the thread's own stack: the reports need more than a signal stack has. A driver
            // that overflows its stack ends the process without a report of ours.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }
}

/// A lock for a thread that is about to die: whoever has it gets a moment to let it go.
fn lock_soon<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    for _ in 0..100 {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    None
}

/// The processor's account of a fault.
#[derive(Default)]
struct Trap {
    /// The address of the instruction.
    instruction: usize,
    writes: bool,
    /// Whether the address is none that the processor has: its upper bits are not all alike.
    no_address: bool,
}

/// Reads the processor's account of a fault.
///
/// # Safety
/// `context` is the context that the system passed to the handler.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
unsafe fn trap(context: *const libc::c_void) -> Trap {
    const WRITES: i64 = 2;
    const GENERAL_PROTECTION: i64 = 13;
    // SAFETY: the context of a signal is a ucontext.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    Trap {
        instruction: registers[libc::REG_RIP as usize] as usize,
        writes: registers[libc::REG_ERR as usize] & WRITES != 0,
        no_address: registers[libc::REG_TRAPNO as usize] == GENERAL_PROTECTION,
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
unsafe fn trap(_context: *const libc::c_void) -> Trap {
    Trap::default()
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system passes both.
    let (address, trap) = unsafe { ((*info).si_addr().addr(), trap(context)) };
    let instruction = trap.instruction;
    let image = lock_soon(&IMAGE).map_or(0..0, |image| image.clone());
    let by_driver = image.is_empty() || image.contains(&instruction);
    let memory = [libc::SIGSEGV, libc::SIGBUS].contains(&signal);
    if memory && !by_driver && reopen(address) {
        return;
    }
    let actor = if image.contains(&instruction) {
        format!("the driver at RVA {:#x}", instruction - image.start)
    } else {
        format!("code at {instruction:#x}, called by the driver")
    };
    let found = match signal {
        libc::SIGILL => format!("{actor} executes an invalid instruction"),
        libc::SIGFPE => format!("{actor} divides by zero"),
        _ if trap.no_address => format!(
            "{actor} uses a pointer that is no address: it comes from memory that was never \
             initialized, or from an NBL that the driver does not own"
        ),
        _ => describe(&actor, address, trap.writes, &image),
    };
    end(&found);
}

/// The model itself touches a block that the driver must not: it may.
fn reopen(address: usize) -> bool {
    let Some(mut blocks) = lock_soon(&BLOCKS) else {
        return false;
    };
    let block = blocks.range_mut(..=address).next_back();
    let mine = block
        .map(|(_, block)| block)
        .filter(|block| block.closed.is_some_and(|why| why != "freed"))
        .filter(|block| block.pages.contains(&address));
    mine.map(|block| block.set_accessible(true)).is_some()
}

/// The block that `address` lies in, or just behind.
fn find(blocks: &std::collections::BTreeMap<usize, Guarded>, address: usize) -> Option<&Guarded> {
    let (_, block) = blocks.range(..=address).next_back()?;
    (address < block.pages.end + pages::PAGE).then_some(block)
}

/// The access in words.
fn describe(actor: &str, address: usize, writes: bool, image: &Range<usize>) -> String {
    let how = if writes { "writes" } else { "reads" };
    let blocks = lock_soon(&BLOCKS);
    let Some(blocks) = blocks else {
        return format!("{actor} {how} {address:#x}");
    };
    // A page before a block is behind the one before it: the nearer one is meant.
    let before = blocks.range(address..).next().map(|(_, block)| block);
    let before = before.filter(|block| block.start - address <= pages::PAGE / 2);
    let found = find(&blocks, address);
    let closed = found.filter(|block| block.pages.contains(&address));
    let near = closed.or(before).or(found);
    let Some(block) = near else {
        return format!("{actor} {how} {}", foreign(address, image));
    };
    let size = block.size;
    let state = block.closed.map_or_else(String::new, |why| match why {
        "freed" => " that was freed".into(),
        why => format!(", {why}"),
    });
    let place = if address < block.start {
        format!("{} bytes before it", block.start - address)
    } else if address >= block.start + size {
        format!("{} bytes behind its end", address - block.start - size)
    } else {
        format!("at offset {}", address - block.start)
    };
    format!("{actor} {how} a block of {size} bytes{state}, {place}")
}

/// An address that is in no block.
fn foreign(address: usize, image: &Range<usize>) -> String {
    if address < 1 << 16 {
        format!("through a null pointer, at {address:#x}")
    } else if image.contains(&address) {
        format!("its own image at RVA {:#x}", address - image.start)
    } else {
        format!("{address:#x}, which is no memory of the driver's")
    }
}

/// See [`super::check_access`].
pub(super) fn check_access(start: usize, length: usize, writes: bool) {
    let found = {
        let Some(blocks) = lock_soon(&BLOCKS) else {
            return;
        };
        let Some(block) = find(&blocks, start) else {
            return;
        };
        let outside = start < block.start || start + length > block.start + block.size;
        if !block.pages.contains(&start) || block.closed.is_none() && !outside {
            return;
        }
        // The first byte that is not the driver's.
        match block.closed {
            Some(_) => start,
            None if start < block.start => start,
            None => start.max(block.start + block.size),
        }
    };
    let actor = "the driver, in a memory routine,";
    let image = lock_soon(&IMAGE).map_or(0..0, |image| image.clone());
    end(&describe(actor, found, writes, &image));
}

/// Seconds after which the process ends without its report. The driver may have destroyed what the
/// report needs, such as the heap, or have faulted in the middle of it.
const REPORT_TIME: u32 = 5;

/// Ends the process with its driver.
fn end(found: &str) -> ! {
    // SAFETY: the default action of the alarm ends the process.
    unsafe {
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        libc::alarm(REPORT_TIME);
    }
    if let Some(Some(choice)) = CHOICE.get() {
        (choice.on_fault)(found);
    }
    // SAFETY: the process ends, without running anything more of the driver's.
    unsafe { libc::_exit(EXIT) }
}
