//! The out-of-band information of a large send, other than that of LSO.

use lso::IpVersion;
use ndis::{LargeSendInfo, sys};

use super::LargeSend;
use reference::{Kind, Layers, TunnelLayers, layers};

/// Bytes of a TCP header without options.
const TCP_LEN: usize = 20;

impl LargeSend {
    /// The slots of `NetBufferListInfo` that are set, and their values; but for
    /// the one of LSO.
    ///
    /// # Panics
    ///
    /// If the frame does not match [`kind`](Self::kind).
    pub fn slots(&self) -> Vec<(usize, usize)> {
        let vlan = self
            .vlan
            .map(|tag| (sys::Ieee8021QNetBufferListInfo, tag.raw()));
        let own = match self.kind {
            Kind::Tcp => None,
            Kind::Udp => Some((
                sys::UdpSegmentationOffloadInfo,
                uso(self.mss, self.layers(), self.ip),
            )),
            Kind::Encapsulated => Some((
                sys::TcpSendOffloadsSupplementalNetBufferListInfo,
                supplemental(self.layers()),
            )),
        };
        vlan.into_iter().chain(own).collect()
    }

    /// The slot of LSO in a tunnel, as TCP wrote it before the tunnel was added. The MSS is valid;
    /// the offset, from the inner frame's start, is not, and must not be used (Windows driver
    /// documentation, "Supporting NVGRE in Large Send LsoVersion").
    ///
    /// # Panics
    ///
    /// If the frame does not match [`kind`](Self::kind).
    pub fn stale_large_send(&self) -> LargeSendInfo {
        let layers = self.layers();
        let frame = layers.tunnel.map_or(0, |tunnel| tunnel.inner);
        let tcp = (layers.transport - frame) as u32;
        LargeSendInfo::v2(self.mss, tcp, layers.ipv6)
    }

    fn layers(&self) -> Layers {
        layers(&self.frame, self.kind).expect("a large send of its kind")
    }
}

/// NDIS_UDP_SEGMENTATION_OFFLOAD_NET_BUFFER_LIST_INFO: MSS 20 bits,
/// UdpHeaderOffset 10, Reserved 1, IPVersion 1.
fn uso(mss: u32, layers: Layers, ip: IpVersion) -> usize {
    mss as usize | layers.transport << 20 | usize::from(ip == IpVersion::V6) << 31
}

/// NDIS_TCP_SEND_OFFLOADS_SUPPLEMENTAL_NET_BUFFER_LIST_INFO:
/// IsEncapsulatedPacket 1 bit, EncapsulatedPacketOffsetsValid 1,
/// InnerFrameOffset 8, TransportIpHeaderRelativeOffset 6, from the inner frame,
/// TcpHeaderRelativeOffset 10, from the inner IP header, IsInnerIPv6 1,
/// TcpOptionsPresent 1.
fn supplemental(layers: Layers) -> usize {
    let inner = layers.tunnel.map_or(0, |TunnelLayers { inner, .. }| inner);
    let options = layers.payload - layers.transport > TCP_LEN;
    let offsets = inner << 2 | (layers.ip - inner) << 10 | (layers.transport - layers.ip) << 16;
    0b11 | offsets | usize::from(layers.ipv6) << 26 | usize::from(options) << 27
}

#[cfg(test)]
mod tests {
    use crate::ingest::{Form, Terms, ingest_as};
    use testpkt::synth::{Synth, Tunnel};

    fn slots(send: &Synth, form: &Form) -> (Vec<(usize, usize)>, u32) {
        let send = ingest_as(&send.frame(false), send.mss, Terms::V2, form);
        let send = send.unwrap().unwrap().with_tag_beside();
        (send.slots(), send.stale_large_send().tcp_header_offset())
    }

    #[test]
    fn uso_literal() {
        // The tag's 4 bytes are no longer in the frame: UDP is at 34 and 54.
        let v4 = Synth::udp_v4(9000, 1472).vlan(&[0x2007]);
        assert_eq!(slots(&v4, &Form::Uso).0, [(4, 0x71), (22, 0x0220_05C0)]);
        let v6 = Synth::udp_v6(9000, 1452);
        assert_eq!(slots(&v6, &Form::Uso).0, [(22, 0x8360_05AC)]);
    }

    #[test]
    fn supplemental_literal() {
        let tunnel = Form::Tunnel(Tunnel::vxlan_v4());
        // Inner frame at 50, its IP at 14, TCP 20 after that, with options.
        let v4 = Synth::v4(9000, 1398);
        assert_eq!(slots(&v4, &tunnel), (vec![(23, 0x0814_38CB)], 34));
        let tunnel = Form::Tunnel(Tunnel {
            vlan: vec![7],
            ..Tunnel::nvgre_v6()
        });
        // At 62, once the outer tag is out; an inner tag; no options.
        let v6 = Synth::v6(9000, 1380).vlan(&[5]).tcp_options(&[]);
        assert_eq!(
            slots(&v6, &tunnel),
            (vec![(4, 0x70), (23, 0x0428_48FB)], 58)
        );
    }
}
