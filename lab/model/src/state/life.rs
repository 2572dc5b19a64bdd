//! The driver and its module: where they are in their life.

use ndis::sys;

/// Where a filter module is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ModuleState {
    /// No module.
    #[default]
    Detached,
    /// FilterAttach has been called and has not returned.
    Attaching,
    /// Attached, or paused again.
    Paused,
    /// FilterPause has been called and the pause is not complete.
    Pausing,
    /// Running.
    Running,
    /// FilterDetach has been called and has not returned.
    Detaching,
}

/// The driver, and its module's life.
#[derive(Default)]
pub(crate) struct Life {
    pub(crate) driver: Option<Driver>,
    pub(crate) module: ModuleState,
    /// The filter module's context.
    pub(crate) context: usize,
    /// Whether the filter was notified of the coming detach (pre-detach).
    pub(crate) pre_detached: bool,
    /// How often the module was restarted.
    pub(crate) restarts: u64,
    /// The number of the restart since which it runs, once FilterRestart has returned and until the
    /// next pause begins.
    pub(crate) running_since: Option<u64>,
    /// Whether new sends have to come back as paused: FilterPause waits, or has returned.
    pub(crate) refusing: bool,
    /// NdisFPauseComplete calls of the pause under way.
    pub(crate) pauses_completed: u32,
    /// NdisFRestartComplete calls of the restart under way, with the last one's status; none while
    /// no restart is pending.
    pub(crate) restart_completed: Option<(u32, i32)>,
    /// Whether the driver asked NDIS to restart the module.
    pub(crate) restart_requested: bool,
    /// Whether the driver asked for the handlers of the virtual switch.
    pub(crate) switch_extension: bool,
}

/// The filter driver's registration.
#[derive(Clone, Copy)]
pub(crate) struct Driver {
    /// The context that the driver expects back at attach.
    pub(crate) context: sys::NDIS_HANDLE,
    pub(crate) characteristics: sys::NDIS_FILTER_DRIVER_CHARACTERISTICS,
}

#[expect(unsafe_code, reason = "the registration holds raw pointers")]
// SAFETY: the strings in the characteristics are the driver's constants, the handlers are code,
// and the context is only passed back to the driver.
unsafe impl Send for Driver {}
