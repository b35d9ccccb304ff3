//! Days and months of the proleptic Gregorian calendar, on integers.
//! Invariant: days count from 1970-01-01 and every function is total on the years that Flink can hold; no time zone.

use mainstem_core::java_format::{self, civil_from_days, days_from_civil};

use super::Unit;

/// Milliseconds in a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// From the Julian day 0 to 1970-01-01.
const EPOCH_JULIAN: i64 = 2_440_588;

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

impl Date {
    /// The date `days` after 1970-01-01.
    pub(crate) fn from_days(days: i64) -> Self {
        let (year, month, day) = civil_from_days(days);
        Self { year, month: i64::from(month), day: i64::from(day) }
    }

    /// Days from 1970-01-01. A month past 12 runs on into the next year.
    pub(crate) fn to_days(self) -> i64 {
        let year = self.year + (self.month - 1).div_euclid(12);
        let month = (self.month - 1).rem_euclid(12) + 1;
        days_from_civil(year, month as u32, 1) + self.day - 1
    }

    /// The first day of a month.
    fn first(year: i64, month: i64) -> i64 {
        Self { year, month, day: 1 }.to_days()
    }
}

/// The last day of a month.
pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    i64::from(java_format::days_in_month(year, month as u32))
}

/// `days` moved by whole months; a day that the month lacks becomes its last one.
pub(crate) fn add_months(days: i64, months: i64) -> i64 {
    let date = Date::from_days(days);
    let index = date.year * 12 + date.month - 1 + months;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    Date { year, month, day: date.day.min(days_in_month(year, month)) }.to_days()
}

/// Milliseconds moved by whole months; the time of day stays.
pub(crate) fn add_months_ms(ms: i64, months: i64) -> i64 {
    add_months(ms.div_euclid(DAY_MS), months) * DAY_MS + ms.rem_euclid(DAY_MS)
}

/// Whole months from `earlier` to `later` (negative if they are the other way round), as Flink counts them.
pub(crate) fn months_between(later: i64, earlier: i64) -> i64 {
    if later < earlier {
        return -months_between(earlier, later);
    }
    let mut months = (later - earlier) / 31;
    loop {
        if add_months(earlier, months) >= later || add_months(earlier, months + 1) > later {
            return months;
        }
        months += 1;
    }
}

/// Whole months between two instants in milliseconds.
pub(crate) fn months_between_ms(later: i64, earlier: i64) -> i64 {
    let (later_day, earlier_day) = (later.div_euclid(DAY_MS), earlier.div_euclid(DAY_MS));
    let months = months_between(later_day, earlier_day);
    let landed = add_months(earlier_day, months);
    let short = landed == later_day && later.rem_euclid(DAY_MS) < earlier.rem_euclid(DAY_MS);
    months - i64::from(short)
}

/// Monday is 1.
pub(crate) fn iso_day_of_week(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// The ISO 8601 year and week.
pub(crate) fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - iso_day_of_week(days) + 4;
    let year = Date::from_days(thursday).year;
    (year, (thursday - Date::first(year, 1)) / 7 + 1)
}

/// The calendar field `unit` of a day; `None` for units below a day.
pub(crate) fn field(unit: Unit, days: i64) -> Option<i64> {
    let date = Date::from_days(days);
    let counted_from_one = |years: i64| {
        if date.year > 0 {
            (date.year + years - 1) / years
        } else {
            (date.year - years + 1) / years
        }
    };
    Some(match unit {
        Unit::Year => date.year,
        Unit::Quarter => (date.month + 2) / 3,
        Unit::Month => date.month,
        Unit::Day => date.day,
        Unit::Week => iso_week(days).1,
        Unit::IsoYear => iso_week(days).0,
        Unit::DayOfYear => days - Date::first(date.year, 1) + 1,
        Unit::DayOfWeek => (days + 4).rem_euclid(7) + 1,
        Unit::IsoDayOfWeek => iso_day_of_week(days),
        Unit::Decade => date.year / 10,
        Unit::Century => counted_from_one(100),
        Unit::Millennium => counted_from_one(1000),
        Unit::Epoch => days * 86_400,
        _ => return None,
    })
}

/// The date as Flink's FLOOR and CEIL see it: Julian before 1582-10-15.
fn rounding_date(days: i64) -> Date {
    let julian = days + EPOCH_JULIAN;
    if julian > 2_299_160 {
        return Date::from_days(days);
    }
    let c = julian + 32_082;
    let d = (4 * c + 3) / 1461;
    let e = c - (1461 * d) / 4;
    let m = (5 * e + 2) / 153;
    Date { day: e - (153 * m + 2) / 5 + 1, month: m + 3 - 12 * (m / 10), year: d - 4800 + m / 10 }
}

/// The first day of the `unit` that `days` is in; `None` for units that days are not floored to.
pub(crate) fn floor(unit: Unit, days: i64) -> Option<i64> {
    let date = rounding_date(days);
    Some(match unit {
        Unit::Millennium => Date::first(1000 * ((date.year + 999) / 1000) - 999, 1),
        Unit::Century => Date::first(100 * ((date.year + 99) / 100) - 99, 1),
        Unit::Decade => Date::first(10 * (date.year / 10), 1),
        Unit::Year => Date::first(date.year, 1),
        Unit::Quarter => Date::first(date.year, (date.month + 2) / 3 * 3 - 2),
        Unit::Month => Date::first(date.year, date.month),
        Unit::Week => date.to_days() - sunday_offset(days),
        Unit::Day => date.to_days(),
        _ => return None,
    })
}

/// Where CEIL lands. As in Flink, a quarter's first day moves on unless it is in January, and decades and longer
/// always move on.
pub(crate) fn ceil(unit: Unit, days: i64) -> Option<i64> {
    let date = rounding_date(days);
    let into_year = date.month > 1 || date.day > 1;
    Some(match unit {
        Unit::Millennium => Date::first(1000 * ((date.year + 999) / 1000) + 1, 1),
        Unit::Century => Date::first(100 * ((date.year + 99) / 100) + 1, 1),
        Unit::Decade => Date::first(10 * (1 + date.year / 10), 1),
        Unit::Year => Date::first(date.year + i64::from(into_year), 1),
        Unit::Quarter => {
            Date::first(date.year, ((date.month + 2) / 3 + i64::from(into_year)) * 3 - 2)
        }
        Unit::Month => Date::first(date.year, date.month + i64::from(date.day > 1)),
        Unit::Week => match sunday_offset(days) {
            0 => date.to_days(),
            offset => date.to_days() + 7 - offset,
        },
        Unit::Day => date.to_days() + 1,
        _ => return None,
    })
}

/// Days since the last Sunday: Flink's FLOOR(.. TO WEEK) starts weeks there.
fn sunday_offset(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}
