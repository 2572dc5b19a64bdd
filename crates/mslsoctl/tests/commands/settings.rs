//! Settings that the filter reads at attach: set by name, shown in effect and in the registry.

use control::{DriverVersion, IoControl, SettingsChange, SoftwareSegmentation};
use mslsoctl::failure::exit;
use serde_json::{Value, json as value};

use crate::fake::{json, run};
use crate::{Done, two};

/// The registry's parameters of the second adapter.
fn registry(fake: &crate::Fake) -> [Option<u32>; 4] {
    SettingsChange::from(fake.adapters[1].settings).parameters()
}

#[test]
fn set_writes_the_settings_that_are_named_and_nothing_else() -> Done {
    let mut fake = two();
    for (line, expected) in [
        (&["--ip-id-bits", "15"][..], [15, 1, 64, 64]),
        (&["--software-segmentation", "never"], [15, 0, 64, 64]),
        (&["--max-sg-elements", "4"], [15, 0, 4, 64]),
        (&["--memory-bound", "128M"], [15, 0, 4, 128]),
        (&["--memory-bound", "4294967296"], [15, 0, 4, 4096]),
        (
            &["--ip-id-bits", "16", "--software-segmentation", "always"],
            [16, 2, 4, 4096],
        ),
    ] {
        let line = [&["set", "9", "--persist"], line].concat();
        run(&mut fake, &line)?;
        assert_eq!(registry(&fake), expected.map(Some), "{line:?}");
    }
    assert!(
        !fake.calls.contains(&IoControl::SET),
        "the tuning is not touched"
    );
    assert_eq!(
        fake.adapters[0].settings,
        control::AttachSettings::default()
    );
    Ok(())
}

#[test]
fn set_says_when_they_take_effect() -> Done {
    let mut fake = two();
    let line = ["set", "9", "--max-sg-elements", "33", "--persist"];
    let text = run(&mut fake, &line)?;
    for part in [
        " chains     at most 64 buffers per packet sent to the NIC\n",
        "Note: the registry has other settings, which take effect when the adapter restarts:\n  \
         chains     at most 33 buffers per packet sent to the NIC\n",
        "The settings are in the registry, and take effect when the adapter restarts:\n  \
         Restart-NetAdapter -Name 'Ethernet 2'\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("The change is in effect"), "{text}");
    let set = json(&mut fake, &line)?;
    assert_eq!(set["persisted"], true);
    assert_eq!(set["max_sg_elements"], 64);
    assert_eq!(set["registry"]["max_sg_elements"], 33);
    assert_eq!(set["restart_pending"], true);

    // The adapter restarts.
    fake.adapters[1].read.max_sg_elements = 33;
    let text = run(&mut fake, &line)?;
    assert!(text.contains("in effect, and in the registry."), "{text}");
    assert!(!text.contains("Note"), "{text}");
    assert_eq!(json(&mut fake, &["show", "9"])?["restart_pending"], false);
    Ok(())
}

#[test]
fn set_takes_tuning_and_settings_together() -> Done {
    let mut fake = two();
    let line = [
        "set",
        "9",
        "--profile",
        "cpu",
        "--ip-id-bits",
        "15",
        "--persist",
    ];
    let text = run(&mut fake, &line)?;
    assert!(text.contains("The change is in effect, and in the registry."));
    assert!(
        text.contains("take effect when the adapter restarts"),
        "{text}"
    );
    assert_eq!(fake.adapters[1].lasting.multiple(), 16);
    assert_eq!(registry(&fake)[0], Some(15));
    Ok(())
}

#[test]
fn the_adapter_to_restart_is_named_as_powershell_takes_it() -> Done {
    let mut fake = two().connected(&[(109, "Bob's $NIC")]);
    let line = |name| ["set", name, "--ip-id-bits", "15", "--persist"];
    let text = run(&mut fake, &line("9"))?;
    let command = "Restart-NetAdapter -Name 'Bob''s $NIC'\n";
    assert!(text.contains(command), "{text}");
    let text = run(&mut fake, &line("7"))?;
    let command = "Get-NetAdapter -InterfaceIndex 107 | Restart-NetAdapter\n";
    assert!(text.contains(command), "{text}");
    Ok(())
}

#[test]
fn show_tells_what_of_the_registry_is_not_in_effect() -> Done {
    let mut fake = two();
    assert!(!run(&mut fake, &["show", "9"])?.contains("registry"));
    let adapter = &mut fake.adapters[1];
    adapter.read.software = SoftwareSegmentation::Never;
    adapter.read.ip_id_bits = 15;
    let text = run(&mut fake, &["show", "9"])?;
    for part in [
        "restarts:\n  software   with-checksums: LSOv2 is advertised",
        "\n  IP ID      the NIC counts in 16 bits\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("another tuning"), "{text}");

    let text = run(&mut fake, &["set", "7", "--off"])?;
    let words = "the registry has another tuning, which takes effect when the adapter restarts:\n  \
                 profile throughput, 8 x, no cap\n";
    assert!(text.contains(words), "{text}");
    let shown = json(&mut fake, &["show", "7"])?;
    let lasting = value!({ "profile": "throughput", "multiple": 8, "cap_bytes": null });
    assert_eq!(shown["registry"]["tuning"], lasting);
    assert_eq!(shown["restart_pending"], false, "but it is no setting");
    Ok(())
}

#[test]
fn a_driver_without_the_code_is_shown_as_before_and_is_not_changed() -> Done {
    let mut fake = two();
    fake.driver = None;
    let shown = json(&mut fake, &["show", "7"])?;
    for field in ["memory_bound_bytes", "registry", "restart_pending"] {
        assert_eq!(shown[field], Value::Null, "{field}");
    }
    let text = run(&mut fake, &["show", "7"])?;
    assert!(
        text.contains(" memory     not known: the driver is older"),
        "{text}"
    );

    let line = ["set", "7", "--off", "--ip-id-bits", "15", "--persist"];
    let failure = run(&mut fake, &line).expect_err("it is too old");
    assert_eq!(failure.name(), "unknown-code");
    assert_eq!(failure.exit_code(), exit::OTHER);
    assert_eq!(fake.adapters[0].lasting, crate::throughput());
    fake.driver = Some(DriverVersion::BUILT);
    run(&mut fake, &line)?;
    assert_eq!(fake.adapters[0].lasting.multiple(), 1);
    Ok(())
}
