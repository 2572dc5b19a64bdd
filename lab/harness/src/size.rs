//! Sizes: bytes, or a unit of powers of 1024, such as 512K, 512KiB or 1.5G.

use std::ops::RangeInclusive;

/// A number of bytes, at least 1.
pub fn size(text: &str) -> Result<u64, String> {
    let sizes = parse_size::Config::new().with_binary();
    match sizes.parse_size(text) {
        Ok(0) => Err("is between 1 byte and 16 exbibytes".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err("is a number of bytes, such as 4096, 512K or 1G".to_owned()),
    }
}

/// A number of bytes in `range`.
pub fn size_in(
    range: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| {
        let bytes = match text {
            "0" => 0,
            _ => size(text)?,
        };
        match u32::try_from(bytes) {
            Ok(bytes) if range.contains(&bytes) => Ok(bytes),
            _ => Err(format!("is not in {}..={}", range.start(), range.end())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("1"), Ok(1));
        assert_eq!(size("2k"), Ok(2048));
        assert_eq!(size("500M"), Ok(500 << 20));
        assert_eq!(size("4GiB"), Ok(4 << 30));
        for wrong in ["", "G", "0", "-1", "99999999999G", "1X", "é"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_in_a_range() {
        let size = size_in(0..=524_280);
        assert_eq!((size("0"), size("511K")), (Ok(0), Ok(511 << 10)));
        for wrong in ["512K", "6G", "-1"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
