//! The image's load configuration, required by control-flow guard.
//!
//! The image links no library of the WDK, which has another one; were it linked, this one would
//! win, because a linker takes only symbols that are still undefined from a library. The linker
//! fills in the tables of functions whose address is taken, which are the driver's handlers, and
//! the kernel replaces the two pointers by its own checks when it loads the image (Windows
//! documentation, "PE Format", "The Load Configuration Structure").
//!
//! It is written in assembly because a field of 32 bits holds the address of a linker's symbol,
//! which no Rust constant can express.

use core::arch::global_asm;

global_asm!(
    r#"
    .section .00cfg,"dr"
    .p2align 3
    .globl __guard_check_icall_fptr
__guard_check_icall_fptr:
    .quad mslso_guard_check_nop
    .globl __guard_dispatch_icall_fptr
__guard_dispatch_icall_fptr:
    .quad mslso_guard_dispatch_nop

    .section .rdata,"dr"
    .p2align 3
    .globl _load_config_used
_load_config_used:
    .long 320                           // Size
    .zero 108                           // up to GuardCFCheckFunctionPointer
    .quad __guard_check_icall_fptr
    .quad __guard_dispatch_icall_fptr
    .quad __guard_fids_table
    .quad __guard_fids_count
    .long __guard_flags
    .zero 12                            // CodeIntegrity
    .quad __guard_iat_table
    .quad __guard_iat_count
    .quad __guard_longjmp_table
    .quad __guard_longjmp_count
    .zero 72                            // up to GuardEHContinuationTable
    .quad __guard_eh_cont_table
    .quad __guard_eh_cont_count
    .zero 40
    .text
"#
);

// Until the kernel replaces the two pointers, a check accepts every target, and a dispatch goes to
// its target.
#[cfg(target_arch = "x86_64")]
global_asm!(
    r#"
    .text
    .p2align 4
mslso_guard_check_nop:
    ret
    .p2align 4
mslso_guard_dispatch_nop:
    jmp *%rax
"#,
    options(att_syntax)
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    r#"
    .text
    .p2align 4
mslso_guard_check_nop:
    ret
    .p2align 4
mslso_guard_dispatch_nop:
    br x9
"#
);
