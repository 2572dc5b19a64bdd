//! The JSON output of `--json`.

use serde::Serialize;

/// The number of the form that all JSON of the program has, in its field `schema`. A field that is
/// added leaves it; one that is removed, renamed or gets another meaning is a new number.
pub const SCHEMA: u32 = 2;

#[derive(Serialize)]
struct Versioned<'a, T> {
    schema: u32,
    #[serde(flatten)]
    value: &'a T,
}

/// Returns `value`, an object, in one line, with the number of the form.
pub fn line<T: Serialize>(value: &T) -> String {
    let schema = SCHEMA;
    // Numbers and names cannot fail to be written.
    serde_json::to_string(&Versioned { schema, value }).unwrap_or_default() + "\n"
}

/// Returns the same in several lines, for a file that people read too.
pub fn pretty<T: Serialize>(value: &T) -> String {
    let schema = SCHEMA;
    serde_json::to_string_pretty(&Versioned { schema, value }).unwrap_or_default() + "\n"
}

/// Whether `value` is its type's default, and may be left out.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
