//! The settings that are read at attach: their ranges and their defaults.

use control::{
    AttachSettings, Invalid, IpIdBits, MaxSgElements, MemoryBound, SettingsChange,
    SoftwareSegmentation,
};

#[test]
fn ranges_end_where_they_say() {
    for outside in [0, 14, 17, u32::MAX] {
        assert_eq!(IpIdBits::new(outside), Err(Invalid::IpIdBits));
    }
    for outside in [0, 3, 65, u32::MAX] {
        assert_eq!(MaxSgElements::new(outside), Err(Invalid::MaxSgElements));
    }
    for outside in [0, 3, 4097, u32::MAX] {
        assert_eq!(MemoryBound::new(outside), Err(Invalid::MemoryBound));
    }
    assert_eq!(IpIdBits::new(15).map(IpIdBits::get), Ok(15));
    assert_eq!(MaxSgElements::new(4).map(MaxSgElements::get), Ok(4));
    assert_eq!(MaxSgElements::new(64), Ok(MaxSgElements::default()));
    assert_eq!(MemoryBound::new(4096).map(MemoryBound::bytes), Ok(4 << 30));
}

#[test]
fn a_bound_in_bytes_is_a_whole_number_of_mebibytes() {
    for (bytes, bound) in [
        (0, Err(Invalid::MemoryBound)),
        (64, Err(Invalid::MemoryBound)),
        (3 << 20, Err(Invalid::MemoryBound)),
        (4 << 20, MemoryBound::new(4)),
        ((4 << 20) + 1, Err(Invalid::MemoryBound)),
        (64 << 20, Ok(MemoryBound::default())),
        (4 << 30, MemoryBound::new(4096)),
        ((4 << 30) + (1 << 20), Err(Invalid::MemoryBound)),
        // Truncated to 32 bits this would be 64 MiB.
        ((64 << 20) + (1 << 52), Err(Invalid::MemoryBound)),
    ] {
        assert_eq!(MemoryBound::from_bytes(bytes), bound, "{bytes}");
    }
}

#[test]
fn a_missing_parameter_has_its_default_and_one_out_of_range_is_counted() {
    let default = AttachSettings::default();
    let of = AttachSettings::from_parameters;
    assert_eq!(of(None, None, None, None), (default, 0));
    assert_eq!(of(Some(16), Some(1), Some(0), Some(64)), (default, 0));
    assert_eq!(of(Some(14), Some(3), Some(3), Some(3)), (default, 4));
    let (settings, wrong) = of(Some(15), Some(9), Some(33), None);
    assert_eq!(wrong, 1);
    assert_eq!(settings.ip_id_bits, IpIdBits::new(15).expect("in range"));
    assert_eq!(settings.software, SoftwareSegmentation::default());
    assert_eq!(settings.max_sg_elements.get(), 33);
    assert_eq!(settings.memory_bound.mebibytes(), 64);
}

#[test]
fn parameters_come_back() {
    for settings in [
        AttachSettings::default(),
        AttachSettings::from_parameters(Some(15), Some(2), Some(4), Some(4096)).0,
    ] {
        let [bits, software, elements, memory] = SettingsChange::from(settings).parameters();
        let back = AttachSettings::from_parameters(bits, software, elements, memory);
        assert_eq!(back, (settings, 0));
    }
    assert_eq!(SettingsChange::default().parameters(), [None; 4]);
}
