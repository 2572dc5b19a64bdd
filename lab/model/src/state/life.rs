//! The driver and its modules: where they are in their life.

use std::ptr;

use ndis::sys;

/// The subject of findings about a module that is restarting.
pub(crate) const RESTARTING: &str = "restarting module";

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
    /// FilterRestart has been called and the restart is not complete.
    Restarting,
    /// FilterPause has been called and the pause is not complete.
    Pausing,
    /// Running.
    Running,
    /// FilterDetach has been called and has not returned.
    Detaching,
}

/// A module's life.
pub(crate) struct Life {
    /// NDIS's handle of the module.
    pub(crate) handle: usize,
    pub(crate) module: ModuleState,
    /// The filter module's context, null until the driver has set it.
    pub(crate) context: sys::NDIS_HANDLE,
    /// Whether the filter was notified of the coming detach (pre-detach).
    pub(crate) pre_detached: bool,
    /// How often the module was restarted.
    pub(crate) restarts: u64,
    /// The number of the restart since which it runs, once FilterRestart has returned and until the
    /// next pause begins.
    pub(crate) running_since: Option<u64>,
    /// Whether new sends have to come back as paused: FilterPause waits, or has returned, or
    /// FilterRestart has not begun its work.
    pub(crate) refusing: bool,
    /// NdisFPauseComplete calls of the pause under way.
    pub(crate) pauses_completed: u32,
    /// NdisFRestartComplete calls of the restart under way, with the last one's status; none while
    /// no restart is pending.
    pub(crate) restart_completed: Option<(u32, i32)>,
    /// Whether sends went down since the module is restarting.
    pub(crate) sent_in_restart: bool,
    /// Whether the driver asked NDIS to restart the module.
    pub(crate) restart_requested: bool,
    /// Whether the driver asked for the handlers of the virtual switch.
    pub(crate) switch_extension: bool,
    /// Whether the filter was notified that the device goes to a low-power state, and handled it.
    pub(crate) low_power: bool,
    /// Whether FilterSetModuleOptions runs, which alone may change the module's handlers.
    pub(crate) in_options: bool,
    /// The module's handlers of the data path, where the driver has set other ones.
    pub(crate) data_handlers: Option<sys::NDIS_FILTER_DRIVER_CHARACTERISTICS>,
}

#[expect(unsafe_code, reason = "keeps the module's context")]
// SAFETY: the model passes the context back to the driver and never looks behind it.
unsafe impl Send for Life {}

impl Life {
    /// The life of a module that is not attached.
    pub(super) fn new(handle: usize) -> Self {
        Self {
            handle,
            module: ModuleState::default(),
            context: ptr::null_mut(),
            pre_detached: false,
            restarts: 0,
            running_since: None,
            refusing: false,
            pauses_completed: 0,
            restart_completed: None,
            sent_in_restart: false,
            restart_requested: false,
            switch_extension: false,
            low_power: false,
            in_options: false,
            data_handlers: None,
        }
    }
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
