//! Two symbols that the C runtime provides otherwise. They are written in assembly because a Rust
//! symbol under a fixed name would be exported from the image.
//!
//! `_fltused` marks an image that uses floating point, which LLVM's code for this target may ask
//! for. `__CxxFrameHandler3` is what the precompiled `core` names for unwinding; the image is built
//! with `panic = "abort"`, so nothing unwinds, and the image checks see that no function uses it.

use core::arch::global_asm;

global_asm!(
    r#"
    .section .rdata,"dr"
    .globl _fltused
_fltused:
    .long 0
    .text
    .globl __CxxFrameHandler3
__CxxFrameHandler3:
    ret
"#
);
