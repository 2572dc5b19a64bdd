//! The administrator's trace session.

use super::World;
use crate::etw::{Session, TracedEvent};

impl World {
    /// The events that the session got so far. By default it records all.
    #[must_use]
    pub fn events(&self) -> Vec<TracedEvent> {
        self.state().kernel.tracing.events.clone()
    }

    /// The events since the last call.
    #[must_use]
    pub fn take_events(&self) -> Vec<TracedEvent> {
        std::mem::take(&mut self.state().kernel.tracing.events)
    }

    /// From now on the session records events up to `level`, 0 being all, with any bit of
    /// `keyword`.
    pub fn enable_tracing(&self, level: u8, keyword: u64) {
        self.state().kernel.tracing.session = Some(Session { level, keyword });
    }

    /// From now on there is no session.
    pub fn disable_tracing(&self) {
        self.state().kernel.tracing.session = None;
    }

    /// GUID and name of the provider that the driver has registered.
    #[must_use]
    pub fn trace_provider(&self) -> Option<(String, String)> {
        let state = self.state();
        let provider = state.kernel.tracing.provider.as_ref()?;
        let (id, name) = (provider.id, provider.name()?);
        let [a, b, rest @ ..] = id.Data4;
        let rest = rest.map(|byte| format!("{byte:02x}")).concat();
        let (one, two, three) = (id.Data1, id.Data2, id.Data3);
        let id = format!("{one:08x}-{two:04x}-{three:04x}-{a:02x}{b:02x}-{rest}");
        Some((id, name))
    }
}
