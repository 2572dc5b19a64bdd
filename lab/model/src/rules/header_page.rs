//! Rule 11: the headers of a child are in one page.

use ndis::sys;

use crate::miniport::{Given, GivenPacket};
use crate::{
    mdl::Read,
    rules::{Finding, Level, Rule},
    state::State,
};

const PAGE: usize = sys::PAGE_SIZE as usize;

impl State {
    /// A driver that takes the first element of a scatter-gather list for all headers, as gVNIC's
    /// does, needs them in one page: an element does not go on in a page elsewhere in memory.
    pub(crate) fn check_header_page(&mut self, given: &Given, packet: &GivenPacket, read: &Read) {
        let (Some(first), Some(layout)) = (read.windows.first(), packet.layout) else {
            return;
        };
        let in_page = first.address.addr() % PAGE;
        let headers = layout.payload.min(first.length);
        if in_page + headers > PAGE {
            let found = format!("{headers} bytes of header from {in_page} bytes into a page");
            let finding = Finding::at(Level::Advice, Rule::Headers, found);
            self.finding(&*given.name, finding);
        }
    }
}
