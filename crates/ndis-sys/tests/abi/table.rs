//! Reading the tables of the WDK's structures, which are in `data`, and comparing a layout with them.
//! Where the WDK is installed, `driver/abi-check` compares with its headers themselves.

use std::{collections::BTreeMap, ops::Range};

use ndis_sys::{Field, Layout};
use serde::Deserialize;

/// Structures of one architecture, by their names in C.
#[derive(Deserialize)]
pub struct AbiTable {
    pub structs: BTreeMap<String, Row>,
}

/// A structure, or a member that is one. A member's alignment isn't in the table.
#[derive(Deserialize)]
pub struct Row {
    #[serde(default)]
    name: String,
    #[serde(default)]
    offset: usize,
    size: usize,
    align: Option<usize>,
    #[serde(default)]
    fields: Vec<Row>,
}

/// Constants and enumerators, by their names in C.
#[derive(Deserialize)]
pub struct ConstantTable {
    constants: BTreeMap<String, Constant>,
    enums: BTreeMap<String, BTreeMap<String, i64>>,
}

#[derive(Deserialize)]
struct Constant {
    value: i64,
}

impl ConstantTable {
    pub fn parse(json: &str) -> Self {
        serde_json::from_str(json).expect("a table of constants")
    }

    pub fn value(&self, name: &str) -> Option<i64> {
        let constant = self.constants.get(name).map(|constant| constant.value);
        constant.or_else(|| self.enums.values().find_map(|one| one.get(name)).copied())
    }
}

impl AbiTable {
    pub fn parse(json: &str) -> Self {
        serde_json::from_str(json).expect("a table of structures")
    }

    /// The differences between `layout` and this table, one line each.
    ///
    /// A member with members of its own must have a layout somewhere, or be one of `words`.
    pub fn differences(&self, layout: &Layout, words: &[&str]) -> Vec<String> {
        layout
            .c_names
            .iter()
            .flat_map(|c_name| match self.row(c_name) {
                Some(row) => row.differences(c_name, layout, words),
                None => vec![format!("{c_name}: not in the table")],
            })
            .collect()
    }

    /// Finds `STRUCT` or `STRUCT.Member`.
    fn row(&self, path: &str) -> Option<&Row> {
        let mut names = path.split('.');
        let root = self.structs.get(names.next()?)?;
        names.try_fold(root, |row, name| row.field(name))
    }
}

impl Row {
    fn field(&self, name: &str) -> Option<&Row> {
        self.fields.iter().find(|field| field.name == name)
    }

    fn bytes(&self) -> Range<usize> {
        self.offset..self.offset + self.size
    }

    fn differences(&self, c_name: &str, layout: &Layout, words: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        if layout.size != self.size {
            found.push(format!(
                "{c_name}: size {}, in C {}",
                layout.size, self.size
            ));
        }
        if let Some(align) = self.align
            && layout.align != align
        {
            found.push(format!(
                "{c_name}: alignment {}, in C {align}",
                layout.align
            ));
        }
        let fields = layout.fields.iter();
        found.extend(fields.filter_map(|field| self.unknown(c_name, field)));
        let rows = self.fields.iter();
        found.extend(rows.filter_map(|row| row.mismatch(c_name, layout)));
        let parts = self.fields.iter().filter(|row| !row.fields.is_empty());
        found.extend(parts.filter_map(|row| row.unopened(c_name, words)));
        found
    }

    /// A field of Rust's must be one of C's, or stand for some of them.
    fn unknown(&self, c_name: &str, field: &Field) -> Option<String> {
        let named = self.field(field.name).is_some();
        let stands_for_some = !field.stands_for.is_empty();
        let all_known = field
            .stands_for
            .iter()
            .all(|name| self.field(name).is_some());
        let known = (named || stands_for_some) && all_known;
        (!known).then(|| format!("{c_name}.{}: C has no such field", field.name))
    }

    /// A field of C's must be in Rust on the same bytes, or on the bytes of one that stands for it.
    fn mismatch(&self, c_name: &str, layout: &Layout) -> Option<String> {
        let (name, bytes) = (&self.name, self.bytes());
        if let Some(field) = layout.fields.iter().find(|field| field.name == name) {
            let rust = extent(field);
            return (rust != bytes)
                .then(|| format!("{c_name}.{name}: bytes {rust:?}, in C {bytes:?}"));
        }
        let covered = layout.fields.iter().any(|field| {
            field.stands_for.contains(&name.as_str()) && overlap(&extent(field), &bytes)
        });
        (!covered).then(|| format!("{c_name}.{name}: no field of Rust's is on bytes {bytes:?}"))
    }

    /// A member with members of its own must have been compared too.
    fn unopened(&self, c_name: &str, words: &[&str]) -> Option<String> {
        let path = format!("{c_name}.{}", self.name);
        let mut layouts = ndis_sys::LAYOUTS.iter();
        let compared = layouts.any(|layout| layout.c_names.contains(&path.as_str()));
        let any = format!("{c_name}.*");
        let known = compared || words.contains(&path.as_str()) || words.contains(&any.as_str());
        (!known).then(|| format!("{path}: has members, but no layout"))
    }
}

fn extent(field: &Field) -> Range<usize> {
    field.offset..field.offset + field.size
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}
