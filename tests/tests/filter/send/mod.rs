//! The packets that the NIC gets for the sends that the filter is given.

mod batch;
mod captures;
mod property;
mod refuse;
mod software;
mod split;
mod tunnels;
mod udp;
