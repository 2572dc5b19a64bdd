//! The parameters that NDIS passes to FilterRestart.
#![expect(unsafe_code, reason = "fills C structures")]

use std::{collections::BTreeSet, mem::offset_of};

use ndis::sys;

use crate::{
    config::Config,
    memory::{Block, Memory},
};

/// The parameters with the list of attributes that they point to.
pub(crate) struct RestartParameters {
    parameters: Block,
    attributes: Vec<Block>,
    /// The OID of each.
    oids: Vec<sys::NDIS_OID>,
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
            oids: attributes
                .iter()
                .map(|block| {
                    let raw = block.start().cast::<sys::NDIS_RESTART_ATTRIBUTES>();
                    // SAFETY: the block is new and as long as the structure.
                    unsafe { (*raw).Oid }
                })
                .collect(),
            parameters,
            attributes,
        }
    }

    pub(crate) fn raw(&self) -> *mut sys::NDIS_FILTER_RESTART_PARAMETERS {
        self.parameters.start().cast()
    }

    /// Takes the attributes back from FilterRestart. A filter may change the data of those that it
    /// understands and add others, in memory that NDIS frees; where there are none, it adds none
    /// (Windows driver documentation, FILTER_RESTART). Returns the faults.
    pub(crate) fn take_back(&self, memory: &mut Memory) -> Vec<String> {
        let mut faults = Vec::new();
        let mut theirs = self
            .attributes
            .iter()
            .map(Block::address)
            .collect::<BTreeSet<_>>();
        // SAFETY: the parameters live as long as `self`.
        let mut next = unsafe { (*self.raw()).RestartAttributes };
        if self.attributes.is_empty() && !next.is_null() {
            return vec!["attributes were added where there are none".into()];
        }
        while !next.is_null() {
            let at = next.addr();
            if theirs.remove(&at) {
                // SAFETY: one of the attributes, which live as long as `self`.
                next = unsafe { (*next).Next };
            } else if let Some((added, _)) = memory.pool.remove(&at) {
                // SAFETY: memory of the driver's pool, which is freed here, as NDIS does.
                next = unsafe { (*next).Next };
                drop(added);
            } else {
                faults.push(format!(
                    "the attribute at {at:#x} is in memory that NDIS cannot free"
                ));
                break;
            }
        }
        if !theirs.is_empty() && faults.is_empty() {
            faults.push(format!(
                "{} attributes were taken out of the list",
                theirs.len()
            ));
        }
        for (block, oid) in self.attributes.iter().zip(&self.oids) {
            let raw = block.start().cast::<sys::NDIS_RESTART_ATTRIBUTES>();
            // SAFETY: the block lives as long as `self`.
            let now = unsafe { (*raw).Oid };
            if now != *oid {
                faults.push(format!("the OID of attribute {oid:#x} is now {now:#x}"));
            }
        }
        faults
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
