//! Between the clock on a wall and an instant, in a session's time zone.
//! Invariant: a local time in a gap takes the offset from before it, one in an overlap the earlier offset, as Java
//! does. Times are microseconds since 1970-01-01T00:00:00; `None` is a time that the calendar does not reach.

use chrono::{DateTime, Duration, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;

/// The instant at which the clocks of `zone` show `local_us`.
pub(crate) fn instant_of_local_us(zone: Tz, local_us: i64) -> Option<i64> {
    if zone == Tz::UTC {
        return Some(local_us);
    }
    let local = DateTime::from_timestamp_micros(local_us)?.naive_utc();
    let offset = match zone.offset_from_local_datetime(&local) {
        MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => offset,
        // No gap is longer than a day; before it the old offset holds.
        MappedLocalTime::None => zone
            .offset_from_local_datetime(&local.checked_sub_signed(Duration::days(1))?)
            .earliest()?,
    };
    local_us.checked_sub(i64::from(offset.fix().local_minus_utc()) * 1_000_000)
}

/// What the clocks of `zone` show at `instant_us`.
pub(crate) fn local_of_instant_us(zone: Tz, instant_us: i64) -> Option<i64> {
    if zone == Tz::UTC {
        return Some(instant_us);
    }
    let instant = DateTime::from_timestamp_micros(instant_us)?.naive_utc();
    let offset = zone.offset_from_utc_datetime(&instant).fix().local_minus_utc();
    instant_us.checked_add(i64::from(offset) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> i64 {
        chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
            .unwrap()
            .and_utc()
            .timestamp_micros()
    }

    #[test]
    fn gaps_and_overlaps_are_read_as_java_reads_them() {
        let zone = Tz::Europe__Bucharest;
        let cases = [
            ("2024-01-15 12:00", "2024-01-15 10:00"),
            ("2024-07-15 12:00", "2024-07-15 09:00"),
            // The clocks jump from 03:00 to 04:00, and in autumn from 04:00 back to 03:00.
            ("2024-03-31 03:30", "2024-03-31 01:30"),
            ("2024-10-27 03:30", "2024-10-27 00:30"),
        ];
        for (local, instant) in cases {
            assert_eq!(instant_of_local_us(zone, us(local)), Some(us(instant)), "{local}");
        }
        assert_eq!(local_of_instant_us(zone, us("2024-03-31 01:30")), Some(us("2024-03-31 04:30")));
        assert_eq!(local_of_instant_us(Tz::UTC, 7), Some(7));
    }
}
