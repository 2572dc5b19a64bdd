//! An adapter's settings and limits.

use crate::{
    Invalid, IpIdBits, SoftwareSegmentation, Tuning,
    message::{Body, Kind},
    wire::{Reader, Writer},
};

/// A NIC's limits for one kind of large send. Zeros if it supports none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    /// The most TCP or UDP payload in bytes.
    pub max_payload: u32,
    /// The fewest wire packets.
    pub min_segments: u32,
}

impl Limit {
    fn put(self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        writer.u32(self.max_payload)?;
        writer.u32(self.min_segments)
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            max_payload: reader.u32()?,
            min_segments: reader.u32()?,
        })
    }
}

/// A NIC's large-send limits, as it reports them, and whether it computes the checksums of packets
/// that are cut in its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NicLimits {
    /// LSOv1, which is for IPv4 only.
    pub v1: Limit,
    /// LSOv2 over IPv4.
    pub v2_ipv4: Limit,
    /// LSOv2 over IPv6.
    pub v2_ipv6: Limit,
    /// USO, which is for UDP, over IPv4.
    pub uso_ipv4: Limit,
    /// USO over IPv6.
    pub uso_ipv6: Limit,
    /// Whether it makes TCP's checksums over IPv4.
    pub tcp_checksum_ipv4: bool,
    /// Whether it makes TCP's checksums over IPv6.
    pub tcp_checksum_ipv6: bool,
}

/// An adapter's settings, its NIC's limits, and the sizes advertised to the overlying driver.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 8 | 12 | `tuning`, as its [`Parameters`](crate::Parameters) |
/// | 20 | 4 | `ip_id_bits` |
/// | 24 | 4 | `software`, as its [number](SoftwareSegmentation::number) |
/// | 28 | 4 | `max_sg_elements` |
/// | 32 | 4 | `mtu` |
/// | 36 | 4 | flags: bit 0 is `running`, 1 `nic.tcp_checksum_ipv4`, 2 `nic.tcp_checksum_ipv6` |
/// | 40 | 40 | `nic`: maximum and minimum of v1, v2_ipv4, v2_ipv6, uso_ipv4, uso_ipv6 |
/// | 80 | 4 | `advertised_v2_ipv4` |
/// | 84 | 4 | `advertised_v2_ipv6` |
/// | 88 | 4 | `advertised_uso_ipv4` |
/// | 92 | 4 | `advertised_uso_ipv6` |
/// | 96 | 4 | `settings_out_of_range` |
/// | 100 | 8 | `malformed_offloads` |
/// | 108 | 8 | `invalid_oid_headers` |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadReply {
    /// The tuning in effect.
    pub tuning: Tuning,
    /// Bits in which the NIC counts the IPv4 identification of its segments: 15 or 16.
    pub ip_id_bits: u32,
    /// The choice of software segmentation. If it applies, LSOv2 is advertised although the NIC's
    /// own limit for it is 0.
    pub software: SoftwareSegmentation,
    /// Maximum number of MDLs in the chain of a packet that the NIC gets.
    pub max_sg_elements: u32,
    /// Maximum number of bytes of an IP packet on the adapter; 0 if unknown.
    pub mtu: u32,
    /// Whether the filter accepts sends; otherwise it is paused.
    pub running: bool,
    /// The NIC's limits.
    pub nic: NicLimits,
    /// Largest TCP payload in bytes advertised to the overlying driver for LSOv2 over IPv4.
    pub advertised_v2_ipv4: u32,
    /// The same over IPv6.
    pub advertised_v2_ipv6: u32,
    /// Largest UDP payload in bytes advertised to the overlying driver for USO over IPv4.
    pub advertised_uso_ipv4: u32,
    /// The same over IPv6.
    pub advertised_uso_ipv6: u32,
    /// Settings in the registry that were out of range, so that their defaults are in effect.
    pub settings_out_of_range: u32,
    /// Offload configurations from the miniport that violated NDIS's rules and were forwarded
    /// unchanged.
    pub malformed_offloads: u64,
    /// OID requests that arrived without a valid header and were forwarded with one.
    pub invalid_oid_headers: u64,
}

const RUNNING: u32 = 1;
const TCP_CHECKSUM_IPV4: u32 = 2;
const TCP_CHECKSUM_IPV6: u32 = 4;
const FLAGS: u32 = RUNNING | TCP_CHECKSUM_IPV4 | TCP_CHECKSUM_IPV6;

impl Body for ReadReply {
    const KIND: Kind = Kind::ReadReply;
    const BODY: usize = 108;

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        self.tuning.put(writer)?;
        writer.u32(checked(self.ip_id_bits)?)?;
        writer.u32(self.software.number())?;
        writer.u32(self.max_sg_elements)?;
        writer.u32(self.mtu)?;
        writer.u32(self.flags())?;
        self.nic.v1.put(writer)?;
        self.nic.v2_ipv4.put(writer)?;
        self.nic.v2_ipv6.put(writer)?;
        self.nic.uso_ipv4.put(writer)?;
        self.nic.uso_ipv6.put(writer)?;
        writer.u32(self.advertised_v2_ipv4)?;
        writer.u32(self.advertised_v2_ipv6)?;
        writer.u32(self.advertised_uso_ipv4)?;
        writer.u32(self.advertised_uso_ipv6)?;
        writer.u32(self.settings_out_of_range)?;
        writer.u64(self.malformed_offloads)?;
        writer.u64(self.invalid_oid_headers)
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let tuning = Tuning::get(reader)?;
        let ip_id_bits = checked(reader.u32()?)?;
        let software = SoftwareSegmentation::from_number(reader.u32()?)?;
        let max_sg_elements = reader.u32()?;
        let mtu = reader.u32()?;
        let flags = reader.flags(FLAGS)?;
        Ok(Self {
            tuning,
            ip_id_bits,
            software,
            max_sg_elements,
            mtu,
            running: flags & RUNNING != 0,
            nic: NicLimits {
                v1: Limit::get(reader)?,
                v2_ipv4: Limit::get(reader)?,
                v2_ipv6: Limit::get(reader)?,
                uso_ipv4: Limit::get(reader)?,
                uso_ipv6: Limit::get(reader)?,
                tcp_checksum_ipv4: flags & TCP_CHECKSUM_IPV4 != 0,
                tcp_checksum_ipv6: flags & TCP_CHECKSUM_IPV6 != 0,
            },
            advertised_v2_ipv4: reader.u32()?,
            advertised_v2_ipv6: reader.u32()?,
            advertised_uso_ipv4: reader.u32()?,
            advertised_uso_ipv6: reader.u32()?,
            settings_out_of_range: reader.u32()?,
            malformed_offloads: reader.u64()?,
            invalid_oid_headers: reader.u64()?,
        })
    }
}

impl ReadReply {
    fn flags(&self) -> u32 {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        flag(self.running, RUNNING)
            | flag(self.nic.tcp_checksum_ipv4, TCP_CHECKSUM_IPV4)
            | flag(self.nic.tcp_checksum_ipv6, TCP_CHECKSUM_IPV6)
    }
}

fn checked(ip_id_bits: u32) -> Result<u32, Invalid> {
    IpIdBits::new(ip_id_bits).map(IpIdBits::get)
}
