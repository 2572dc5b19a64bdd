//! The memory that a send lies in, and the memory that its children take.

mod buffers;
mod chains;
mod gather_and_checksum;
mod lent_pages;
mod low_memory;
mod memory_bound;
