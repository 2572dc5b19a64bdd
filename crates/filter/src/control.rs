//! The control device: the requests of programs, and their replies.
//!
//! A request is decoded from a copy, because the reply goes into the same buffer. A request that
//! violates the protocol is refused with a status that names the violation.

use core::sync::atomic::Ordering;

use control::{
    AdapterEntry, DriverVersion, Invalid, IoControl, Limit, ListRequest, ListWriter, Message,
    NicLimits, ReadReply, Select, SetRequest, SetSettingsRequest, SettingsReply, VersionRequest,
};
use ndis::{DeviceCall, ModuleRef, Status};

use crate::{
    module::{Driver, FilterModule},
    module_events::Source,
    nic_caps::LargeSendSupport,
    settings::{self, Settings},
};

/// Bytes of a request that are read: more than any request has, so that a longer one is detected.
const MAX_REQUEST: usize = 64;

/// Handles one call: returns its status, and bytes of output. IRQL PASSIVE_LEVEL, within a
/// [`CriticalRegion`](ndis::CriticalRegion).
pub(crate) fn answer(driver: &Driver, call: DeviceCall<'_>) -> (Status, usize) {
    match call {
        DeviceCall::Open { below: true } => (Status::OBJECT_NAME_NOT_FOUND, 0),
        DeviceCall::Open { below: false } | DeviceCall::Close => (Status::SUCCESS, 0),
        DeviceCall::Other => (Status::INVALID_DEVICE_REQUEST, 0),
        DeviceCall::Control {
            code,
            input,
            buffer,
            output,
        } => match control(driver, code, buffer, input, output) {
            Ok(written) => (Status::SUCCESS, written),
            Err(status) => (status, 0),
        },
    }
}

fn control(
    driver: &Driver,
    code: u32,
    buffer: &mut [u8],
    input: usize,
    output: usize,
) -> Result<usize, Status> {
    let mut copy = [0; MAX_REQUEST];
    // The front of a longer request is enough to find its error.
    let input = input.min(MAX_REQUEST);
    let request = copy.get_mut(..input).ok_or(Status::INVALID_PARAMETER)?;
    for (place, byte) in request.iter_mut().zip(buffer.iter()) {
        *place = *byte;
    }
    let out = buffer.get_mut(..output).ok_or(Status::INVALID_PARAMETER)?;
    match IoControl::from_code(code).map_err(status_of)? {
        IoControl::LIST => {
            ListRequest::decode(request).map_err(status_of)?;
            list(driver, out)
        }
        IoControl::READ => {
            let module = selected_module(driver, request)?;
            read(&module).encode(out).map_err(status_of)
        }
        IoControl::STATISTICS => {
            let module = selected_module(driver, request)?;
            module.statistics().encode(out).map_err(status_of)
        }
        IoControl::RESET_STATISTICS => {
            let module = selected_module(driver, request)?;
            module.counters.reset();
            module.event_statistics_reset();
            Ok(0)
        }
        IoControl::SET => {
            let set = SetRequest::decode(request).map_err(status_of)?;
            let module = find_module(driver, set.if_index)?;
            self::set(&module, &set)?;
            Ok(0)
        }
        IoControl::DRIVER_VERSION => {
            VersionRequest::decode(request).map_err(status_of)?;
            DriverVersion::BUILT.encode(out).map_err(status_of)
        }
        IoControl::READ_SETTINGS => {
            let module = selected_module(driver, request)?;
            read_settings(&module)?.encode(out).map_err(status_of)
        }
        IoControl::SET_SETTINGS => {
            let set = SetSettingsRequest::decode(request).map_err(status_of)?;
            let module = find_module(driver, set.if_index)?;
            set_settings(&module, &set)?;
            Ok(0)
        }
        _ => Err(Status::INVALID_DEVICE_REQUEST),
    }
}

/// The status that reports the error in a request to the program.
fn status_of(invalid: Invalid) -> Status {
    match invalid {
        Invalid::BufferTooSmall => Status::BUFFER_TOO_SMALL,
        Invalid::Version => Status::REVISION_MISMATCH,
        Invalid::Code => Status::INVALID_DEVICE_REQUEST,
        _ => Status::INVALID_PARAMETER,
    }
}

