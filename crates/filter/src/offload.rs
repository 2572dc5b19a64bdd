//! The rewrite of an offload configuration for the overlying driver.
//!
//! One rewrite serves attach, status indications, answers to OIDs and the filter's own indications.
//! It can be applied twice with no further effect, because another filter may have rewritten an
//! answer already. Revision and size stay. It raises the maxima of LSOv2 and of UDP segmentation
//! and never lowers them; if a NIC has no LSOv2 at all, it adds LSOv2 that the filter does in
//! software.

use control::{Tuning, first_stage_size};
use ndis::{OffloadConfig, sys};

use crate::nic_caps::NicCaps;

/// The IP versions for which the filter does LSOv2 in software, because the NIC has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SoftwareLso {
    /// IPv4.
    pub ipv4: bool,
    /// IPv6.
    pub ipv6: bool,
}

/// The maximum assumed for a NIC that has none, in bytes of TCP payload: the size that Hyper-V's
/// virtual NIC reports.
pub const SOFTWARE_LSO_MAX: u32 = 62_780;

/// Rewrites `config` for the overlying driver, for a NIC with `nic`, an adapter with `tuning`, and
/// LSOv2 of these versions in `software`.
pub fn rewrite(config: &mut OffloadConfig, nic: &NicCaps, tuning: Tuning, software: SoftwareLso) {
    let has_uso = config.has_uso();
    let fields = config.fields_mut();
    let checksum = (
        fields.Checksum.IPv4Transmit.Encapsulation,
        fields.Checksum.IPv6Transmit.Encapsulation,
    );
    let ipv4 = &mut fields.LsoV2.IPv4;
    let mut entry = Entry {
        encapsulation: &mut ipv4.Encapsulation,
        max: &mut ipv4.MaxOffLoadSize,
    };
    if software.ipv4 && entry.lacks(nic.lso_v2_ipv4.max_payload) {
        entry.enable(checksum.0, tuning);
        ipv4.MinSegmentCount = 2;
    } else {
        entry.raise(nic.lso_v2_ipv4.max_payload, tuning);
    }
    let ipv6 = &mut fields.LsoV2.IPv6;
    let mut entry = Entry {
        encapsulation: &mut ipv6.Encapsulation,
        max: &mut ipv6.MaxOffLoadSize,
    };
    if software.ipv6 && entry.lacks(nic.lso_v2_ipv6.max_payload) {
        entry.enable(checksum.1, tuning);
        ipv6.MinSegmentCount = 2;
        let supported = sys::NDIS_OFFLOAD_SUPPORTED;
        let options = sys::LSO_V2_OFFLOAD_IP_EXTENSION_HEADERS.with(0, supported);
        ipv6.Bits = sys::LSO_V2_OFFLOAD_TCP_OPTIONS.with(options, supported);
    } else {
        entry.raise(nic.lso_v2_ipv6.max_payload, tuning);
    }
    if !has_uso {
        return;
    }
    let uso = &mut fields.UdpSegmentation;
    for (encapsulation, max, nic) in [
        (
            &mut uso.IPv4.Encapsulation,
            &mut uso.IPv4.MaxOffLoadSize,
            nic.uso_ipv4,
        ),
        (
            &mut uso.IPv6.Encapsulation,
            &mut uso.IPv6.MaxOffLoadSize,
            nic.uso_ipv6,
        ),
    ] {
        Entry { encapsulation, max }.raise(nic.max_payload, tuning);
    }
}

/// Lowers `config` to `answer`: of each kind of large send that has a smaller maximum there,
/// everything is taken from there. The rest stays.
pub fn lower(config: &mut OffloadConfig, answer: &OffloadConfig) {
    let has_uso = config.has_uso() && answer.has_uso();
    let (fields, answer) = (config.fields_mut(), answer.fields());
    if answer.LsoV1.IPv4.MaxOffLoadSize < fields.LsoV1.IPv4.MaxOffLoadSize {
        fields.LsoV1.IPv4 = answer.LsoV1.IPv4;
    }
    if answer.LsoV2.IPv4.MaxOffLoadSize < fields.LsoV2.IPv4.MaxOffLoadSize {
        fields.LsoV2.IPv4 = answer.LsoV2.IPv4;
    }
    if answer.LsoV2.IPv6.MaxOffLoadSize < fields.LsoV2.IPv6.MaxOffLoadSize {
        fields.LsoV2.IPv6 = answer.LsoV2.IPv6;
    }
    // An answer of an older revision has no word on UDP segmentation.
    if !has_uso {
        return;
    }
    let (uso, answer) = (&mut fields.UdpSegmentation, &answer.UdpSegmentation);
    if answer.IPv4.MaxOffLoadSize < uso.IPv4.MaxOffLoadSize {
        uso.IPv4 = answer.IPv4;
    }
    if answer.IPv6.MaxOffLoadSize < uso.IPv6.MaxOffLoadSize {
        uso.IPv6 = answer.IPv6;
    }
}

/// The fields of one kind of large send.
struct Entry<'config> {
    encapsulation: &'config mut u32,
    max: &'config mut u32,
}

impl Entry<'_> {
    fn is_enabled(&self) -> bool {
        *self.encapsulation != 0 && *self.max > 0
    }

    /// Whether neither the NIC, with this maximum, nor the configuration has the kind. A configuration
    /// of the hardware's capabilities may have it where the NIC does not: an administrator turned it
    /// off.
    fn lacks(&self, nic: u32) -> bool {
        nic == 0 && !self.is_enabled()
    }

    /// Raises the maximum to the first-stage size. A kind that is disabled stays so.
    fn raise(&mut self, nic: u32, tuning: Tuning) {
        if nic > 0 && self.is_enabled() {
            *self.max = first_stage_size(nic, tuning).max(*self.max);
        }
    }

    /// Enables a kind that the NIC lacks, in the frames for which it computes checksums, or in
    /// plain frames.
    fn enable(&mut self, checksum: u32, tuning: Tuning) {
        *self.encapsulation = match checksum {
            0 => sys::NDIS_ENCAPSULATION_IEEE_802_3,
            encapsulation => encapsulation,
        };
        *self.max = first_stage_size(SOFTWARE_LSO_MAX, tuning);
    }
}
