//! The large-send size that is advertised to the overlying driver.

mod binding;
mod migration;
mod nic_changes;
mod offload;
mod races;
