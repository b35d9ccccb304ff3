//! The time units of EXTRACT, FLOOR, CEIL, TIMESTAMPADD, TIMESTAMPDIFF and INTERVAL.
//! Invariant: one spelling list; SQL_TSI_ names and plurals are read here and nowhere else.

use std::fmt;

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is the SQL unit of its name")]
pub enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfYear,
    DayOfWeek,
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

impl Unit {
    /// Reads a unit's name, case-insensitively, in the singular or plural or as `SQL_TSI_...`.
    pub fn parse(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let name = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
        Some(match name {
            "MILLENNIUM" => Self::Millennium,
            "CENTURY" => Self::Century,
            "DECADE" => Self::Decade,
            "YEAR" | "YEARS" => Self::Year,
            "ISOYEAR" => Self::IsoYear,
            "QUARTER" | "QUARTERS" => Self::Quarter,
            "MONTH" | "MONTHS" => Self::Month,
            "WEEK" | "WEEKS" => Self::Week,
            "DAY" | "DAYS" => Self::Day,
            "DOY" => Self::DayOfYear,
            "DOW" => Self::DayOfWeek,
            "ISODOW" => Self::IsoDayOfWeek,
            "HOUR" | "HOURS" => Self::Hour,
            "MINUTE" | "MINUTES" => Self::Minute,
            "SECOND" | "SECONDS" => Self::Second,
            "MILLISECOND" | "MILLISECONDS" => Self::Millisecond,
            "MICROSECOND" | "MICROSECONDS" => Self::Microsecond,
            "NANOSECOND" | "NANOSECONDS" | "FRAC_SECOND" => Self::Nanosecond,
            "EPOCH" => Self::Epoch,
            _ => return None,
        })
    }

    /// How many months it is, if it is a number of months.
    pub fn months(self) -> Option<i64> {
        match self {
            Self::Millennium => Some(12_000),
            Self::Century => Some(1_200),
            Self::Decade => Some(120),
            Self::Year => Some(12),
            Self::Quarter => Some(3),
            Self::Month => Some(1),
            _ => None,
        }
    }

    /// How many milliseconds it is, if it is a number of milliseconds.
    pub fn milliseconds(self) -> Option<i64> {
        match self {
            Self::Week => Some(7 * 86_400_000),
            Self::Day => Some(86_400_000),
            Self::Hour => Some(3_600_000),
            Self::Minute => Some(60_000),
            Self::Second => Some(1000),
            Self::Millisecond => Some(1),
            _ => None,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Millennium => "MILLENNIUM",
            Self::Century => "CENTURY",
            Self::Decade => "DECADE",
            Self::Year => "YEAR",
            Self::IsoYear => "ISOYEAR",
            Self::Quarter => "QUARTER",
            Self::Month => "MONTH",
            Self::Week => "WEEK",
            Self::Day => "DAY",
            Self::DayOfYear => "DOY",
            Self::DayOfWeek => "DOW",
            Self::IsoDayOfWeek => "ISODOW",
            Self::Hour => "HOUR",
            Self::Minute => "MINUTE",
            Self::Second => "SECOND",
            Self::Millisecond => "MILLISECOND",
            Self::Microsecond => "MICROSECOND",
            Self::Nanosecond => "NANOSECOND",
            Self::Epoch => "EPOCH",
        })
    }
}
