//! The virtual switch: its guests, and how large a large send may be.

use crate::LargeSendLimits;

use super::guest::{Guest, Mac};

/// See the module.
#[derive(Default)]
pub(super) struct Switch {
    advertised: LargeSendLimits,
    guests: Vec<Guest>,
}

impl Switch {
    /// Sets the sizes that large sends may have from now on, and advertises them to every guest.
    pub(super) fn learn(&mut self, limits: LargeSendLimits) {
        self.advertised = limits;
        for guest in &self.guests {
            guest.advertise(limits);
        }
    }

    pub(super) fn connect(&mut self, guest: Guest) {
        guest.advertise(self.advertised);
        self.guests.push(guest);
    }

    /// Takes a guest off; false where it is not on this switch.
    pub(super) fn disconnect(&mut self, guest: &Guest) -> bool {
        let before = self.guests.len();
        self.guests.retain(|one| !one.is(guest));
        self.guests.len() < before
    }

    pub(super) fn guests(&self) -> &[Guest] {
        &self.guests
    }

    /// The guest with the frame's destination address.
    pub(super) fn receiver(&self, frame: &[u8]) -> Option<Guest> {
        let destination: &Mac = frame.first_chunk()?;
        let mut guests = self.guests.iter();
        guests.find(|guest| guest.mac() == *destination).cloned()
    }
}
