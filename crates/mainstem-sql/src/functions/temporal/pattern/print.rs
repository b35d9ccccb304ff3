//! Moments written by a pattern.
//! Invariant: the same letter may mean different things in the two dialects; each such letter is told apart here.

use mainstem_core::{Error, Result};

use super::{Dialect, Item, MONTHS, WEEKDAYS, Zone};
use crate::functions::temporal::calendar::{self, DAY_MS, Date};

/// A wall clock, and the zone it hangs in if that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) local_ms: i64,
    pub(crate) nanos_of_ms: i64,
    pub(crate) zone: Option<Zone>,
}

impl Moment {
    fn days(&self) -> i64 {
        self.local_ms.div_euclid(DAY_MS)
    }

    fn ms_of_day(&self) -> i64 {
        self.local_ms.rem_euclid(DAY_MS)
    }

    fn nanos_of_second(&self) -> i64 {
        self.ms_of_day() % 1000 * 1_000_000 + self.nanos_of_ms
    }
}

pub(super) fn items(
    items: &[Item],
    dialect: Dialect,
    out: &mut Vec<u8>,
    moment: &Moment,
) -> Result<()> {
    for item in items {
        match item {
            Item::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Item::Optional(inner) => {
                // A section whose fields the moment lacks is left out.
                let start = out.len();
                if self::items(inner, dialect, out, moment).is_err() {
                    out.truncate(start);
                }
            }
            Item::Field(letter, count) => field(*letter, *count, dialect, out, moment)?,
        }
    }
    Ok(())
}

fn number(out: &mut Vec<u8>, value: i64, width: usize) {
    if value < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value.unsigned_abs()).as_bytes();
    out.resize(out.len() + width.saturating_sub(digits.len()), b'0');
    out.extend_from_slice(digits);
}

fn word(out: &mut Vec<u8>, word: &str, count: usize) {
    let length = match count {
        4 => word.len(),
        5 => 1,
        _ => 3,
    };
    out.extend_from_slice(&word.as_bytes()[..length]);
}

fn year(out: &mut Vec<u8>, year: i64, count: usize, dialect: Dialect) {
    match count {
        2 => number(out, year.rem_euclid(100), 2),
        _ => {
            if dialect == Dialect::Formatter && count >= 4 && year > 9999 {
                out.push(b'+');
            }
            number(out, year, count);
        }
    }
}

/// The week-based year and week where weeks start on Sundays and the first one holds the 1st of January (US).
fn us_week(days: i64) -> (i64, i64) {
    let sunday = days - (days + 4).rem_euclid(7);
    let saturday_year = Date::from_days(sunday + 6).year;
    let first = Date { year: saturday_year, month: 1, day: 1 }.to_days();
    let first_sunday = first - (first + 4).rem_euclid(7);
    (saturday_year, (sunday - first_sunday) / 7 + 1)
}

fn us_week_of_month(days: i64, day: i64) -> i64 {
    let first = days - (day - 1);
    (day - 1 + (first + 4).rem_euclid(7)) / 7 + 1
}

fn field(
    letter: char,
    count: usize,
    dialect: Dialect,
    out: &mut Vec<u8>,
    moment: &Moment,
) -> Result<()> {
    let date = Date::from_days(moment.days());
    let of_era = if date.year > 0 { date.year } else { 1 - date.year };
    match letter {
        'y' => year(out, of_era, count, dialect),
        'Y' => year(out, us_week(moment.days()).0, count, dialect),
        'M' | 'L' if count <= 2 => number(out, date.month, count),
        'M' | 'L' => {
            let narrow = dialect == Dialect::Simple && count > 4;
            word(out, MONTHS[date.month as usize - 1], if narrow { 4 } else { count });
        }
        'd' => number(out, date.day, count),
        'D' => number(out, day_of_year(moment), count),
        'w' => number(out, us_week(moment.days()).1, count),
        'W' => number(out, us_week_of_month(moment.days(), date.day), count),
        'F' if dialect == Dialect::Simple => number(out, (date.day - 1) / 7 + 1, count),
        'F' => number(out, (date.day - 1) % 7 + 1, count),
        'u' if dialect == Dialect::Simple => {
            number(out, calendar::iso_day_of_week(moment.days()), count);
        }
        'u' => year(out, date.year, count, dialect),
        'E' => {
            let weekday = WEEKDAYS[calendar::iso_day_of_week(moment.days()) as usize - 1];
            let narrow = dialect == Dialect::Simple && count > 4;
            word(out, weekday, if narrow { 4 } else { count });
        }
        'e' | 'c' if count <= 2 => number(out, us_day_of_week(moment), count),
        'e' | 'c' => word(out, WEEKDAYS[(us_day_of_week(moment) + 5) as usize % 7], count),
        'Q' | 'q' => quarter(out, (date.month + 2) / 3, count),
        'G' => out.extend_from_slice(era(date.year, count, dialect).as_bytes()),
        _ => return clock(letter, count, dialect, out, moment),
    }
    Ok(())
}

