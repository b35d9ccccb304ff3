//! Time zones as Java names them, and wall clocks there.
//! Invariant: a local time that a clock change skips moves on by the gap; one that comes twice is the earlier instant.

use chrono::{DateTime, TimeZone};
use chrono_tz::{OffsetName, Tz};

use crate::cast::temporal;

/// A region with its rules, or a fixed distance from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    Region(Tz),
    Fixed { offset_ms: i64 },
}

/// Java's three-letter names that the zone database does not have.
const SHORT_NAMES: [(&str, &str); 12] = [
    ("ACT", "Australia/Darwin"),
    ("AST", "America/Anchorage"),
    ("BST", "Asia/Dhaka"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("ECT", "Europe/Paris"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

impl Zone {
    /// A region, a short name, `GMT+8`, `UTC+01:30` or `+02:00`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Ok(region) = name.parse::<Tz>() {
            return Some(Self::Region(region));
        }
        if let Some((_, region)) = SHORT_NAMES.iter().find(|(short, _)| *short == name) {
            return region.parse().ok().map(Self::Region);
        }
        if name == "Z" {
            return Some(Self::Region(chrono_tz::UTC));
        }
        let offset = ["GMT", "UTC", "UT"].iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
        Some(Self::Fixed { offset_ms: parse_offset(offset)? })
    }

    /// As `TimeZone.getTimeZone`: a name nobody knows is GMT.
    pub(crate) fn parse_or_gmt(name: &str) -> Self {
        Self::parse(name).unwrap_or(Self::Region(chrono_tz::UTC))
    }

    /// Milliseconds ahead of UTC at an instant.
    pub(crate) fn offset_ms(self, instant_ms: i64) -> i64 {
        match self {
            Self::Region(region) => temporal::offset_of_instant(region, instant_ms),
            Self::Fixed { offset_ms } => offset_ms,
        }
    }

    pub(crate) fn to_local(self, instant_ms: i64) -> i64 {
        instant_ms + self.offset_ms(instant_ms)
    }

    pub(crate) fn to_instant(self, local_ms: i64) -> i64 {
        match self {
            Self::Region(region) => temporal::local_to_utc(region, local_ms),
            Self::Fixed { offset_ms } => local_ms - offset_ms,
        }
    }

    /// `PST`, `UTC`, `GMT+02:00`.
    pub(crate) fn short_name(self, instant_ms: i64) -> String {
        match self {
            Self::Region(region) => {
                let Some(utc) = DateTime::from_timestamp_millis(instant_ms) else {
                    return region.name().to_owned();
                };
                let offset = region.offset_from_utc_datetime(&utc.naive_utc());
                offset.abbreviation().unwrap_or_else(|| region.name()).to_owned()
            }
            Self::Fixed { offset_ms } => {
                let minutes = offset_ms / 60_000;
                let sign = if minutes < 0 { '-' } else { '+' };
                format!("GMT{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        }
    }
}

/// `+8`, `+08`, `+0800`, `+08:00` in milliseconds.
pub(crate) fn parse_offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() > 2 && digits.is_ascii() => digits.split_at(digits.len() - 2),
        None => (digits, "0"),
    };
    let read =
        |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i64>().ok());
    let (hours, minutes) = (read(hours)??, read(minutes)??);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}
