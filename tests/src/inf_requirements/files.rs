//! The installed files: the package's version, its image and its service.

use super::{
    IMAGE, Outcome, SERVICE,
    target::{each, equal},
};
use mslso_package::inf::Inf;

pub(super) fn provider_is_not_microsoft(inf: &Inf) -> Outcome {
    let provider = inf.value("Version", "Provider").to_ascii_lowercase();
    if provider.is_empty() || provider.contains("microsoft") {
        return Err(format!("the provider is {provider:?}"));
    }
    Ok(())
}

/// "INF DriverVer Directive": mm/dd/yyyy and four numbers.
pub(super) fn version_is_the_drivers(inf: &Inf) -> Outcome {
    let fields = inf.fields("Version", "DriverVer").unwrap_or_default();
    let [date, version] = fields.as_slice() else {
        return Err(format!("DriverVer is {fields:?}"));
    };
    equal(
        "the version",
        version,
        concat!(env!("CARGO_PKG_VERSION"), ".0"),
    )?;
    let numbers: Vec<Option<u32>> = date.split('/').map(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        [Some(1..=12), Some(1..=31), Some(2026..)] if date.len() == 10 => Ok(()),
        _ => Err(format!("the date is {date:?}, not mm/dd/yyyy")),
    }
}

pub(super) fn service_is_the_filters(inf: &Inf) -> Outcome {
    each(inf, |at| {
        equal(
            "the service",
            &inf.value(&at.section(".Services"), "AddService"),
            SERVICE,
        )
    })
}

/// Files copied must keep their name and subfolder where they run from the store.
pub(super) fn image_goes_where_it_should(inf: &Inf) -> Outcome {
    each(inf, |at| {
        let files = inf.value(&at.install, "CopyFiles");
        let copied = inf.lines(&files).iter().map(|line| line.fields.join(","));
        equal("files copied", &copied.collect::<Vec<_>>().join(";"), IMAGE)?;
        let to = inf.fields("DestinationDirs", &files).unwrap_or_default();
        equal("their directory", &to.join(","), at.directory())
    })
}

pub(super) fn service_runs_the_image(inf: &Inf) -> Outcome {
    each(inf, |at| {
        let binary = format!("%{}%\\{IMAGE}", at.directory());
        equal(
            "the binary",
            &inf.value(&at.service(inf), "ServiceBinary"),
            &binary,
        )
    })
}

/// Event Viewer finds the texts of the driver's entries in the image that runs.
pub(super) fn messages_are_the_images(inf: &Inf) -> Outcome {
    each(inf, |at| {
        let sections = inf.fields(&at.event_log(inf), "AddReg").unwrap_or_default();
        let lines = sections.iter().flat_map(|section| inf.lines(section));
        let mut found: Vec<_> = lines.map(|line| line.fields.join(",")).collect();
        found.sort();
        let expected = [
            format!(
                "HKR,,EventMessageFile,0x00020000,%{}%\\{IMAGE}",
                at.directory()
            ),
            "HKR,,TypesSupported,0x00010001,7".into(),
        ];
        equal("the event log", &found.join(";"), &expected.join(";"))
    })
}

pub(super) fn image_is_in_the_package(inf: &Inf) -> Outcome {
    let source = inf.fields("SourceDisksFiles", IMAGE).unwrap_or_default();
    equal("its disk", &source.join(","), "1")?;
    if inf.value("SourceDisksNames", "1").is_empty() {
        return Err("disk 1 has no name".into());
    }
    Ok(())
}

pub(super) fn service_is_removed(inf: &Inf) -> Outcome {
    each(inf, |at| {
        let delete = inf.fields(&at.section(".Remove.Services"), "DelService");
        // SPSVCINST_STOPSERVICE and SPSVCINST_DELETEEVENTLOGENTRY.
        equal(
            "DelService",
            &delete.unwrap_or_default().join(","),
            &format!("{SERVICE},0x204"),
        )
    })
}
