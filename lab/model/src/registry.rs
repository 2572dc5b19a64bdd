//! The filter module's parameters in the registry.

use std::collections::BTreeMap;

/// A value in the registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistryValue {
    /// REG_DWORD.
    Integer(u32),
    /// REG_SZ.
    Text(String),
    /// REG_BINARY.
    Bytes(Vec<u8>),
}

impl RegistryValue {
    /// The value as a number: NDIS reads a text as one too, in base 10 or 16.
    pub(crate) fn integer(&self, base: u32) -> Option<u32> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Text(text) => u32::from_str_radix(text, base).ok(),
            Self::Bytes(_) => None,
        }
    }
}

/// The value of `keyword`, whose case does not count.
pub(crate) fn find<'a>(
    registry: &'a BTreeMap<String, RegistryValue>,
    keyword: &str,
) -> Option<&'a RegistryValue> {
    let mut all = registry.iter();
    all.find(|(name, _)| name.eq_ignore_ascii_case(keyword))
        .map(|(_, value)| value)
}

/// Writes the value of `keyword` under the spelling that is there.
pub(crate) fn write(
    registry: &mut BTreeMap<String, RegistryValue>,
    keyword: &str,
    value: RegistryValue,
) {
    let known = registry
        .keys()
        .find(|name| name.eq_ignore_ascii_case(keyword));
    let name = known.cloned().unwrap_or_else(|| keyword.into());
    registry.insert(name, value);
}
