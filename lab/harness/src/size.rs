//! Numbers of a command line; among them sizes: bytes, or a unit of powers of 1024, such as 512K,
//! 512KiB or 1.5G.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A whole number in `range`.
pub fn number_in<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "it is not a whole number between {} and {}",
            range.start(),
            range.end()
        )),
    }
}

/// A number of bytes, at least 1.
pub fn size(text: &str) -> Result<u64, String> {
    let sizes = parse_size::Config::new().with_binary();
    match sizes.parse_size(text) {
        Ok(0) => Err("it is not between 1 byte and 16 exbibytes".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err("it is not a number of bytes, such as 4096, 512K or 1G".to_owned()),
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
            _ => Err(format!(
                "it is not between {} and {} bytes",
                range.start(),
                range.end()
            )),
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
    fn numbers_in_a_range() {
        let number = number_in(1..=65_535_u32);
        assert_eq!((number("1"), number("65535")), (Ok(1), Ok(65_535)));
        for wrong in ["", "0", "-1", "65536", "18446744073709551616", "1K", "x"] {
            let why = "it is not a whole number between 1 and 65535";
            assert_eq!(number(wrong), Err(why.to_owned()), "{wrong}");
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
