//! The macros that check an ABI statement.
//!
//! `layout!` takes the names of a module's structures and of their fields. It asserts size and
//! alignment at compile time, and makes an entry of that module's `LAYOUTS` from where the compiler
//! puts each field; `constants!` defines a module's constants and lists them in its `CONSTANTS`.

/// One field of a structure: its name, offset and width in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name in Rust, which is the C name unless `stands_for` says otherwise.
    pub name: &'static str,
    /// Bytes from the start of the structure.
    pub offset: usize,
    /// Bytes taken by the field.
    pub size: usize,
    /// C fields that lie on these bytes and that Rust has no field for: further members of a
    /// union, and bit-fields of a word.
    pub stands_for: &'static [&'static str],
}

/// One structure as the other side of the ABI must see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The structure's name in Rust.
    pub name: &'static str,
    /// Its name in C; a structure that has none there is named by the members that have its shape,
    /// as in `NDIS_TCP_LARGE_SEND_OFFLOAD_V2.IPv4`.
    pub c_names: &'static [&'static str],
    /// `size_of`, in bytes.
    pub size: usize,
    /// `align_of`, in bytes.
    pub align: usize,
    /// Its fields, without padding.
    pub fields: &'static [Field],
}

/// Asserts and records the layout of a module's structures.
///
/// ```text
/// layout! {
///     NAME: size BYTES, align BYTES {
///         Field,
///         Field = OtherUnionMember BitField,   // C fields on the same bytes
///     }
///     NAME in "C_OWNER.Member" "C_OWNER.Other": size BYTES, align BYTES { … }  // nameless in C
/// }
/// ```
macro_rules! layout {
    ($(
        $name:ident $(in $($c_name:literal)+)? : size $size:literal, align $align:literal {
            $( $field:ident $(= $($other:ident)+)? ),* $(,)?
        }
    )*) => {
        $( const _: () = {
            assert!(size_of::<$name>() == $size, concat!("size of ", stringify!($name)));
            assert!(align_of::<$name>() == $align, concat!("alignment of ", stringify!($name)));
        }; )*

        pub(crate) const LAYOUTS: &[$crate::layout::Layout] = &[$(
            $crate::layout::Layout {
                name: stringify!($name),
                c_names: layout!(@c_names $name $($($c_name)+)?),
                size: $size,
                align: $align,
                fields: &[$(
                    $crate::layout::Field {
                        name: stringify!($field),
                        offset: ::core::mem::offset_of!($name, $field),
                        // SAFETY: `width` never calls the closure; it needs only the types in its
                        // signature.
                        size: $crate::layout::width(|object: *const $name| unsafe {
                            &raw const (*object).$field
                        }),
                        stands_for: &[$($(stringify!($other)),+)?],
                    }
                ),*],
            }
        ),*];
    };
    (@c_names $name:ident) => { &[stringify!($name)] };
    (@c_names $name:ident $($c_name:literal)+) => { &[$($c_name),+] };
}

/// Defines a module's constants, by type, and lists them in its `CONSTANTS`.
macro_rules! constants {
    ($( $type:ty { $( $(#[$doc:meta])* $name:ident = $value:expr; )+ } )+) => {
        $($( $(#[$doc])* pub const $name: $type = $value; )+)+

        pub(crate) const CONSTANTS: &[(&str, i64)] = &[
            $($( (stringify!($name), $name as i64) ),+),+
        ];
    };
}

/// The size of the projection's target.
pub(crate) const fn width<S, F>(_: fn(*const S) -> *const F) -> usize {
    size_of::<F>()
}

/// The total number of entries of all groups.
pub(crate) const fn total<T>(groups: &[&[T]]) -> usize {
    let (mut sum, mut group) = (0, 0);
    while group < groups.len() {
        sum += groups[group].len();
        group += 1;
    }
    sum
}

/// The groups' entries in one array; `N` is their [`total`].
pub(crate) const fn join<T: Copy, const N: usize>(groups: &[&[T]]) -> [T; N] {
    let mut all = [groups[0][0]; N];
    let (mut filled, mut group) = (0, 0);
    while group < groups.len() {
        let mut entry = 0;
        while entry < groups[group].len() {
            all[filled] = groups[group][entry];
            filled += 1;
            entry += 1;
        }
        group += 1;
    }
    all
}
