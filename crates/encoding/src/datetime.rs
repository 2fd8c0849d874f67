//! A point in time as a value of a document.

use std::fmt;
use std::time::{Duration, SystemTime};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time: microseconds since 1970-01-01T00:00:00 UTC, leap seconds
/// not counted. Values of this type name their type "timestamp"; they have
/// nothing to do with the timestamps of commits.
///
/// ```
/// use selvedge_encoding::DateTime;
///
/// let moment = DateTime::from_micros(1_700_000_000_000_001);
/// assert_eq!(moment.to_string(), "2023-11-14T22:13:20.000001Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DateTime(i64);

impl DateTime {
    /// The earliest point in time.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest point in time.
    pub const MAX: Self = Self(i64::MAX);

    /// The point `micros` microseconds after (before, if negative) the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl From<SystemTime> for DateTime {
    /// Cut down to whole microseconds; times beyond [`MIN`](Self::MIN) and
    /// [`MAX`](Self::MAX) become these.
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).map_or(Self::MAX, Self),
            Err(error) => {
                let nanos = error.duration().as_nanos();
                i64::try_from(nanos.div_ceil(1000)).map_or(Self::MIN, |micros| Self(-micros))
            }
        }
    }
}

impl TryFrom<DateTime> for SystemTime {
    type Error = DateTime;

    /// Gives the time back if the system cannot represent it.
    fn try_from(time: DateTime) -> Result<Self, DateTime> {
        let distance = Duration::from_micros(time.0.unsigned_abs());
        let system = if time.0 >= 0 {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        };
        system.ok_or(time)
    }
}

impl fmt::Display for DateTime {
    /// RFC 3339 with microseconds, in UTC. Years are at least four digits wide.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let micros = self.0.rem_euclid(MICROS_PER_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Year, month and day of the `days`-th day after 1970-01-01 in the proleptic
/// Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_dates_before_and_after_the_epoch() {
        let shown = |micros| DateTime::from_micros(micros).to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(shown(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
        // The ends of the range must not overflow.
        assert!(shown(i64::MAX).starts_with("294247-01-10"));
        assert!(shown(i64::MIN).starts_with("-290308-12-21"));
    }

    #[test]
    fn converts_to_and_from_system_time() {
        for micros in [0, 1, -1, 1_700_000_000_000_001, -1_700_000_000_000_001] {
            let moment = DateTime::from_micros(micros);
            assert_eq!(DateTime::from(SystemTime::try_from(moment).unwrap()), moment);
        }
    }
}
