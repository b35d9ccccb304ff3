//! Reading as `DateTimeFormatter` does: the whole text, digits as counted, names in their case.
//! Invariant: fields that the pattern lacks are those of 1970-01-01 00:00:00, as Flink fills them in. Offsets and zones
//! in the text are read and not used, as in Flink. Week-based fields are not read: such text is never of the pattern.

use super::{Item, MONTHS, WEEKDAYS};
use crate::functions::temporal::calendar::{DAY_MS, Date, days_in_month};

#[derive(Debug, Clone, Default)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    hour_of_half: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    ms_of_day: Option<i64>,
}

pub(super) fn parse(items: &[Item], text: &str) -> Option<(i64, i64)> {
    let mut fields = Fields::default();
    match read(items, text, &mut fields)? {
        "" => fields.resolve(),
        _ => None,
    }
}

/// Reads `items` off the front of `text`; gives the rest.
fn read<'a>(items: &[Item], mut text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    for (index, item) in items.iter().enumerate() {
        text = match item {
            Item::Literal(literal) => text.strip_prefix(literal.as_str())?,
            Item::Optional(inner) => {
                let mut tried = fields.clone();
                match read(inner, text, &mut tried) {
                    Some(rest) => {
                        *fields = tried;
                        rest
                    }
                    None => text,
                }
            }
            Item::Field(letter, count) => match widths(*letter, *count) {
                Some((least, most)) => {
                    let reserved = if least == most { 0 } else { reserved(&items[index + 1..]) };
                    number(*letter, *count, text, (least, most), reserved, fields)?
                }
                None => word(*letter, *count, text, fields)?,
            },
        };
    }
    Some(text)
}

/// How many digits a field has; `None` if it is not written in digits.
fn widths(letter: char, count: usize) -> Option<(usize, usize)> {
    match letter {
        'y' | 'u' if count == 2 => Some((2, 2)),
        'y' | 'u' => Some((count, 19)),
        'M' | 'L' if count > 2 => None,
        'S' => Some((count, count)),
        'A' | 'n' | 'N' => Some((count, 19)),
        'D' if count == 1 => Some((1, 3)),
        'D' | 'M' | 'L' | 'd' | 'H' | 'h' | 'K' | 'k' | 'm' | 's' if count > 1 => {
            Some((count, count))
        }
        'M' | 'L' | 'd' | 'H' | 'h' | 'K' | 'k' | 'm' | 's' => Some((1, 19)),
        _ => None,
    }
}

/// Digits that fields of fixed width want behind a field of any width.
fn reserved(items: &[Item]) -> usize {
    items
        .iter()
        .map_while(|item| match item {
            Item::Field(letter, count) => widths(*letter, *count)
                .filter(|(least, most)| least == most)
                .map(|(least, _)| least),
            _ => None,
        })
        .sum()
}

fn number<'a>(
    letter: char,
    count: usize,
    text: &'a str,
    (least, most): (usize, usize),
    reserved: usize,
    fields: &mut Fields,
) -> Option<&'a str> {
    let is_year = matches!(letter, 'y' | 'u') && count != 2;
    let plus = is_year && count >= 4 && text.starts_with('+');
    let text = if plus { &text[1..] } else { text };
    let available = text.bytes().take_while(u8::is_ascii_digit).count();
    let width = available.saturating_sub(reserved).max(least.min(available)).min(most);
    if width < least || (is_year && count >= 4 && (width > count) != plus) {
        return None;
    }
    let value: i64 = text[..width].parse().ok()?;
    let within = |range: std::ops::RangeInclusive<i64>| range.contains(&value).then_some(value);
    let set = |field: &mut Option<i64>, value: i64| match field.replace(value) {
        Some(earlier) => (earlier == value).then_some(()),
        None => Some(()),
    };
    match letter {
        'y' | 'u' if count == 2 => set(&mut fields.year, 2000 + value),
        'y' => set(&mut fields.year, within(1..=i64::MAX)?),
        'u' => set(&mut fields.year, value),
        'M' | 'L' => set(&mut fields.month, within(1..=12)?),
        'd' => set(&mut fields.day, within(1..=31)?),
        'D' => set(&mut fields.day_of_year, within(1..=366)?),
        'H' => set(&mut fields.hour, within(0..=24)?),
        'k' => set(&mut fields.hour, within(1..=24)? % 24),
        'h' => set(&mut fields.hour_of_half, within(1..=12)? % 12),
        'K' => set(&mut fields.hour_of_half, within(0..=11)?),
        'm' => set(&mut fields.minute, within(0..=59)?),
        's' => set(&mut fields.second, within(0..=59)?),
        'S' => {
            let digits = i64::from(u8::try_from(width).ok()?);
            let scaled = if digits <= 9 {
                value.checked_mul(10i64.pow(9 - digits as u32))?
            } else {
                return None;
            };
            set(&mut fields.nanos, scaled)
        }
        'n' => set(&mut fields.nanos, within(0..=999_999_999)?),
        'A' => set(&mut fields.ms_of_day, within(0..=DAY_MS - 1)?),
        _ => set(&mut fields.ms_of_day, within(0..=DAY_MS * 1_000_000 - 1)? / 1_000_000),
    }?;
    Some(&text[width..])
}

