//! FilterAttach and FilterDetach: a filter module's beginning and end.
#![expect(unsafe_code, reason = "NDIS keeps the module as a raw pointer")]

use core::{
    ptr::NonNull,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64},
};

use children::{ChildPool, PoolLimits};
use control::event_log::ATTACH_FAILED;
use ndis::{
    AttachOffload, DriverRef, Insertion, ModuleEntry, ModuleHandle, OffloadConfig, PoolBox,
    RundownRef, SpinLock, Status, Tag, oid::OffloadQuery, sys,
};

use crate::{
    advertiser::Advertiser,
    identity::Identity,
    module::{Driver, FilterModule},
    module_events::Source,
    nic_caps::NicCaps,
    settings::Settings,
    statistics::Counters,
};

/// Children that rest with each processor: three sends of 1 MiB in flight. A busier processor
/// allocates the rest once and keeps it until the module is paused. docs/tune.md says how much
/// memory that is.
const PREALLOCATED_CHILDREN: u32 = 64;

/// Least payload in bytes that children are allocated for, so that a NIC whose maximum grows while
/// the module is attached need not wait for the next attach.
const MIN_CAPACITY: u32 = 256 << 10;

/// The fields of FilterAttach's parameters that are used.
pub(crate) struct Parameters<'call> {
    pub(crate) medium: i32,
    pub(crate) identity: Identity,
    /// The configuration that the overlying driver will read; `None` if the miniport has no task
    /// offload.
    pub(crate) offload: Option<AttachOffload<'call>>,
}

/// A module as NDIS keeps it.
pub(crate) type Context = ModuleEntry<FilterModule>;

/// Creates the module, paused, advertises the first-stage size through the configuration that the
/// overlying driver will read, and sets it as NDIS's module context as the last step, after which
/// nothing can fail.
///
/// # Errors
/// [`Status::UNSUPPORTED_MEDIA`], or [`Status::RESOURCES`]; nothing is left behind then.
pub(crate) fn attach(
    driver: DriverRef<Driver>,
    handle: ModuleHandle,
    parameters: &mut Parameters<'_>,
) -> Result<(), Status> {
    try_attach(driver, handle, parameters).inspect_err(|status| {
        let identity = &parameters.identity;
        driver.events.attach_failed(identity, *status);
        let adapter = [
            Insertion::Number(identity.base_if_index),
            Insertion::Text(identity.name.units()),
        ];
        driver.error_log.write(ATTACH_FAILED, *status, &adapter);
    })
}

fn try_attach(
    driver: DriverRef<Driver>,
    handle: ModuleHandle,
    parameters: &mut Parameters<'_>,
) -> Result<(), Status> {
    if parameters.medium != sys::NdisMedium802_3 {
        return Err(Status::UNSUPPORTED_MEDIA);
    }
    let nic = nic_of(parameters);
    let context = build(driver, handle, &parameters.identity, &nic)?;
    context.get().children.preallocate()?;
    let context = context.into_raw();
    // SAFETY: the context is alive until `detach`, which takes it off the list first.
    if let Err(status) = unsafe { driver.modules.insert(context) } {
        // SAFETY: the context has not been shared yet.
        drop(unsafe { PoolBox::from_raw(Tag::MODULE, context) });
        return Err(status);
    }
    // SAFETY: as above.
    let module = unsafe { context.as_ref() }.get();
    let is_right = parameters
        .offload
        .as_mut()
        .is_none_or(|offload| advertise_default_config(module, offload));
    handle.set_context(context).inspect_err(|_| {
        if let Some(offload) = parameters.offload.as_mut() {
            module.advertiser.restore(offload.bytes());
        }
        // SAFETY: NDIS did not take the context, so the module is still ours.
        unsafe { free(context) };
    })?;
    if !is_right {
        module.count_malformed_offload();
    }
    module.event_attach();
    module.event_tuning(module.settings.tuning, Source::Registry);
    Ok(())
}

/// Rewrites the configuration that the overlying driver will read. Returns whether it is right.
#[inline(never)]
fn advertise_default_config(module: &FilterModule, offload: &mut AttachOffload<'_>) -> bool {
    let buffer = offload.bytes();
    let Ok(mut config) = OffloadConfig::copy_from(buffer) else {
        return false;
    };
    let nic = module.advertiser.record_default(&config);
    // A configuration that cannot be restored, being longer than any known revision, is not changed.
    let is_whole = config.is_whole();
    if is_whole {
        module.advertiser.rewrite(&mut config, &nic);
        config.copy_to(buffer);
    }
    module.advertiser.record_bind_config(&config, &nic);
    is_whole
}

/// Frees the module.
///
/// # Safety
/// [`attach`] set `context` in NDIS; the module is paused and NDIS uses it no more.
pub(crate) unsafe fn detach(context: NonNull<Context>) {
    // SAFETY: `context` is a module of `attach`, paused and no longer used by NDIS, by this
    // function's contract.
    unsafe {
        let module = context.as_ref().get();
        // From here on no thread that tunes the adapter may indicate a status.
        module.advertiser.suspend();
        // Pre-detach, where this is done first, comes only if the stack is torn down in an orderly
        // way.
        module.current_query.wait();
        module.hardware_query.wait();
        module.event_detach();
        free(context);
    }
}

