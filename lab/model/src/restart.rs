//! The parameters that NDIS passes to FilterRestart.
#![expect(unsafe_code, reason = "fills C structures")]

use std::mem::offset_of;

use ndis::sys;

use crate::{memory::Block, world::Config};

/// The parameters with the list of attributes that they point to.
pub(crate) struct RestartParameters {
    parameters: Block,
    _attributes: Vec<Block>,
}

impl RestartParameters {
    /// The parameters for a module over a miniport with this MTU, if the miniport reports one.
    pub(crate) fn new(config: &Config, mtu: Option<u32>) -> Self {
        let parameters = Block::new(size_of::<sys::NDIS_FILTER_RESTART_PARAMETERS>(), 8);
        let attributes: Vec<_> = mtu.map_or_else(Vec::new, |mtu| {
            let general = attribute(sys::OID_GEN_MINIPORT_RESTART_ATTRIBUTES, &general(mtu));
            let other = attribute(sys::OID_GEN_LINK_SPEED, &100_000_u32.to_ne_bytes());
            // NDIS makes no promise of the attributes' order, but has the general ones first.
            if config.restart_attributes_reversed {
                vec![other, general]
            } else {
                vec![general, other]
            }
        });
        let raw = parameters
            .start()
            .cast::<sys::NDIS_FILTER_RESTART_PARAMETERS>();
        // SAFETY: the blocks are new and as long as the structures.
        unsafe {
            (*raw).Header = sys::NDIS_OBJECT_HEADER {
                Type: sys::NDIS_OBJECT_TYPE_FILTER_RESTART_PARAMETERS,
                Revision: sys::NDIS_FILTER_RESTART_PARAMETERS_REVISION_1,
                Size: sys::NDIS_SIZEOF__FILTER_RESTART_PARAMETERS_REVISION_1,
            };
            (*raw).MiniportMediaType = config.medium;
            let mut place = &raw mut (*raw).RestartAttributes;
            for block in &attributes {
                let attribute = block.start().cast::<sys::NDIS_RESTART_ATTRIBUTES>();
                *place = attribute;
                place = &raw mut (*attribute).Next;
            }
        }
        Self {
            parameters,
            _attributes: attributes,
        }
    }

    pub(crate) fn raw(&self) -> *mut sys::NDIS_FILTER_RESTART_PARAMETERS {
        self.parameters.start().cast()
    }
}

/// One attribute with `data`.
fn attribute(oid: sys::NDIS_OID, data: &[u8]) -> Block {
    let head = offset_of!(sys::NDIS_RESTART_ATTRIBUTES, Data);
    let size = (head + data.len()).max(size_of::<sys::NDIS_RESTART_ATTRIBUTES>());
    let block = Block::new(size, 16);
    let raw = block.start().cast::<sys::NDIS_RESTART_ATTRIBUTES>();
    // SAFETY: the block is new and has room for the data behind the head.
    unsafe {
        (*raw).Oid = oid;
        (*raw).DataLength = data.len() as u32;
        std::ptr::copy_nonoverlapping(data.as_ptr(), block.start().add(head), data.len());
    }
    block
}

/// The bytes of an NDIS_RESTART_GENERAL_ATTRIBUTES with this MTU.
fn general(mtu: u32) -> Vec<u8> {
    let size = sys::NDIS_SIZEOF_RESTART_GENERAL_ATTRIBUTES_REVISION_2;
    let mut bytes = vec![0; usize::from(size)];
    bytes[0] = sys::NDIS_OBJECT_TYPE_RESTART_GENERAL_ATTRIBUTES;
    bytes[1] = sys::NDIS_RESTART_GENERAL_ATTRIBUTES_REVISION_2;
    bytes[2..4].copy_from_slice(&size.to_ne_bytes());
    let at = offset_of!(sys::NDIS_RESTART_GENERAL_ATTRIBUTES, MtuSize);
    bytes[at..at + 4].copy_from_slice(&mtu.to_ne_bytes());
    bytes
}