fn day_of_year(moment: &Moment) -> i64 {
    let year = Date::from_days(moment.days()).year;
    moment.days() - Date { year, month: 1, day: 1 }.to_days() + 1
}

/// Sunday is 1.
fn us_day_of_week(moment: &Moment) -> i64 {
    (moment.days() + 4).rem_euclid(7) + 1
}

fn quarter(out: &mut Vec<u8>, quarter: i64, count: usize) {
    const LONG: [&str; 4] = ["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"];
    match count {
        1 | 2 => number(out, quarter, count),
        4 => out.extend_from_slice(LONG[quarter as usize - 1].as_bytes()),
        5 => number(out, quarter, 1),
        _ => {
            out.push(b'Q');
            number(out, quarter, 1);
        }
    }
}

fn era(year: i64, count: usize, dialect: Dialect) -> &'static str {
    match (year > 0, dialect, count) {
        (true, Dialect::Formatter, 4) => "Anno Domini",
        (false, Dialect::Formatter, 4) => "Before Christ",
        (true, Dialect::Formatter, 5) => "A",
        (false, Dialect::Formatter, 5) => "B",
        (true, ..) => "AD",
        (false, ..) => "BC",
    }
}

fn clock(
    letter: char,
    count: usize,
    dialect: Dialect,
    out: &mut Vec<u8>,
    moment: &Moment,
) -> Result<()> {
    let second = moment.ms_of_day() / 1000;
    let hour = second / 3600;
    let or = |value: i64, instead: i64| if value == 0 { instead } else { value };
    match letter {
        'H' => number(out, hour, count),
        'k' => number(out, or(hour, 24), count),
        'K' => number(out, hour % 12, count),
        'h' => number(out, or(hour % 12, 12), count),
        'm' => number(out, second / 60 % 60, count),
        's' => number(out, second % 60, count),
        'S' if dialect == Dialect::Simple => number(out, moment.ms_of_day() % 1000, count),
        'S' => {
            let start = out.len();
            number(out, moment.nanos_of_second(), 9);
            out.resize(start + count, b'0');
        }
        'A' => number(out, moment.ms_of_day(), count),
        'n' => number(out, moment.nanos_of_second(), count),
        'N' => number(out, moment.ms_of_day() * 1_000_000 + moment.nanos_of_ms, count),
        'a' => out.extend_from_slice(if hour < 12 { b"AM" } else { b"PM" }),
        'B' => out.extend_from_slice(day_period(second).as_bytes()),
        _ => return zone(letter, count, dialect, out, moment),
    }
    Ok(())
}

fn day_period(second: i64) -> &'static str {
    match second / 60 {
        0 => "midnight",
        720 => "noon",
        360..720 => "in the morning",
        721..1080 => "in the afternoon",
        1080..1260 => "in the evening",
        _ => "at night",
    }
}

fn zone(
    letter: char,
    count: usize,
    dialect: Dialect,
    out: &mut Vec<u8>,
    moment: &Moment,
) -> Result<()> {
    let zone = moment.zone.filter(|_| dialect == Dialect::Simple).ok_or_else(|| {
        Error::user(format!(
            "the pattern letter {letter} needs a time zone, which a timestamp lacks"
        ))
    })?;
    let instant = zone.to_instant(moment.local_ms);
    if letter == 'z' {
        out.extend_from_slice(zone.short_name(instant).as_bytes());
        return Ok(());
    }
    let minutes = zone.offset_ms(instant) / 60_000;
    if letter == 'X' && minutes == 0 {
        out.push(b'Z');
        return Ok(());
    }
    out.push(if minutes < 0 { b'-' } else { b'+' });
    number(out, minutes.abs() / 60, 2);
    if letter == 'X' && count == 3 {
        out.push(b':');
    }
    if letter == 'Z' || count > 1 {
        number(out, minutes.abs() % 60, 2);
    }
    Ok(())
}
