//! One packet of a capture file, in what both formats have in common.

use std::time::Duration;

use pcap_file::DataLink;

use super::{Captured, Fault, link};

/// A packet as its file has it.
pub(super) struct Record {
    pub(super) link: u32,
    pub(super) data: Vec<u8>,
    /// Length of the frame before any snap length, in bytes.
    pub(super) original: usize,
    /// Bytes of frame check sequence at its end.
    pub(super) fcs: usize,
    pub(super) timestamp: Duration,
    pub(super) comments: Vec<String>,
}

impl Record {
    /// The packet as number `packet` of its file, from 1.
    pub(super) fn into_captured(self, packet: usize) -> Result<Captured, Fault> {
        let mss = mss(&self.comments).map_err(|comment| Fault::BadMss { packet, comment })?;
        let (captured, original) = (self.data.len(), self.original);
        if captured < original {
            return Err(Fault::Snapped {
                packet,
                captured,
                original,
            });
        }
        let mut data = self.data;
        data.truncate(captured.saturating_sub(self.fcs));
        let bytes = link::ethernet(self.link, data).map_err(|_| Fault::NotEthernet {
            packet,
            link_type: DataLink::from(self.link),
        })?;
        Ok(Captured {
            bytes,
            mss,
            timestamp: self.timestamp,
        })
    }
}

/// The first word `mss=N` of the comments, without what may end a sentence or a text. A word `mss=` without a number is
/// an error: as "no MSS" it would let a large send pass as a small packet.
fn mss(comments: &[String]) -> Result<Option<u32>, String> {
    let mut words = comments
        .iter()
        .flat_map(|c| c.split_whitespace().map(move |word| (c, word)));
    let found = words.find_map(|(comment, word)| Some((comment, word.strip_prefix("mss=")?)));
    let Some((comment, number)) = found else {
        return Ok(None);
    };
    let number = number.trim_end_matches(|end: char| !end.is_ascii_alphanumeric());
    number.parse().map(Some).map_err(|_| comment.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mss_of(comments: &[&str]) -> Result<Option<u32>, String> {
        mss(&comments.iter().map(|&c| c.into()).collect::<Vec<_>>())
    }

    #[test]
    fn mss_comments() {
        assert_eq!(mss_of(&[]), Ok(None));
        assert_eq!(mss_of(&["from the guest", "mss=1448"]), Ok(Some(1448)));
        assert_eq!(mss_of(&["flow 3 mss=0 of 2"]), Ok(Some(0)));
        assert_eq!(mss_of(&["no-mss=3"]), Ok(None));
        assert_eq!(mss_of(&["(mss=1448), of a guest"]), Ok(None));
        assert_eq!(mss_of(&["mss=1448, of a guest"]), Ok(Some(1448)));
        assert_eq!(mss_of(&["mss=1448\0"]), Ok(Some(1448)));
        assert_eq!(mss_of(&["mss=14k"]), Err("mss=14k".to_owned()));
        assert_eq!(mss_of(&["mss="]), Err("mss=".to_owned()));
        assert_eq!(
            mss_of(&["x mss=4294967296"]),
            Err("x mss=4294967296".to_owned())
        );
    }
}
