//! The reference against what can be said without it: every packet parses
//! strictly, every checksum holds by another computation, the payload comes
//! out whole, and nothing changes that may not.

mod check;
mod cross;
mod machine;
mod strategy;
mod tcp;
mod tunnel;
mod udp;
