//! One packet of a capture file, in what both formats have in common.

use std::borrow::Cow;
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapTsResolution, RawPcapPacket};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::{ENHANCED_PACKET_BLOCK, PACKET_BLOCK, SIMPLE_PACKET_BLOCK};
use pcap_file::pcapng::{Block, PcapNgState, RawBlock};

use super::read::corrupt;
use super::{Captured, Fault};

/// What the packet blocks of both formats have in common.
pub(super) struct Record<'a> {
    link: DataLink,
    data: Cow<'a, [u8]>,
    /// Length of the frame before any snap length, in bytes.
    original: usize,
    timestamp: Duration,
    comments: Vec<Cow<'a, str>>,
}

impl<'a> Record<'a> {
    /// The packet in `block`; `None` where it holds none.
    pub(super) fn from_block(
        block: RawBlock<'a>,
        state: &PcapNgState,
        offset: usize,
    ) -> Result<Option<Self>, Fault> {
        match block.type_ {
            ENHANCED_PACKET_BLOCK | SIMPLE_PACKET_BLOCK => (),
            PACKET_BLOCK => return Err(Fault::Obsolete { offset }),
            _ => return Ok(None),
        }
        let block = block
            .try_into_block(state)
            .map_err(|e| corrupt(&e, offset))?;
        let (id, original, timestamp, data, options) = match block {
            Block::EnhancedPacket(p) => (
                p.interface_id,
                p.original_len,
                p.timestamp,
                p.data,
                p.options,
            ),
            Block::SimplePacket(p) => (0, p.original_len, Duration::ZERO, p.data, Vec::new()),
            _ => return Ok(None),
        };
        let Some(interface) = state.interfaces().get(id as usize) else {
            let reason = format!("interface {id} is not described");
            return Err(Fault::Corrupt { offset, reason });
        };
        Ok(Some(Self {
            link: interface.linktype,
            data,
            original: original as usize,
            timestamp,
            comments: options.into_iter().filter_map(comment).collect(),
        }))
    }

    /// The packet of a classic file.
    pub(super) fn from_packet(packet: RawPcapPacket<'a>, header: &PcapHeader) -> Self {
        let nanos = if header.ts_resolution == PcapTsResolution::NanoSecond {
            1
        } else {
            1_000
        };
        Self {
            link: header.datalink,
            original: packet.orig_len as usize,
            timestamp: Duration::from_secs(packet.ts_sec.into())
                + Duration::from_nanos(u64::from(packet.ts_frac) * nanos),
            comments: Vec::new(),
            data: packet.data,
        }
    }

    /// The packet as number `packet` of its file, from 1.
    pub(super) fn into_captured(self, packet: usize) -> Result<Captured, Fault> {
        if self.link != DataLink::ETHERNET {
            return Err(Fault::NotEthernet {
                packet,
                link_type: self.link,
            });
        }
        if self.data.len() < self.original {
            let (captured, original) = (self.data.len(), self.original);
            return Err(Fault::Snapped {
                packet,
                captured,
                original,
            });
        }
        let mss = mss(&self.comments).map_err(|comment| Fault::BadMss { packet, comment })?;
        Ok(Captured {
            bytes: self.data.into_owned(),
            mss,
            timestamp: self.timestamp,
        })
    }
}

fn comment(option: EnhancedPacketOption<'_>) -> Option<Cow<'_, str>> {
    match option {
        EnhancedPacketOption::Common(CommonOption::Comment(text)) => Some(text),
        _ => None,
    }
}

/// The first word `mss=N` of the comments. A word `mss=` without a number is
/// an error: as "no MSS" it would let a large send pass as a small packet.
fn mss(comments: &[Cow<'_, str>]) -> Result<Option<u32>, String> {
    let mut words = comments
        .iter()
        .flat_map(|c| c.split_whitespace().map(move |word| (c, word)));
    let found = words.find_map(|(comment, word)| Some((comment, word.strip_prefix("mss=")?)));
    let Some((comment, number)) = found else {
        return Ok(None);
    };
    number.parse().map(Some).map_err(|_| comment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mss_of(comments: &[&'static str]) -> Result<Option<u32>, String> {
        mss(&comments.iter().map(|&c| c.into()).collect::<Vec<_>>())
    }

    #[test]
    fn mss_comments() {
        assert_eq!(mss_of(&[]), Ok(None));
        assert_eq!(mss_of(&["from the guest", "mss=1448"]), Ok(Some(1448)));
        assert_eq!(mss_of(&["flow 3 mss=0 of 2"]), Ok(Some(0)));
        assert_eq!(mss_of(&["no-mss=3"]), Ok(None));
        assert_eq!(mss_of(&["mss="]), Err("mss=".to_owned()));
        assert_eq!(
            mss_of(&["x mss=4294967296"]),
            Err("x mss=4294967296".to_owned())
        );
    }
}
