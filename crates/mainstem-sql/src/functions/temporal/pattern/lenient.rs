//! Reading as a lenient `SimpleDateFormat` does: the front of the text, blanks before numbers, and fields that overflow
//! into the next one (the 32nd of January is the 1st of February).
//! Invariant: missing fields are those of 1970-01-01 00:00:00. Week-based fields are not read.

use super::{Item, MONTHS, WEEKDAYS, Zone};
use crate::functions::temporal::calendar::{DAY_MS, Date};
use crate::functions::temporal::zone::parse_offset;

#[derive(Debug, Default)]
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
    ms: Option<i64>,
    zone: Option<Zone>,
}

pub(super) fn parse(items: &[Item], text: &str, zone: Zone, now_ms: i64) -> Option<i64> {
    let mut fields = Fields::default();
    let mut rest = text;
    for (index, item) in items.iter().enumerate() {
        rest = match item {
            Item::Literal(literal) => read_literal(literal, rest)?,
            Item::Field(letter, count) => {
                // Numbers without anything between them have exactly the pattern's digits.
                let abuts = matches!(items.get(index + 1), Some(Item::Field(next, n)) if is_number(*next, *n));
                let digits = abuts.then_some(*count);
                read_field(*letter, *count, digits, rest, now_ms, &mut fields)?
            }
            Item::Optional(_) => return None,
        };
    }
    let zone = fields.zone.unwrap_or(zone);
    Some(zone.to_instant(fields.local_ms()))
}

/// The literal itself.
fn read_literal<'a>(literal: &str, text: &'a str) -> Option<&'a str> {
    text.strip_prefix(literal)
}

fn is_number(letter: char, count: usize) -> bool {
    match letter {
        'M' | 'L' => count <= 2,
        'G' | 'E' | 'a' | 'z' | 'Z' | 'X' => false,
        _ => true,
    }
}

fn read_field<'a>(
    letter: char,
    count: usize,
    digits: Option<usize>,
    text: &'a str,
    now_ms: i64,
    fields: &mut Fields,
) -> Option<&'a str> {
    let text = text.trim_start_matches([' ', '\t']);
    if !is_number(letter, count) {
        return read_word(letter, text, fields);
    }
    let (value, width) = read_number(text, digits)?;
    match letter {
        'y' if count <= 2 && width == 2 => fields.year = Some(two_digit_year(value, now_ms)),
        'y' => fields.year = Some(value),
        'M' | 'L' => fields.month = Some(value),
        'd' => fields.day = Some(value),
        'D' => fields.day_of_year = Some(value),
        'H' => fields.hour = Some(value),
        'k' => fields.hour = Some(if value == 24 { 0 } else { value }),
        'h' => fields.hour_of_half = Some(if value == 12 { 0 } else { value }),
        'K' => fields.hour_of_half = Some(value),
        'm' => fields.minute = Some(value),
        's' => fields.second = Some(value),
        'S' => fields.ms = Some(value),
        'u' => {}
        _ => return None,
    }
    Some(&text[width..])
}

/// A number, perhaps negative, and how long it is written.
fn read_number(text: &str, digits: Option<usize>) -> Option<(i64, usize)> {
    let sign = usize::from(digits.is_none() && text.starts_with('-'));
    let available = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let width = match digits {
        Some(wanted) => available.min(wanted),
        None => available,
    };
    if width == 0 || digits.is_some_and(|wanted| text.len() < wanted) {
        return None;
    }
    Some((text[..sign + width].parse().ok()?, sign + width))
}

/// The century that puts the year within 80 years before and 20 after now.
fn two_digit_year(value: i64, now_ms: i64) -> i64 {
    let start = Date::from_days(now_ms.div_euclid(DAY_MS)).year - 80;
    let year = start - start.rem_euclid(100) + value;
    if value < start.rem_euclid(100) { year + 100 } else { year }
}

fn read_word<'a>(letter: char, text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let starts =
        |name: &str| text.get(..name.len()).is_some_and(|front| front.eq_ignore_ascii_case(name));
    let named = |names: &[&'static str]| {
        names.iter().enumerate().find_map(|(index, name)| {
            let length = [*name, &name[..3]].into_iter().find(|n| starts(n))?.len();
            Some((index as i64, &text[length..]))
        })
    };
    match letter {
        'M' | 'L' => {
            let (index, rest) = named(&MONTHS)?;
            fields.month = Some(index + 1);
            Some(rest)
        }
        'E' => named(&WEEKDAYS).map(|(_, rest)| rest),
        'a' => {
            fields.afternoon = Some(starts("PM"));
            (starts("PM") || starts("AM")).then(|| &text[2..])
        }
        'G' => starts("AD").then(|| &text[2..]),
        _ => read_zone(text, fields),
    }
}

fn read_zone<'a>(text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let end =
        text.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"/_+-:".contains(b)).count();
    let name = &text[..end];
    let zone = match parse_offset(name) {
        Some(offset_ms) => Zone::Fixed { offset_ms },
        None => Zone::parse(name)?,
    };
    fields.zone = Some(zone);
    Some(&text[end..])
}

impl Fields {
    fn local_ms(&self) -> i64 {
        let year = self.year.unwrap_or(1970);
        let first = |month: i64| Date { year, month, day: 1 }.to_days();
        let days = match (self.day_of_year, self.month, self.day) {
            (Some(day), None, None) => first(1) + day - 1,
            (_, month, day) => first(month.unwrap_or(1)) + day.unwrap_or(1) - 1,
        };
        let hour = match (self.hour, self.hour_of_half) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => hour + if self.afternoon == Some(true) { 12 } else { 0 },
            (None, None) => {
                if self.afternoon == Some(true) {
                    12
                } else {
                    0
                }
            }
        };
        let minutes = hour * 60 + self.minute.unwrap_or(0);
        let seconds = minutes * 60 + self.second.unwrap_or(0);
        days * DAY_MS + seconds * 1000 + self.ms.unwrap_or(0)
    }
}
