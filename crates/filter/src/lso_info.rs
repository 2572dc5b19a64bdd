//! The large send that an NBL's out-of-band data describes.

use lso::{Framing, InnerOffsets, IpVersion, LargeSend, Offload};
use ndis::{LargeSendInfo, Nbl, UdpSendInfo};

/// The large send that `nbl` is by its out-of-band data, or `None`.
pub(crate) fn large_send_of(nbl: &Nbl) -> Option<LargeSend> {
    let (tcp, udp) = (nbl.large_send(), nbl.udp_send());
    if tcp.mss() != 0 {
        Some(tcp_send(nbl, tcp))
    } else if !udp.is_none() {
        Some(udp_send(nbl, udp))
    } else {
        None
    }
}

fn tcp_send(nbl: &Nbl, info: LargeSendInfo) -> LargeSend {
    LargeSend {
        offload: if info.is_v2() {
            Offload::LsoV2
        } else {
            Offload::LsoV1
        },
        ip_version: ip_version(info.is_ipv6()),
        mss: info.mss(),
        framing: framing(nbl, info.tcp_header_offset()),
    }
}

fn udp_send(nbl: &Nbl, info: UdpSendInfo) -> LargeSend {
    LargeSend {
        offload: Offload::Uso,
        ip_version: ip_version(info.is_ipv6()),
        mss: info.mss(),
        framing: framing(nbl, info.udp_header_offset()),
    }
}

/// The location of the headers. In a tunnel the offset of the large send's own slot, `transport`,
/// is not valid, of TCP and of UDP alike (Windows driver documentation, "Supporting NVGRE in UDP
/// Segmentation Offload").
fn framing(nbl: &Nbl, transport: u32) -> Framing {
    let tunnel = nbl.encapsulation();
    if tunnel.is_encapsulated() {
        Framing::Encapsulated(tunnel.offsets().map(|inner| InnerOffsets {
            frame: inner.frame,
            ip: inner.ip,
            transport: inner.transport,
        }))
    } else {
        Framing::Plain { transport }
    }
}

fn ip_version(is_ipv6: bool) -> IpVersion {
    if is_ipv6 {
        IpVersion::V6
    } else {
        IpVersion::V4
    }
}
