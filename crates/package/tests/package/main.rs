//! The program and its parts, from a made image and INF to a folder and back.

mod common;

mod folder;
mod image;
mod signatures;
#[cfg(target_os = "linux")]
mod unheard;
