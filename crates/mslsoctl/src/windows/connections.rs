//! The host's connections, by the IP helper, which asks no NIC for them.
//!
//! Its pages describe interfaces bound to TCP/IP. A NIC below a virtual switch is not bound, and
//! its name is looked up all the same: an interface that is not found has no name.

use windows_sys::Win32::Foundation::NO_ERROR;
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ConvertInterfaceAliasToLuid, ConvertInterfaceIndexToLuid, ConvertInterfaceLuidToAlias,
    ConvertInterfaceLuidToIndex,
};
use windows_sys::Win32::NetworkManagement::Ndis::{IF_MAX_STRING_SIZE, NET_LUID_LH};

use crate::connections::Connections;

/// The connections of this host.
#[derive(Clone, Copy, Debug)]
pub struct Host;

impl Connections for Host {
    fn index_of(&self, name: &str) -> Option<u32> {
        let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
        let mut luid = NET_LUID_LH::default();
        let mut index = 0;
        // SAFETY: `name` ends with a zero, and is only read; the calls write a LUID and an index to
        // variables of these types, and keep none of the pointers.
        let found = unsafe {
            ConvertInterfaceAliasToLuid(name.as_ptr(), &raw mut luid) == NO_ERROR
                && ConvertInterfaceLuidToIndex(&raw const luid, &raw mut index) == NO_ERROR
        };
        found.then_some(index)
    }

    fn name_of(&self, if_index: u32) -> Option<String> {
        let mut luid = NET_LUID_LH::default();
        let mut name = [0; IF_MAX_STRING_SIZE as usize + 1];
        // SAFETY: the calls write a LUID to a variable of that type, and no more than the given
        // number of UTF-16 units to `name`, which has as many; they keep none of the pointers.
        let found = unsafe {
            ConvertInterfaceIndexToLuid(if_index, &raw mut luid) == NO_ERROR
                && ConvertInterfaceLuidToAlias(&raw const luid, name.as_mut_ptr(), name.len())
                    == NO_ERROR
        };
        let end = name.iter().position(|unit| *unit == 0)?;
        (found && end > 0).then(|| String::from_utf16_lossy(&name[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::{Connections, Host};

    #[test]
    fn names_and_indices_lead_to_each_other() {
        // Interface 1 is the loopback's.
        let name = Host.name_of(1).expect("the loopback interface has a name");
        assert!(!name.is_empty() && !name.contains('\0'), "{name:?}");
        assert_eq!(Host.index_of(&name), Some(1));
        assert_eq!(Host.index_of("no connection is called so"), None);
        assert_eq!(Host.index_of(""), None);
        assert_eq!(Host.name_of(u32::MAX), None);
        assert_eq!(Host.name_of(0), None);
    }
}