fn word<'a>(letter: char, count: usize, text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let named = |names: &[&'static str]| {
        names.iter().enumerate().find_map(|(index, name)| {
            let name = if count == 4 { name } else { &name[..3] };
            Some((index as i64, text.strip_prefix(name)?))
        })
    };
    match letter {
        'M' | 'L' if count <= 4 => {
            let (index, rest) = named(&MONTHS)?;
            fields.month = Some(index + 1);
            Some(rest)
        }
        'E' if count <= 4 => named(&WEEKDAYS).map(|(_, rest)| rest),
        'a' => {
            let afternoon = text.starts_with("PM");
            fields.afternoon = Some(afternoon);
            text.strip_prefix(if afternoon { "PM" } else { "AM" })
        }
        'G' if count <= 3 => text.strip_prefix("AD"),
        'X' | 'x' | 'Z' => offset(letter, text),
        'z' | 'V' => {
            let end = text.bytes().take_while(|b| b.is_ascii_alphabetic() || b"/_".contains(b));
            let end = end.count();
            (end > 0).then(|| &text[end..])
        }
        _ => None,
    }
}

/// `Z` (for X) or a signed offset of hours, minutes and perhaps seconds.
fn offset(letter: char, text: &str) -> Option<&str> {
    if let (true, Some(rest)) = (letter != 'x', text.strip_prefix('Z')) {
        return Some(rest);
    }
    let rest = text.strip_prefix(['+', '-'])?;
    let two = |text: &str| text.len() >= 2 && text.bytes().take(2).all(|b| b.is_ascii_digit());
    if !two(rest) {
        return None;
    }
    let mut rest = &rest[2..];
    for _ in 0..2 {
        let after = rest.strip_prefix(':').unwrap_or(rest);
        if two(after) {
            rest = &after[2..];
        }
    }
    Some(rest)
}

impl Fields {
    fn resolve(self) -> Option<(i64, i64)> {
        let year = self.year.unwrap_or(1970);
        let days = match (self.day_of_year, self.year) {
            (Some(day), Some(year)) => {
                let date = Date { year, month: 1, day }.to_days();
                (Date::from_days(date).year == year).then_some(date)?
            }
            _ => {
                let month = self.month.unwrap_or(1);
                let day = self.day.unwrap_or(1);
                // The last days of long months become the last day of a short one only in a complete date.
                let last = days_in_month(year, month);
                let complete = self.year.is_some() && self.month.is_some();
                let day = if complete { day.min(last) } else { day };
                (day <= last).then(|| Date { year, month, day }.to_days())?
            }
        };
        let hour = match (self.hour, self.hour_of_half, self.afternoon) {
            (Some(hour), ..) => hour,
            (None, Some(hour), Some(afternoon)) => hour + if afternoon { 12 } else { 0 },
            _ => 0,
        };
        let nanos = self.nanos.unwrap_or(0);
        let clock = hour * 3600 + self.minute.unwrap_or(0) * 60 + self.second.unwrap_or(0);
        if clock > 86_400 || (clock == 86_400 && nanos > 0) {
            return None;
        }
        let ms_of_day = self.ms_of_day.unwrap_or(clock * 1000 + nanos / 1_000_000);
        Some((days * DAY_MS + ms_of_day, nanos % 1_000_000))
    }
}
