//! The reference against independent checks: every packet parses strictly, every checksum holds by
//! another computation, the payload is complete, and only the fields that may change do.

mod check;
mod cross;
mod damage;
mod machine;
mod strategy;
mod tcp;
mod tunnel;
mod udp;
