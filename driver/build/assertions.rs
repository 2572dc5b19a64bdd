//! The tables of `ndis-sys` as C assertions, which the WDK's compiler checks with the installed
//! `ndis.h`.
//!
//! `C_ASSERT` and `FIELD_OFFSET` are macros of the WDK. `_Static_assert` would need `/std:c11`,
//! under which cl.exe uses its conforming preprocessor (C++ documentation, "/Zc:preprocessor").
//! This one rejects `ndis.h` and, for Arm64, `wdm.h`: both paste tokens that form no valid token.

use std::fmt::Write;

use ndis_sys::{CONSTANTS, Field, LAYOUTS, Layout};

/// A C file that compiles only if every structure of `ndis-sys` matches the headers.
pub fn source() -> String {
    let mut c = String::from("#include <ndis.h>\n\n");
    for layout in LAYOUTS {
        for name in layout.c_names {
            structure(&mut c, by_member(name), layout);
        }
    }
    for (name, value) in CONSTANTS {
        assert(&mut c, &format!("(long long)({name}) == {value}LL"), name);
    }
    c
}

/// A structure that C declares inside of another is reached through the member that it is.
fn by_member(name: &str) -> &str {
    match name {
        "_REQUEST_DATA" => "NDIS_OID_REQUEST.DATA",
        "_QUERY" => "NDIS_OID_REQUEST.DATA.QUERY_INFORMATION",
        "_SET" => "NDIS_OID_REQUEST.DATA.SET_INFORMATION",
        "_METHOD" => "NDIS_OID_REQUEST.DATA.METHOD_INFORMATION",
        name => name,
    }
}

fn assert(c: &mut String, condition: &str, what: &str) {
    writeln!(c, "C_ASSERT({condition}); // {what}").expect("a string takes all");
}

/// Size of the structure, and place and size of each of its fields.
fn structure(c: &mut String, name: &str, layout: &Layout) {
    let (owner, member) = name.split_once('.').unwrap_or((name, ""));
    let size = layout.size;
    if member.is_empty() {
        assert(c, &format!("sizeof({owner}) == {size}"), name);
    } else {
        assert(
            c,
            &format!("sizeof((({owner} *)0)->{member}) == {size}"),
            name,
        );
    }
    for field in layout.fields.iter().filter(|field| is_in_c(field)) {
        let (path, base) = if member.is_empty() {
            (field.name.to_string(), "0".to_string())
        } else {
            let path = format!("{member}.{}", field.name);
            (path, format!("FIELD_OFFSET({owner}, {member})"))
        };
        let what = format!("{owner}.{path}");
        let place = format!("FIELD_OFFSET({owner}, {path}) - {base} == {}", field.offset);
        assert(c, &place, &what);
        // A field without a size of its own is an array that runs to the end.
        if field.size > 0 {
            let width = format!("sizeof((({owner} *)0)->{path}) == {}", field.size);
            assert(c, &width, &what);
        }
    }
}

/// Whether the field has its C name: one that stands for bit-fields or for half of a union has
/// a name of our own.
fn is_in_c(field: &Field) -> bool {
    field.stands_for.is_empty()
}
