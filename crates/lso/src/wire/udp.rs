//! UDP (RFC 768).

use super::Field;

pub(crate) const DESTINATION: Field = 2..4;
pub(crate) const UDP_LENGTH: Field = 4..6;
pub(crate) const CHECKSUM: Field = 6..8;
pub(crate) const LENGTH: usize = 8;
