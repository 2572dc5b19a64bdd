//! An adapter's settings and limits.

use crate::{
    Invalid, Tuning,
    message::{Body, Kind},
    wire::{Reader, Writer},
};

/// What a NIC takes of one kind of large send. Zeros where it takes none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    /// The most TCP payload in bytes.
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

/// What a NIC takes of large sends, by its own account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NicLimits {
    /// LSOv1, which is for IPv4 only.
    pub v1: Limit,
    /// LSOv2 over IPv4.
    pub v2_ipv4: Limit,
    /// LSOv2 over IPv6.
    pub v2_ipv6: Limit,
}

/// An adapter's settings, its NIC's limits, and what the layer above is told of them.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 8 | 12 | `tuning`, as its [`Parameters`](crate::Parameters) |
/// | 20 | 4 | `ip_id_bits` |
/// | 24 | 24 | `nic`: maximum and minimum of v1, v2_ipv4, v2_ipv6 |
/// | 48 | 4 | `advertised_v2_ipv4` |
/// | 52 | 4 | `advertised_v2_ipv6` |
/// | 56 | 4 | flags: bit 0 is `running` |
/// | 60 | 4 | `settings_out_of_range` |
/// | 64 | 8 | `malformed_offloads` |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadReply {
    /// The tuning in effect.
    pub tuning: Tuning,
    /// Bits in which the NIC counts the IPv4 identification of its segments: 15 or 16.
    pub ip_id_bits: u32,
    /// What the NIC takes.
    pub nic: NicLimits,
    /// The most TCP payload in bytes that the layer above is told it may send with LSOv2 over IPv4.
    pub advertised_v2_ipv4: u32,
    /// The same over IPv6.
    pub advertised_v2_ipv6: u32,
    /// Whether the filter takes sends; else it is paused.
    pub running: bool,
    /// Settings in the registry that were out of range, so that their defaults are in effect.
    pub settings_out_of_range: u32,
    /// Offload configurations from below that broke the rules of NDIS and were passed on as they
    /// were.
    pub malformed_offloads: u64,
}

const RUNNING: u32 = 1;

impl Body for ReadReply {
    const KIND: Kind = Kind::ReadReply;
    const BODY: usize = 64;

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), Invalid> {
        self.tuning.put(writer)?;
        writer.u32(checked(self.ip_id_bits)?)?;
        self.nic.v1.put(writer)?;
        self.nic.v2_ipv4.put(writer)?;
        self.nic.v2_ipv6.put(writer)?;
        writer.u32(self.advertised_v2_ipv4)?;
        writer.u32(self.advertised_v2_ipv6)?;
        writer.u32(if self.running { RUNNING } else { 0 })?;
        writer.u32(self.settings_out_of_range)?;
        writer.u64(self.malformed_offloads)
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            tuning: Tuning::get(reader)?,
            ip_id_bits: checked(reader.u32()?)?,
            nic: NicLimits {
                v1: Limit::get(reader)?,
                v2_ipv4: Limit::get(reader)?,
                v2_ipv6: Limit::get(reader)?,
            },
            advertised_v2_ipv4: reader.u32()?,
            advertised_v2_ipv6: reader.u32()?,
            running: reader.flags(RUNNING)? & RUNNING != 0,
            settings_out_of_range: reader.u32()?,
            malformed_offloads: reader.u64()?,
        })
    }
}

fn checked(ip_id_bits: u32) -> Result<u32, Invalid> {
    match ip_id_bits {
        15 | 16 => Ok(ip_id_bits),
        _ => Err(Invalid::IpIdBits),
    }
}
