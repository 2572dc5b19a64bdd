//! Delivery to a station's stack: whole, as between two guests of a virtual switch, or cut where
//! that stack would not accept it whole.

use model::layout;

use super::packet::Message;
use super::vnet::{Segments, VnetHeader, room_hint};
use reference::cut_any_tunnel;

/// The frames in which a station gets a packet that another's stack sent. `None` where that is a
/// large send that cannot be cut.
///
/// A virtio-net header cannot mark a large send as one in a tunnel, and Linux drops one without the
/// mark that a tunnel's socket receives (`udp_unexpected_gso`), so such sends are cut.
pub fn delivery(frame: &[u8], header: VnetHeader) -> Option<Vec<Message<'_>>> {
    if is_in_tunnel(frame, header) {
        let packets = cut(frame, header)?;
        return Some(packets.into_iter().map(Message::of).collect());
    }
    let headers = match header.segments {
        Segments::None => header.headers,
        _ => room_hint(frame.len(), usize::from(header.headers)),
    };
    Some(vec![Message {
        header: VnetHeader { headers, ..header },
        front: Vec::new(),
        rest: vec![frame],
    }])
}

/// Whether a packet is a large send whose segmented header is not its outermost.
fn is_in_tunnel(frame: &[u8], header: VnetHeader) -> bool {
    let outermost = || layout(frame).map(|found| found.transport);
    let segmented = header.checksum_from.map(usize::from);
    header.segments != Segments::None && segmented.is_some() && segmented != outermost()
}

/// The packets of a large send in a tunnel, as a virtual switch cuts what its NIC cannot.
pub fn cut(frame: &[u8], header: VnetHeader) -> Option<Vec<Vec<u8>>> {
    let transport = header.checksum_from?.into();
    cut_any_tunnel(frame, transport, header.segment_size.into()).ok()
}