/// # Safety
/// As for [`detach`], or NDIS never got `context`.
unsafe fn free(context: NonNull<Context>) {
    // SAFETY: `context` is alive and listed, by this function's contract, and not shared once it is
    // off the list; `attach` allocated it with this tag.
    unsafe {
        context.as_ref().get().driver.modules.remove(context);
        drop(PoolBox::from_raw(Tag::MODULE, context));
    }
}

/// Writes the fields of the structure at `place`. It compiles only if all of them are named.
macro_rules! write_fields {
    ($place:expr, $type:ident { $($field:ident $(: $value:expr)?,)* }) => {
        let _ = |$type { $($field: _,)* }: &$type| ();
        $((&raw mut (*$place).$field).write(write_fields!(@ $field $(: $value)?));)*
    };
    (@ $field:ident: $value:expr) => { $value };
    (@ $field:ident) => { $field };
}

/// Builds the module of `handle`: paused, with its advertiser suspended.
///
/// # Errors
/// [`Status::RESOURCES`]; nothing is left behind then.
#[inline(never)]
fn build(
    driver: DriverRef<Driver>,
    handle: ModuleHandle,
    identity: &Identity,
    nic: &NicCaps,
) -> Result<PoolBox<Context>, Status> {
    let settings = read_settings(driver, handle)?;
    let limits = PoolLimits {
        capacity: capacity(nic),
        max_sg_elements: settings.attach.max_sg_elements.get(),
        memory: settings.memory_bound(),
        ready: PREALLOCATED_CHILDREN,
    };
    let rundown = RundownRef::try_new_run_down(Tag::RUNDOWN)?;
    let advertiser = new_advertiser(nic, &settings)?;
    let identity = new_identity(identity)?;
    let children = ChildPool::try_new(handle, limits)?;
    let counters = Counters::try_new()?;
    let current_query = OffloadQuery::try_new(sys::OID_TCP_OFFLOAD_CURRENT_CONFIG)?;
    let hardware_query = OffloadQuery::try_new(sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES)?;
    let entry = ModuleEntry::<FilterModule>::allocate(Tag::MODULE, Tag::RUNDOWN)?;
    let module = entry.value();
    // SAFETY: the place is the entry's; all fields are written.
    let module = unsafe {
        write_fields!(
            module,
            FilterModule {
                driver,
                handle,
                identity,
                rundown,
                running: AtomicBool::new(false),
                advertiser,
                settings_out_of_range: AtomicU32::new(settings.out_of_range),
                settings,
                children,
                counters,
                pending_oid: SpinLock::new(None),
                current_query,
                hardware_query,
                malformed_offloads: AtomicU64::new(0),
                invalid_oid_headers: AtomicU64::new(0),
                mtu: AtomicU32::new(0),
            }
        );
        entry.finish()
    };
    module.get().advertiser.initialize();
    module.get().pending_oid.initialize();
    module.get().current_query.initialize();
    module.get().hardware_query.initialize();
    module.get().counters.initialize();
    Ok(module)
}

/// The NIC's capabilities as the parameters have them.
#[inline(never)]
fn nic_of(parameters: &mut Parameters<'_>) -> NicCaps {
    parameters
        .offload
        .as_mut()
        .and_then(|offload| OffloadConfig::copy_from(offload.bytes()).ok())
        .map_or_else(NicCaps::default, |config| NicCaps::from(&config))
}

/// The adapter's settings. Out of line, as what follows: the pieces of a module are on the stack
/// together.
#[inline(never)]
fn read_settings(driver: DriverRef<Driver>, handle: ModuleHandle) -> Result<Settings, Status> {
    let _lock = driver.settings.lock();
    Settings::read(handle)
}

/// The advertiser, in an allocation of its own and made in a frame of its own: it is long.
#[inline(never)]
fn new_advertiser(nic: &NicCaps, settings: &Settings) -> Result<PoolBox<Advertiser>, Status> {
    PoolBox::try_new(
        Tag::MODULE,
        Advertiser::new(*nic, settings.tuning, settings.attach.software),
    )
}

/// The identity, likewise.
#[inline(never)]
fn new_identity(identity: &Identity) -> Result<PoolBox<Identity>, Status> {
    PoolBox::try_new(Tag::MODULE, *identity)
}

/// Payload in bytes that one child must be able to carry.
fn capacity(nic: &NicCaps) -> u32 {
    [
        nic.lso_v1.max_payload,
        nic.lso_v2_ipv4.max_payload,
        nic.lso_v2_ipv6.max_payload,
        nic.uso_ipv4.max_payload,
        nic.uso_ipv6.max_payload,
    ]
    .into_iter()
    .fold(MIN_CAPACITY, u32::max)
}
