//! Tunings: their range, their way into the registry and back, and what they come to.

use control::{Cap, Invalid, Multiple, Parameters, Profile, Raise, Tuning, first_stage_size};

fn multiple(multiple: u32) -> Tuning {
    Tuning {
        raise: Raise::Multiple(Multiple::new(multiple).expect("it is in range")),
        cap: None,
    }
}

fn profile(profile: Profile) -> Tuning {
    Tuning {
        raise: Raise::Profile(profile),
        cap: None,
    }
}

fn capped(tuning: Tuning, bytes: u32) -> Tuning {
    let cap = Some(Cap::new(bytes).expect("it is in range"));
    Tuning { cap, ..tuning }
}

#[test]
fn the_default_is_off() {
    assert_eq!(Tuning::default(), profile(Profile::Off));
    assert_eq!(
        Tuning::from_parameters(None, None, None),
        (Tuning::default(), 0)
    );
}

#[test]
fn ranges_end_where_they_say() {
    for outside in [0, 17, u32::MAX] {
        assert_eq!(Multiple::new(outside), Err(Invalid::Multiple));
    }
    for outside in [0, 4095, (16 << 20) + 1, u32::MAX] {
        assert_eq!(Cap::new(outside), Err(Invalid::Cap));
    }
    for outside in [4, u32::MAX] {
        assert_eq!(Profile::from_number(outside), Err(Invalid::Profile));
    }
    for (number, profile) in (0..).zip(Profile::ALL) {
        assert_eq!(Profile::from_number(number), Ok(profile));
    }
}

#[test]
fn parameters_come_back() {
    let tunings = Profile::ALL
        .map(profile)
        .into_iter()
        .chain((Multiple::MIN..=Multiple::MAX).map(multiple));
    for tuning in tunings {
        for tuning in [tuning, capped(tuning, Cap::MIN), capped(tuning, Cap::MAX)] {
            let Parameters {
                multiple,
                profile,
                cap_bytes,
            } = tuning.parameters();
            let back = Tuning::from_parameters(Some(multiple), Some(profile), Some(cap_bytes));
            assert_eq!(back, (tuning, 0));
        }
    }
}

#[test]
fn what_is_out_of_range_has_its_default_and_is_counted() {
    let from = Tuning::from_parameters;
    assert_eq!(
        from(Some(17), Some(1), None),
        (profile(Profile::Latency), 1)
    );
    assert_eq!(from(Some(3), Some(4), None), (multiple(3), 1));
    assert_eq!(from(None, None, Some(1)), (Tuning::default(), 1));
    assert_eq!(from(Some(99), Some(99), Some(99)), (Tuning::default(), 3));
}

#[test]
fn first_stage_sizes() {
    let of = |tuning| first_stage_size(62_780, tuning);
    assert_eq!(
        Profile::ALL.map(profile).map(of),
        [62_780, 125_560, 502_240, 1_004_480]
    );
    assert_eq!(of(multiple(3)), 188_340);
    assert_eq!(of(capped(multiple(16), 512 << 10)), 524_288);
    assert_eq!(
        of(capped(multiple(16), 4096)),
        62_780,
        "never less than the NIC takes"
    );
    assert_eq!(
        first_stage_size(0, multiple(16)),
        0,
        "what is disabled stays so"
    );
    assert_eq!(first_stage_size(u32::MAX, multiple(16)), u32::MAX);
}
