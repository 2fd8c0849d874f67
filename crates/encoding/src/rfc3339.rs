//! Reading moments from text: the inverse of how [`DateTime`] is displayed, and
//! any other RFC 3339 text.

use std::str::FromStr;

use crate::DateTime;
use crate::error::{SHOWN_CHARS, shown};

const MICROS_PER_SECOND: i128 = 1_000_000;
const SECONDS_PER_DAY: i128 = 86_400;

/// Digits that a year may have. The widest of a [`DateTime`] have six.
const YEAR_DIGITS_MAX: usize = 6;

/// A text is not a moment as of RFC 3339, or one that no [`DateTime`] holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a moment such as `2023-11-14T22:13:20.000001Z` (RFC 3339)")]
pub struct ParseDateTimeError {
    /// The text; a long one is cut short.
    text: String,
}

impl FromStr for DateTime {
    type Err = ParseDateTimeError;

    /// Reads an RFC 3339 text, at any offset from UTC. What is finer than a
    /// microsecond is cut off; leap seconds are refused. Years may have up to six
    /// digits and a sign, as [`DateTime`] displays them.
    fn from_str(text: &str) -> Result<Self, ParseDateTimeError> {
        let mut rest = Rest(text.as_bytes());
        rest.moment()
            .filter(|_| rest.0.is_empty())
            .and_then(|micros| i64::try_from(micros).ok())
            .map(Self::from_micros)
            .ok_or_else(|| ParseDateTimeError { text: shown(text, SHOWN_CHARS) })
    }
}

/// What is still to be read.
struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    /// Microseconds since the epoch.
    fn moment(&mut self) -> Option<i128> {
        let days = self.date()?;
        self.one_of(b"Tt ")?;
        let (hour, minute, second) = self.time()?;
        let micros = if self.one_of(b".").is_some() { self.fraction()? } else { 0 };
        let offset = self.offset()?;
        let seconds = days * SECONDS_PER_DAY + (hour * 60 + minute - offset) * 60 + second;
        Some(seconds * MICROS_PER_SECOND + micros)
    }

    /// Days since the epoch.
    fn date(&mut self) -> Option<i128> {
        let sign = self.one_of(b"+-");
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // With a sign in it, four characters leave three digits.
        let fewest = if sign.is_some() { 3 } else { 4 };
        if !(fewest..=YEAR_DIGITS_MAX).contains(&digits) {
            return None;
        }
        let year = self.number(digits)? * if sign == Some(b'-') { -1 } else { 1 };
        self.one_of(b"-")?;
        let month = self.number(2)?;
        self.one_of(b"-")?;
        let day = self.number(2)?;
        let fits = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        fits.then(|| days_from_civil(year, month, day))
    }

    fn time(&mut self) -> Option<(i128, i128, i128)> {
        let (hour, minute) = self.hour_and_minute()?;
        self.one_of(b":")?;
        let second = self.number(2).filter(|second| *second < 60)?;
        Some((hour, minute, second))
    }

    fn hour_and_minute(&mut self) -> Option<(i128, i128)> {
        let hour = self.number(2).filter(|hour| *hour < 24)?;
        self.one_of(b":")?;
        let minute = self.number(2).filter(|minute| *minute < 60)?;
        Some((hour, minute))
    }

    /// Microseconds behind the point.
    fn fraction(&mut self) -> Option<i128> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let micros = self.number(digits.min(6))? * 10i128.pow(6 - digits.min(6) as u32);
        self.0 = self.0.get(digits.saturating_sub(6)..)?;
        Some(micros)
    }

    /// Minutes ahead of UTC.
    fn offset(&mut self) -> Option<i128> {
        match self.one_of(b"Zz+-")? {
            b'+' => self.hour_and_minute().map(|(hour, minute)| hour * 60 + minute),
            b'-' => self.hour_and_minute().map(|(hour, minute)| -(hour * 60 + minute)),
            _ => Some(0),
        }
    }

    /// A number of exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<i128> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + i128::from(byte - b'0'))
        })
    }

    /// The next byte, if it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first().filter(|(first, _)| bytes.contains(first))?;
        self.0 = rest;
        Some(*first)
    }
}

fn days_in_month(year: i128, month: i128) -> i128 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i128, month: i128, day: i128) -> i128 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn micros(text: &str) -> Option<i64> {
        text.parse().ok().map(DateTime::as_micros)
    }

    #[test]
    fn reads_offsets_fractions_and_old_years() {
        assert_eq!(micros("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(micros("1970-01-01 01:00:00.5+01:00"), Some(500_000));
        assert_eq!(micros("1969-12-31t23:30:00.0000019-00:30"), Some(1));
        assert_eq!(micros("2000-02-29T00:00:00z"), Some(951_782_400_000_000));
        assert_eq!(micros("-001-01-01T00:00:00Z"), Some(-62_198_755_200_000_000));
        for moment in [DateTime::MIN, DateTime::MAX] {
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00ZZ",
            "70-01-01T00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:0Z",
            "294248-01-01T00:00:00Z",
            "9999999-01-01T00:00:00Z",
            "1970-01-01T00:00:00é",
            "1970-1-01T00:00:00Z",
        ] {
            assert_eq!(micros(text), None, "{text}");
        }
        let error = "x".repeat(99).parse::<DateTime>().unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{}…` is not a moment", "x".repeat(32))));
    }

    proptest! {
        #[test]
        fn what_is_displayed_is_read_back(micros in any::<i64>()) {
            let moment = DateTime::from_micros(micros);
            prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        }

        #[test]
        fn days_of_our_centuries_are_read_back(micros in -100_000_000_000_000_000..100_000_000_000_000_000i64) {
            let moment = DateTime::from_micros(micros);
            prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9TZ:.+-]{0,30}") {
            let _ = text.parse::<DateTime>();
        }
    }
}
