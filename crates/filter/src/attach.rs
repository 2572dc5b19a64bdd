//! FilterAttach and FilterDetach: a filter module's beginning and end.
#![expect(unsafe_code, reason = "NDIS keeps the module as a raw pointer")]

use core::{
    ptr::NonNull,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64},
};

use ndis::{
    AttachOffload, Capabilities, ChildPool, Gate, Lent, Listed, ModuleHandle, PoolBox, SpinLock,
    Status, Tag, oid::HardwareQuery, sys,
};

use crate::{
    driver::Driver,
    events::Source,
    indicator::{Indicator, Stored},
    limits::Limits,
    module::{FilterModule, Identity},
    offload::{self, Malformed},
    settings::Settings,
    statistics::Counters,
};

const TAG_MODULE: Tag = Tag::new(*b"MslM");
const TAG_GATE: Tag = Tag::new(*b"MslG");

/// Children that wait ready on each processor: three sends of 1 MiB in flight, in about 70 KiB, for
/// hosts have many processors, and adapters that never see a large send. What a busier processor
/// needs is allocated once and stays with it. Where chains are ended it is about 340 KiB, or as much
/// less as there are fewer elements.
const READY_CHILDREN: u32 = 64;

/// Least payload in bytes that children are made for, so that a NIC whose maximum grows while the
/// module is attached need not wait for the next attach.
const LEAST_CAPACITY: u32 = 256 << 10;

/// What FilterAttach needs of its parameters.
pub(crate) struct Parameters<'call> {
    pub(crate) medium: i32,
    pub(crate) identity: Identity,
    /// What the layer above will be told; `None` for a miniport without task offload.
    pub(crate) offload: Option<AttachOffload<'call>>,
}

/// A module as NDIS keeps it.
pub(crate) type Context = Listed<FilterModule>;

/// Makes the module, paused, tells the layer above the first-stage size through the configuration
/// that it will read, and gives the module to NDIS as the last step, after which nothing can fail.
///
/// # Errors
/// [`Status::UNSUPPORTED_MEDIA`], or [`Status::RESOURCES`]; nothing is left behind then.
pub(crate) fn attach(
    driver: Lent<Driver>,
    handle: ModuleHandle,
    parameters: &mut Parameters<'_>,
) -> Result<(), Status> {
    try_attach(driver, handle, parameters)
        .inspect_err(|status| driver.events.attach_failed(&parameters.identity, *status))
}

fn try_attach(
    driver: Lent<Driver>,
    handle: ModuleHandle,
    parameters: &mut Parameters<'_>,
) -> Result<(), Status> {
    let context = build(driver, handle, parameters)?.into_raw();
    // SAFETY: the context is alive until `detach`, which takes it off the list first.
    if let Err(status) = unsafe { driver.modules.insert(context) } {
        // SAFETY: nobody else has seen it.
        drop(unsafe { PoolBox::from_raw(TAG_MODULE, context) });
        return Err(status);
    }
    // SAFETY: as above.
    let module = unsafe { context.as_ref() }.get();
    let before = parameters
        .offload
        .as_mut()
        .and_then(|offload| announce(module, offload));
    handle.set_context(context).inspect_err(|_| {
        if let (Some(offload), Some(before)) = (parameters.offload.as_mut(), before) {
            before.restore(offload.bytes());
        }
        // SAFETY: NDIS did not take the context, so the module is still ours.
        unsafe { free(context) };
    })?;
    module.event_attach();
    module.event_tuning(module.settings.tuning, Source::Registry);
    Ok(())
}

/// Rewrites the configuration that the layer above will read. Returns what was there before.
fn announce(module: &FilterModule, offload: &mut AttachOffload<'_>) -> Option<Stored> {
    let bytes = offload.bytes();
    let before = Stored::of(bytes);
    match module.indicator.learn(bytes, &module.limits) {
        Ok(nic) if before.is_some() => {
            let _ = module.indicator.rewrite(bytes, &nic);
        }
        // What could not be put back, being longer than any known, is not changed.
        Ok(_) | Err(Malformed) => module.malformed_offload(),
    }
    module.indicator.bound_to(bytes);
    before
}

/// Frees the module.
///
/// # Safety
/// `context` is what [`attach`] gave to NDIS; the module is paused and NDIS uses it no more.
pub(crate) unsafe fn detach(context: NonNull<Context>) {
    // SAFETY: as the caller vouches.
    unsafe {
        let module = context.as_ref().get();
        // Pre-detach, where this is done first, comes only where a stack is taken down in good order.
        module.hardware.wait();
        module.event_detach();
        free(context);
    }
}

/// # Safety
/// As for [`detach`], or NDIS never got `context`.
unsafe fn free(context: NonNull<Context>) {
    // SAFETY: as the caller vouches, it is alive, listed, and nobody's but ours once it is off
    // the list; `attach` made it with this tag.
    unsafe {
        context.as_ref().get().driver.modules.remove(context);
        drop(PoolBox::from_raw(TAG_MODULE, context));
    }
}

/// The module of the filter module `handle`: paused, and mute.
///
/// # Errors
/// [`Status::UNSUPPORTED_MEDIA`], or [`Status::RESOURCES`]; nothing is left behind then.
fn build(
    driver: Lent<Driver>,
    handle: ModuleHandle,
    parameters: &mut Parameters<'_>,
) -> Result<PoolBox<Context>, Status> {
    if parameters.medium != sys::NdisMedium802_3 {
        return Err(Status::UNSUPPORTED_MEDIA);
    }
    let settings = {
        let _alone = driver.settings.lock();
        Settings::read(handle)?
    };
    let nic = parameters
        .offload
        .as_mut()
        .and_then(|offload| offload::capabilities(offload.bytes()).ok())
        .unwrap_or_default();
    let module = FilterModule {
        driver,
        handle,
        identity: parameters.identity,
        gate: Gate::try_new_closed(TAG_GATE)?,
        running: AtomicBool::new(false),
        limits: Limits::new(&nic),
        indicator: Indicator::new(settings.tuning, settings.software),
        settings_out_of_range: AtomicU32::new(settings.out_of_range()),
        settings,
        children: ChildPool::try_new(handle, capacity(&nic), settings.chains, READY_CHILDREN)?,
        counters: Counters::try_new()?,
        pending_oid: SpinLock::new(None),
        hardware: HardwareQuery::new(),
        malformed_offloads: AtomicU64::new(0),
        invalid_oid_headers: AtomicU64::new(0),
        mtu: AtomicU32::new(0),
    };
    let module = PoolBox::try_new(TAG_MODULE, Listed::try_new(module, TAG_GATE)?)?;
    module.get().indicator.initialize();
    module.get().pending_oid.initialize();
    Ok(module)
}

/// Payload in bytes that one child must be able to carry.
fn capacity(nic: &Capabilities) -> u32 {
    [
        nic.lso_v1.max_payload,
        nic.v2_ipv4.max_payload,
        nic.v2_ipv6.max_payload,
        nic.uso_ipv4.max_payload,
        nic.uso_ipv6.max_payload,
    ]
    .into_iter()
    .fold(LEAST_CAPACITY, u32::max)
}
