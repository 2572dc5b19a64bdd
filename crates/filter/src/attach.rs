//! FilterAttach and FilterDetach: a filter module's beginning and end.
#![expect(
    unsafe_code,
    reason = "attach parameters and the module's context are raw pointers"
)]

use core::ptr::NonNull;

use ndis::{
    ChildPool, Exit, Gate, LargeSendLimits, ModuleHandle, PoolBox, Status, Tag, read_limits, sys,
};

use crate::{
    limits::Limits,
    settings::Settings,
    statistics::{Counters, Statistics},
};

const TAG_MODULE: Tag = Tag::new(*b"MslM");
const TAG_GATE: Tag = Tag::new(*b"MslG");

/// Children that wait ready on each processor: 15 sends of 1 MiB in flight, in about 280 KiB. What
/// a busier processor needs is allocated once and stays with it.
const READY_CHILDREN: u32 = 256;

/// Least payload in bytes that children are made for, so that a NIC whose maximum grows while the
/// module is attached need not wait for the next attach.
const LEAST_CAPACITY: u32 = 256 << 10;

/// One NIC's instance of the filter.
pub(crate) struct FilterModule {
    pub(crate) handle: ModuleHandle,
    /// Open while running. Every send call is inside while it lasts, every parent until it is
    /// completed.
    pub(crate) gate: Gate,
    pub(crate) limits: Limits,
    pub(crate) settings: Settings,
    pub(crate) children: ChildPool,
    pub(crate) counters: Counters,
}

impl FilterModule {
    /// The way out of the module's gate.
    pub(crate) fn exit(&self) -> Exit {
        self.gate.exit()
    }

    /// What the module has done since it was attached.
    pub(crate) fn statistics(&self) -> Statistics {
        self.counters.sum(self.children.allocations())
    }
}

/// What FilterAttach needs of its parameters.
pub(crate) struct Parameters {
    medium: i32,
    nic: LargeSendLimits,
}

impl Parameters {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Status::BAD_VERSION`] where they are not what NDIS 6.0 and later pass.
    ///
    /// # Safety
    /// `parameters` is what NDIS passed to FilterAttach, which has not returned.
    pub(crate) unsafe fn read(
        parameters: *const sys::NDIS_FILTER_ATTACH_PARAMETERS,
    ) -> Result<Self, Status> {
        // SAFETY: the caller vouches for the parameters; the fields read are in every revision.
        unsafe {
            if parameters.is_null()
                || (*parameters).Header.Type != sys::NDIS_OBJECT_TYPE_FILTER_ATTACH_PARAMETERS
            {
                return Err(Status::BAD_VERSION);
            }
            let offload = (*parameters).DefaultOffloadConfiguration;
            Ok(Self {
                medium: (*parameters).MiniportMediaType,
                // A miniport without task offload has none: then all limits are zero.
                nic: if offload.is_null() {
                    LargeSendLimits::default()
                } else {
                    read_limits(offload)
                },
            })
        }
    }

    /// Payload in bytes that one child must be able to carry.
    fn capacity(&self) -> u32 {
        let nic = &self.nic;
        [nic.v1, nic.v2_ipv4, nic.v2_ipv6]
            .iter()
            .map(|limit| limit.max_payload)
            .fold(LEAST_CAPACITY, u32::max)
    }
}

/// Makes the module, paused, and gives it to NDIS as its last step, after which nothing can fail.
///
/// # Errors
/// [`Status::UNSUPPORTED_MEDIA`], or [`Status::RESOURCES`]; nothing is left behind then.
pub(crate) fn attach(handle: ModuleHandle, parameters: &Parameters) -> Result<(), Status> {
    if parameters.medium != sys::NdisMedium802_3 {
        return Err(Status::UNSUPPORTED_MEDIA);
    }
    let module = PoolBox::try_new(
        TAG_MODULE,
        FilterModule {
            handle,
            gate: Gate::try_new_closed(TAG_GATE)?,
            limits: Limits::new(&parameters.nic),
            settings: Settings::read(handle),
            children: ChildPool::try_new(handle, parameters.capacity(), READY_CHILDREN)?,
            counters: Counters::try_new()?,
        },
    )?;
    let context = module.into_raw();
    handle.set_context(context).inspect_err(|_| {
        // SAFETY: NDIS did not take the context, so the module is still ours.
        unsafe { detach(context) };
    })
}

/// Frees the module.
///
/// # Safety
/// `context` is what [`attach`] gave to NDIS; the module is paused and nobody uses it any more.
pub(crate) unsafe fn detach(context: NonNull<FilterModule>) {
    // SAFETY: `attach` made it with this tag; the caller vouches for the rest.
    drop(unsafe { PoolBox::from_raw(TAG_MODULE, context) });
}
