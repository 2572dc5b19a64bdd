//! The blocks of a pcapng file (IETF draft-ietf-opsawg-pcapng).
//!
//! The reader decodes only the fields that a packet needs. Text need not be UTF-8, and a malformed
//! option is skipped: neither makes the packets beside it unreadable.

use std::io::Read;
use std::time::Duration;

use super::Fault;
use super::bytes::{Bytes, Order};
use super::record::Record;

/// The type of a section header, the same in both byte orders.
pub(super) const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Bytes of a block besides its body: type, length, and length again.
const FRAME: usize = 12;
const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const OPTION_FLAGS: u16 = 2;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_FCS: u16 = 13;
const OPTION_TIME_OFFSET: u16 = 14;
const MOST_INTERFACES: usize = 1 << 16;

/// The state of a section.
pub(super) struct Section {
    order: Order,
    interfaces: Vec<Interface>,
}

struct Interface {
    link: u32,
    snap: usize,
    fcs: usize,
    /// As the option has it: a power of 10, or with the top bit of 2.
    resolution: u8,
    /// Seconds that are to be added to each time.
    offset: i64,
}

impl Section {
    pub(super) fn new() -> Self {
        Self {
            order: Order::Little,
            interfaces: Vec::new(),
        }
    }

    /// Takes a block whose first 4 bytes are `kind`; the packet, where it holds one.
    pub(super) fn block<R: Read>(
        &mut self,
        bytes: &mut Bytes<R>,
        kind: Vec<u8>,
        start: u64,
    ) -> Result<Option<Record>, Fault> {
        let corrupt = |reason: String| Fault::Corrupt {
            offset: start,
            reason,
        };
        let length = bytes.exactly(4, start)?;
        let mut taken = 0;
        let is_section = self.order.u32(&kind, 0) == SECTION;
        if is_section {
            let magic = bytes.exactly(4, start)?;
            taken = magic.len();
            self.order = match magic[..] {
                [0x1A, 0x2B, 0x3C, 0x4D] => Order::Big,
                [0x4D, 0x3C, 0x2B, 0x1A] => Order::Little,
                _ => return Err(corrupt("a section without a byte order".to_owned())),
            };
            self.interfaces.clear();
        }
        let (kind, length) = (
            self.order.u32(&kind, 0),
            self.order.u32(&length, 0) as usize,
        );
        let body = length.checked_sub(FRAME + taken);
        let Some(body) = body.filter(|_| length.is_multiple_of(4)) else {
            return Err(corrupt(format!("a block of {length} bytes")));
        };
        let wanted = matches!(
            kind,
            INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
        );
        let body = if wanted {
            bytes.exactly(body, start)?
        } else {
            bytes.skip(body, start)?;
            Vec::new()
        };
        let again = self.order.u32(&bytes.exactly(4, start)?, 0) as usize;
        if again != length {
            return Err(corrupt(format!("its lengths are {length} and {again}")));
        }
        match kind {
            INTERFACE => self.interface(&body).map(|()| None).map_err(corrupt),
            SIMPLE_PACKET => self.simple(&body).map(Some).map_err(corrupt),
            ENHANCED_PACKET => {
                let interface = self.order.u32(&body, 0) as usize;
                self.packet(&body, interface).map(Some).map_err(corrupt)
            }
            OBSOLETE_PACKET => {
                let interface = self.order.u16(&body, 0).into();
                self.packet(&body, interface).map(Some).map_err(corrupt)
            }
            _ => Ok(None),
        }
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), String> {
        if self.interfaces.len() == MOST_INTERFACES {
            return Err(format!("more than {MOST_INTERFACES} interfaces"));
        }
        let mut interface = Interface {
            link: self.order.u16(body, 0).into(),
            snap: self.order.u32(body, 4) as usize,
            fcs: 0,
            resolution: 6,
            offset: 0,
        };
        for (code, value) in options(self.order, body.get(8..).unwrap_or_default()) {
            match (code, value) {
                (OPTION_RESOLUTION, [resolution, ..]) => interface.resolution = *resolution,
                (OPTION_FCS, [length, ..]) => interface.fcs = fcs_bytes(*length),
                (OPTION_TIME_OFFSET, [_, _, _, _, _, _, _, _, ..]) => {
                    interface.offset = self.order.i64(value, 0);
                }
                _ => {}
            }
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn described(&self, interface: usize) -> Result<&Interface, String> {
        let known = self.interfaces.get(interface);
        known.ok_or_else(|| format!("interface {interface} is not described"))
    }

    fn simple(&self, body: &[u8]) -> Result<Record, String> {
        let interface = self.described(0)?;
        let original = self.order.u32(body, 0) as usize;
        let data = body.get(4..).unwrap_or_default();
        let most = if original > data.len() && interface.snap > 0 {
            interface.snap
        } else {
            original
        };
        Ok(Record {
            link: interface.link,
            data: data[..most.min(data.len())].to_vec(),
            original,
            fcs: interface.fcs,
            timestamp: Duration::ZERO,
            comments: Vec::new(),
        })
    }

    /// A packet of both kinds that have a time.
    fn packet(&self, body: &[u8], interface: usize) -> Result<Record, String> {
        let interface = self.described(interface)?;
        let word = |at| self.order.u32(body, at);
        let time = u64::from(word(4)) << 32 | u64::from(word(8));
        let captured = word(12) as usize;
        let data = body.get(20..).and_then(|rest| rest.get(..captured));
        let Some(data) = data else {
            return Err(format!("a packet of {captured} bytes does not fit it"));
        };
        let rest = 20 + captured.next_multiple_of(4);
        let (mut fcs, mut comments) = (interface.fcs, Vec::new());
        for (code, value) in options(self.order, body.get(rest..).unwrap_or_default()) {
            match code {
                OPTION_COMMENT => comments.push(String::from_utf8_lossy(value).into_owned()),
                // Bits 5 to 8: bytes of frame check sequence, 0 where that is not known.
                OPTION_FLAGS if value.len() >= 4 => {
                    let length = (self.order.u32(value, 0) >> 5 & 0xF) as usize;
                    fcs = if length > 0 { length } else { fcs };
                }
                _ => {}
            }
        }
        Ok(Record {
            link: interface.link,
            data: data.to_vec(),
            original: word(16) as usize,
            fcs,
            timestamp: interface.time(time),
            comments,
        })
    }
}

impl Interface {
    /// The time since 1970 that `raw` units are; where that is none that can be written, the
    /// nearest.
    fn time(&self, raw: u64) -> Duration {
        let (raw, power) = (i128::from(raw), u32::from(self.resolution & 0x7F));
        let nanoseconds = match self.resolution & 0x80 {
            0 if power <= 9 => raw * 10_i128.pow(9 - power),
            0 => 10_i128.checked_pow(power - 9).map_or(0, |unit| raw / unit),
            _ => (raw * 1_000_000_000) >> power.min(126),
        };
        let time = nanoseconds + i128::from(self.offset) * 1_000_000_000;
        Duration::from_nanos(time.clamp(0, u64::MAX.into()) as u64)
    }
}

/// Bytes of frame check sequence. The format's draft specifies bits, but its example of 4 can only
/// mean bytes.
fn fcs_bytes(stated: u8) -> usize {
    match stated {
        8.. => usize::from(stated / 8),
        _ => stated.into(),
    }
}

/// The options in `bytes`, up to the last whole one.
fn options(order: Order, mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (code, length) = (order.u16(bytes, 0), usize::from(order.u16(bytes, 2)));
        let value = bytes.get(4..)?.get(..length)?;
        bytes = bytes
            .get(4 + length.next_multiple_of(4)..)
            .unwrap_or_default();
        (code != OPTION_END).then_some((code, value))
    })
}
