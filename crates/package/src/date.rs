//! The date that everything in a package carries.

use std::time::Duration;

use der::asn1::UtcTime;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::failure::Failure;

/// The package's date: the requested one, else that of `epoch`, the value of SOURCE_DATE_EPOCH,
/// else now.
///
/// # Errors
///
/// `epoch` is not a number of seconds since 1970, or out of range.
pub fn of_package(asked: Option<Date>, epoch: Option<&str>) -> Result<OffsetDateTime, Failure> {
    if let Some(date) = asked {
        return Ok(date.midnight().assume_utc());
    }
    let Some(epoch) = epoch else {
        return Ok(OffsetDateTime::now_utc());
    };
    epoch
        .parse()
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| Failure::Date(format!("SOURCE_DATE_EPOCH is no such number: {epoch:?}")))
}

/// Reads a date like `2026-01-31`.
///
/// # Errors
///
/// It is not such a date; the text states the reason.
pub fn parse(text: &str) -> Result<Date, String> {
    let form = format_description!("[year]-[month]-[day]");
    Date::parse(text, form).map_err(|_| "it is not a date like 2026-01-31".into())
}

/// A date as DriverVer has it: `01/31/2026`.
pub fn for_inf(date: OffsetDateTime) -> String {
    let (year, month, day) = date.to_calendar_date();
    format!("{:02}/{day:02}/{year}", u8::from(month))
}

/// A time as certificates and catalogs have it: 1970 to 2049.
///
/// # Errors
///
/// The date is outside of that.
pub fn utc_time(date: OffsetDateTime) -> Result<UtcTime, Failure> {
    u64::try_from(date.unix_timestamp())
        .ok()
        .and_then(|seconds| UtcTime::from_unix_duration(Duration::from_secs(seconds)).ok())
        .ok_or_else(|| Failure::Date(format!("{} is not in 1970 to 2039", date.date())))
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::{for_inf, of_package, parse, utc_time};

    #[test]
    fn the_date_asked_for_goes_before_the_epoch() {
        let asked = of_package(Some(date!(2026 - 01 - 31)), Some("0")).expect("a date");
        assert_eq!(asked, datetime!(2026-01-31 0:00 UTC));
        let epoch = of_package(None, Some("1700000000")).expect("a date");
        assert_eq!(epoch, datetime!(2023-11-14 22:13:20 UTC));
        assert!(of_package(None, Some("yesterday")).is_err());
    }

    #[test]
    fn dates_are_read_as_they_are_written() {
        assert_eq!(parse("2024-02-29"), Ok(date!(2024 - 02 - 29)));
        for wrong in ["", "2024", "2023-02-29", "29.02.2024", "2024-02-29-1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn months_come_first_in_an_inf() {
        assert_eq!(for_inf(datetime!(2026-01-31 23:59 UTC)), "01/31/2026");
    }

    #[test]
    fn certificates_end_in_2049() {
        assert!(utc_time(datetime!(2049-12-31 0:00 UTC)).is_ok());
        assert!(utc_time(datetime!(2050-01-01 0:00 UTC)).is_err());
        assert!(utc_time(datetime!(1969-12-31 0:00 UTC)).is_err());
    }
}
