//! The outer headers of an encapsulated frame (NVGRE, VXLAN), and where the inner ones begin.

use super::front::Front;
use super::{Network, narrow};
use crate::wire::tunnel::{nvgre, vxlan};
use crate::wire::{protocol, udp};
use crate::{IpVersion, Refusal};

/// The positions of a tunnel's headers: a complete Ethernet and IP header, then GRE,
/// or UDP and VXLAN, then a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    kind: TunnelKind,
    ip_version: IpVersion,
    ip_offset: u16,
    /// The offset at which UDP or GRE begins.
    outer_offset: u16,
    port: u16,
    length: u16,
}

/// The kinds of tunnel for which NDIS has offloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TunnelKind {
    /// Network virtualization by generic routing encapsulation, RFC 7637.
    Nvgre,
    /// Virtual extensible LAN, RFC 7348.
    Vxlan,
}

impl Tunnel {
    /// Its kind.
    #[inline]
    pub fn kind(self) -> TunnelKind {
        self.kind
    }

    /// The outer network protocol.
    #[inline]
    pub fn ip_version(self) -> IpVersion {
        self.ip_version
    }

    /// Bytes of frame before the inner frame.
    #[inline]
    pub fn length(self) -> u32 {
        u32::from(self.length)
    }

    /// The UDP port that VXLAN is sent to; 0 with NVGRE. Any port is accepted as VXLAN's if the
    /// out-of-band information marks the packet as encapsulated, because the port is configurable.
    #[inline]
    pub fn port(self) -> u16 {
        self.port
    }

    #[inline]
    pub(crate) fn ip_offset(self) -> u16 {
        self.ip_offset
    }

    #[inline]
    pub(crate) fn ip_start(self) -> usize {
        usize::from(self.ip_offset)
    }

    /// The position of the UDP header, if there is one.
    #[inline]
    pub(crate) fn udp_start(self) -> Option<usize> {
        (self.kind == TunnelKind::Vxlan).then_some(usize::from(self.outer_offset))
    }
}

/// The tunnel at the beginning of a frame, and where the inner frame begins.
pub(super) fn parse(front: Front<'_>) -> Result<(Tunnel, usize), Refusal> {
    let network = Network::parse(front, 0)?;
    let outer = network.payload;
    let (kind, port, frame) = match network.protocol {
        protocol::GRE => (TunnelKind::Nvgre, 0, nvgre_end(front, outer)?),
        protocol::UDP => (
            TunnelKind::Vxlan,
            front.u16(outer, udp::DESTINATION)?,
            vxlan_end(front, outer)?,
        ),
        _ => return Err(Refusal::NotEncapsulated),
    };
    let tunnel = Tunnel {
        kind,
        ip_version: network.version,
        ip_offset: narrow(network.ip)?,
        outer_offset: narrow(outer)?,
        port,
        length: narrow(frame)?,
    };
    Ok((tunnel, frame))
}

fn nvgre_end(front: Front<'_>, gre: usize) -> Result<usize, Refusal> {
    if front.u16(gre, nvgre::FLAGS_VERSION)? != nvgre::KEY_ONLY
        || front.u16(gre, nvgre::PROTOCOL)? != nvgre::TRANSPARENT_ETHERNET
    {
        return Err(Refusal::NotEncapsulated);
    }
    Ok(gre.saturating_add(nvgre::LENGTH))
}

fn vxlan_end(front: Front<'_>, udp: usize) -> Result<usize, Refusal> {
    let vxlan = udp.saturating_add(udp::LENGTH);
    if front.u8(vxlan, vxlan::FLAGS)? & vxlan::VALID == 0 {
        return Err(Refusal::NotEncapsulated);
    }
    Ok(vxlan.saturating_add(vxlan::LENGTH))
}
