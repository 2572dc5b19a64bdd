//! A host of the story, with its advertised sizes, which are judged.

use control::{ReadReply, Tuning, first_stage_size};
use model::Violation;
use model::host::{Guest, Host};

use super::step::{Family, GuestView, HostView, Sizes};
use crate::device;
use crate::failure::Failure;

/// A host.
pub(super) struct Actor {
    pub(super) host: Host,
    /// Broken rules that were already reported.
    told: usize,
    /// Whether the coming detach was signalled to its filter.
    pub(super) leaving: bool,
}

impl Actor {
    pub(super) fn new(host: Host) -> Self {
        Self {
            host,
            told: 0,
            leaving: false,
        }
    }

    /// The sizes in use on the host, and a line for each wrong one.
    pub(super) fn look(&self) -> Result<(HostView, Vec<String>), Failure> {
        let says = device::read(self.host.world())?;
        let view = self.view(says.tuning);
        let wrong = self.misstated(&view, &says);
        Ok((view, wrong))
    }

    /// The new ones among all the rules `broken` on the host.
    pub(super) fn newly_broken(&mut self, mut broken: Vec<Violation>) -> Vec<String> {
        let new = broken.split_off(self.told);
        self.told += new.len();
        let name = self.host.name();
        new.iter().map(|rule| format!("{name}: {rule}")).collect()
    }

    fn view(&self, tuning: Tuning) -> HostView {
        let guest = |guest: &Guest| GuestView {
            name: guest.name().to_owned(),
            uses: guest.indicator().into(),
        };
        HostView {
            name: self.host.name().to_owned(),
            multiple: if self.leaving { 1 } else { tuning.multiple() },
            nic: self.host.nic_limits().into(),
            advertised: self.host.filter_advertises().into(),
            guests: self.host.guests().iter().map(guest).collect(),
        }
    }

    /// The wrong sizes, one line each: in the filter's report through its device, in the advertised
    /// configuration, or at a guest.
    fn misstated(&self, view: &HostView, says: &ReadReply) -> Vec<String> {
        let mut all = vec![
            (
                "the filter's report of the NIC".to_owned(),
                view.nic,
                Sizes {
                    ipv4: says.nic.v2_ipv4.max_payload,
                    ipv6: says.nic.v2_ipv6.max_payload,
                },
            ),
            (
                "the filter's report of itself".to_owned(),
                view.advertised,
                Sizes {
                    ipv4: says.advertised_v2_ipv4,
                    ipv6: says.advertised_v2_ipv6,
                },
            ),
            (
                "what is advertised".to_owned(),
                self.due(view.nic, says.tuning),
                view.advertised,
            ),
        ];
        let guests = view.guests.iter();
        all.extend(guests.map(|guest| (guest.name.clone(), view.advertised, guest.uses)));
        let wrong = all.iter().flat_map(|(who, due, found)| {
            let families = Family::ALL.map(|ip| (ip, due.over(ip), found.over(ip)));
            let wrong = families.into_iter().filter(|(_, due, found)| due != found);
            wrong.map(move |(ip, due, found)| {
                format!("{}, {}: {who} is {found}, not {due}", view.name, ip.name())
            })
        });
        wrong.collect()
    }

    /// The sizes that the filter must advertise over a NIC with the maxima `nic`.
    fn due(&self, nic: Sizes, tuning: Tuning) -> Sizes {
        if self.leaving {
            return nic;
        }
        Sizes {
            ipv4: first_stage_size(nic.ipv4, tuning),
            ipv6: first_stage_size(nic.ipv6, tuning),
        }
    }
}