fn selected_module<'driver>(
    driver: &'driver Driver,
    request: &[u8],
) -> Result<ModuleRef<'driver, FilterModule>, Status> {
    find_module(driver, Select::decode(request).map_err(status_of)?.if_index)
}

fn find_module(driver: &Driver, if_index: u32) -> Result<ModuleRef<'_, FilterModule>, Status> {
    driver
        .modules
        .find(|module| module.identity.matches(if_index))
        .ok_or(Status::NOT_FOUND)
}

fn list(driver: &Driver, out: &mut [u8]) -> Result<usize, Status> {
    let mut list = ListWriter::new(out).map_err(status_of)?;
    driver.modules.for_each(|module| {
        list.push(&AdapterEntry {
            if_index: module.identity.if_index,
            base_if_index: module.identity.base_if_index,
            running: module.running.load(Ordering::Relaxed),
            name: module.identity.name,
        });
    });
    list.finish().map_err(status_of)
}

fn read(module: &FilterModule) -> ReadReply {
    let nic = module.advertiser.nic();
    let advertised = module.advertiser.last_advertised();
    let settings = &module.settings.attach;
    ReadReply {
        tuning: module.advertiser.tuning(),
        ip_id_bits: settings.ip_id_bits.get(),
        software: settings.software,
        max_sg_elements: settings.max_sg_elements.get(),
        mtu: module.mtu.load(Ordering::Relaxed),
        running: module.running.load(Ordering::Relaxed),
        nic: NicLimits {
            v1: limit(nic.lso_v1),
            v2_ipv4: limit(nic.lso_v2_ipv4),
            v2_ipv6: limit(nic.lso_v2_ipv6),
            uso_ipv4: limit(nic.uso_ipv4),
            uso_ipv6: limit(nic.uso_ipv6),
            tcp_checksum_ipv4: nic.checksum_ipv4.has_tcp(),
            tcp_checksum_ipv6: nic.checksum_ipv6.has_tcp(),
        },
        advertised_v2_ipv4: advertised.lso_v2_ipv4.max_payload,
        advertised_v2_ipv6: advertised.lso_v2_ipv6.max_payload,
        advertised_uso_ipv4: advertised.uso_ipv4.max_payload,
        advertised_uso_ipv6: advertised.uso_ipv6.max_payload,
        settings_out_of_range: module.settings_out_of_range.load(Ordering::Relaxed),
        malformed_offloads: module.malformed_offloads.load(Ordering::Relaxed),
        invalid_oid_headers: module.invalid_oid_headers.load(Ordering::Relaxed),
    }
}

fn limit(support: LargeSendSupport) -> Limit {
    Limit {
        max_payload: support.max_payload,
        min_segments: support.min_segments.into(),
    }
}

/// Puts a tuning into effect: first written to the registry, if it is to be persistent, so that a
/// registry error leaves everything unchanged; then advertised.
fn set(module: &FilterModule, request: &SetRequest) -> Result<(), Status> {
    let lock = module.driver.settings.lock();
    if request.persist {
        let next = settings::persist_tuning(module.handle, request.tuning)?;
        count_out_of_range(module, &next);
    }
    module.advertiser.set_tuning(request.tuning);
    let source = if request.persist {
        Source::ControlDevicePersistent
    } else {
        Source::ControlDevice
    };
    module.event_tuning(request.tuning, source);
    drop(lock);
    module.publish();
    Ok(())
}

/// The settings in effect, and those that the next attach will read.
fn read_settings(module: &FilterModule) -> Result<SettingsReply, Status> {
    let _lock = module.driver.settings.lock();
    let next = Settings::read(module.handle)?;
    Ok(SettingsReply {
        in_effect: module.settings.attach,
        registry_tuning: next.tuning,
        registry: next.attach,
    })
}

/// Writes settings to the registry. Those in effect stay until the module is detached.
fn set_settings(module: &FilterModule, request: &SetSettingsRequest) -> Result<(), Status> {
    let _lock = module.driver.settings.lock();
    let next = settings::persist_settings(module.handle, request.change)?;
    count_out_of_range(module, &next);
    Ok(())
}

/// Parameters that were out of range may have been overwritten.
fn count_out_of_range(module: &FilterModule, next: &Settings) {
    let count = next.out_of_range;
    module.settings_out_of_range.store(count, Ordering::Relaxed);
}
