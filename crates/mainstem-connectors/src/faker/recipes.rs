//! Makers of the methods that look at their arguments or their locale.
//! Invariant: every argument is checked here, so that what is made later cannot fail; bounds mean what they mean in
//! datafaker (`numberBetween` leaves its end out, `randomDouble` does not).

use mainstem_core::{Error, Result};

use super::checked::{Checked, IBANS};
use super::data::{Locale, fold, words};
use super::maker::{Maker, Mask};
use super::moment::{Moment, Style, parse_nanos, span_ms};
use super::providers::Call;
use super::regexify::Regex;

pub(super) fn no_arguments(call: &Call<'_>, maker: Maker) -> Result<Maker> {
    call.at_most(0).map(|()| maker)
}

pub(super) fn checked(call: &Call<'_>, checked: Checked) -> Result<Maker> {
    no_arguments(call, Maker::Checked(checked))
}

pub(super) fn checked_formatted(call: &Call<'_>, make: fn(bool) -> Checked) -> Result<Maker> {
    call.at_most(1)?;
    Ok(Maker::Checked(make(call.boolean(0, true)?)))
}

pub(super) fn regexify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{regexify '[a-z]{3}'}")?;
    call.at_most(1)?;
    Ok(Maker::Regex(Regex::parse(call.text(0, ""))?))
}

pub(super) fn bothify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{bothify '??-###'}")?;
    call.at_most(2)?;
    Ok(Mask::parse(call.text(0, ""), "#Ø?", call.boolean(1, false)?))
}

pub(super) fn numerify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{numerify '###'}")?;
    call.at_most(1)?;
    Ok(Mask::parse(call.text(0, ""), "#Ø", false))
}

pub(super) fn letterify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{letterify '???'}")?;
    call.at_most(2)?;
    Ok(Mask::parse(call.text(0, ""), "?", call.boolean(1, false)?))
}

pub(super) fn examplify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{examplify 'AB-123'}")?;
    call.at_most(1)?;
    Ok(Mask::example(call.text(0, "")))
}

/// `'text', 'placeholder', 'option', ...`: each placeholder in the text becomes one of the options.
pub(super) fn templatify(call: &Call<'_>) -> Result<Maker> {
    call.at_least(3, "#{templatify 'te?t','?','s','x'}")?;
    let mut placeholder = call.text(1, "").chars();
    let (Some(mark), None) = (placeholder.next(), placeholder.next()) else {
        return Err(call.wrong(call.text(1, ""), "one character"));
    };
    let options =
        Maker::Word(call.directive.arguments[2..].iter().map(|o| o.as_str().into()).collect());
    let mut parts = Vec::new();
    for (i, text) in call.text(0, "").split(mark).enumerate() {
        if i > 0 {
            parts.push(options.clone());
        }
        parts.push(Maker::Text(text.into()));
    }
    Ok(Maker::Sequence(parts.into()))
}

pub(super) fn option(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{Options.option 'A','B'}")?;
    Ok(Maker::Word(call.directive.arguments.iter().map(|o| o.as_str().into()).collect()))
}

fn folded(list: &str) -> Maker {
    Maker::Word(list.split('|').map(|word| fold(word).into()).collect())
}

pub(super) fn username(call: &Call<'_>) -> Result<Maker> {
    call.at_most(0)?;
    let (first, last) = (call.locale.text("first_names")?, call.locale.text("last_names")?);
    Ok(Maker::Sequence([folded(first), Maker::Text(".".into()), folded(last)].into()))
}

pub(super) fn email(call: &Call<'_>, domains: &str) -> Result<Maker> {
    call.at_most(0)?;
    let name = username(call)?;
    let numbered = Maker::Sequence([name.clone(), Maker::Whole { min: 1, span: 999 }].into());
    let local = Maker::OneOf([name, numbered].into());
    Ok(Maker::Sequence([local, Maker::Text("@".into()), Maker::words(domains)].into()))
}

pub(super) fn domain_word(call: &Call<'_>) -> Result<Maker> {
    call.at_most(0)?;
    Ok(folded(call.locale.text("last_names")?))
}

pub(super) fn domain_name(call: &Call<'_>) -> Result<Maker> {
    let suffix = Maker::words(call.locale.text("domain_suffixes")?);
    Ok(Maker::Sequence([domain_word(call)?, Maker::Text(".".into()), suffix].into()))
}

/// `min length, max length, upper case, special characters, digits`, as datafaker has them.
pub(super) fn password(call: &Call<'_>) -> Result<Maker> {
    call.at_most(5)?;
    let mut class: Vec<char> = ('a'..='z').collect();
    let mut next = 0;
    let (min, max) = if call.count() >= 2 {
        next = 2;
        (call.size(0, 8)?, call.size(1, 16)?)
    } else {
        (8, 16)
    };
    if min > max {
        return Err(call.wrong(call.text(0, ""), "at most the greatest length"));
    }
    if call.count() > next && call.count() < 2 {
        // The one-argument form says whether digits are used.
        class.extend(if call.boolean(0, true)? { '0'..='9' } else { '1'..='0' });
    } else {
        class.extend(if call.boolean(2, false)? { 'A'..='Z' } else { '1'..='0' });
        class.extend(if call.boolean(3, false)? { "!@#$%^&*".chars() } else { "".chars() });
        class.extend(if call.boolean(4, true)? { '0'..='9' } else { '1'..='0' });
    }
    Ok(Maker::Regex(Regex::Repeat(Box::new(Regex::Class(class)), min, max)))
}

pub(super) fn degrees(call: &Call<'_>, most: i64) -> Result<Maker> {
    call.at_most(0)?;
    let units = most * 100_000_000;
    Ok(Maker::Fraction { decimals: 8, min_units: -units, span: (2 * units + 1).unsigned_abs() })
}

pub(super) fn price(call: &Call<'_>) -> Result<Maker> {
    call.at_most(2)?;
    fraction_between(call, 2, call.fraction(0, 0.0)?, call.fraction(1, 100.0)?)
}

pub(super) fn credit_card(call: &Call<'_>) -> Result<Maker> {
    call.at_most(1)?;
    let all = [("4", 16), ("51", 16), ("55", 16), ("34", 15), ("37", 15), ("6011", 16)];
    let wanted = match call.text(0, "").to_ascii_lowercase().as_str() {
        "" => &all[..],
        "visa" => &all[..1],
        "mastercard" => &all[1..3],
        "american_express" | "amex" => &all[3..5],
        "discover" => &all[5..],
        other => {
            return Err(call.wrong(other, "one of VISA, MASTERCARD, AMERICAN_EXPRESS, DISCOVER"));
        }
    };
    Ok(Maker::Checked(Checked::Card(wanted.to_vec())))
}

/// Of the country given, else of the locale's; where that has none, of any country.
pub(super) fn iban(call: &Call<'_>) -> Result<Maker> {
    call.at_most(1)?;
    let code = call.text(0, call.locale.country()).to_ascii_uppercase();
    let found: Vec<_> = IBANS.iter().filter(|c| c.code == code).collect();
    if found.is_empty() && call.count() > 0 {
        let known = IBANS.iter().map(|c| c.code).collect::<Vec<_>>().join(", ");
        return Err(call.wrong(&code, &format!("one of {known}")));
    }
    let countries = if found.is_empty() { IBANS.iter().collect() } else { found };
    Ok(Maker::Checked(Checked::Iban(countries)))
}

pub(super) fn id_number(call: &Call<'_>) -> Result<Maker> {
    checked(
        call,
        match call.locale {
            Locale::EnUs => Checked::Ssn,
            Locale::PtBr => Checked::Cpf { formatted: true },
            Locale::RoRo => Checked::Cnp,
        },
    )
}

fn latin() -> Box<[Box<str>]> {
    words::LATIN.split('|').map(Box::from).collect()
}

pub(super) fn prose(min: u32, max: u32, sentence: bool) -> Result<Maker> {
    Ok(Maker::Prose { words: latin(), min, max, sentence })
}

pub(super) fn paragraph(call: &Call<'_>, sentences: u32, more: u32) -> Result<Maker> {
    call.at_most(1)?;
    let maker = Box::new(prose(4, 10, true)?);
    Ok(Maker::Repeat { maker, min: sentences, max: sentences + more, separator: " " })
}

/// `count`, or `least, most`: small letters and digits.
pub(super) fn characters(call: &Call<'_>) -> Result<Maker> {
    call.at_most(4)?;
    let fallback =
        if call.directive.name.to_ascii_lowercase().ends_with("character") { 1 } else { 255 };
    let min = call.size(0, fallback)?;
    let bounded = call.directive.arguments.get(1).is_some_and(|a| a.trim().parse::<u32>().is_ok());
    let max = if bounded { call.size(1, min)? } else { min };
    let upper = call.boolean(if bounded { 2 } else { 1 }, false)?;
    if min > max {
        return Err(call.wrong(call.text(0, ""), "at most the greatest length"));
    }
    let mut class: Vec<char> = ('a'..='z').chain('0'..='9').collect();
    class.extend(if upper { 'A'..='Z' } else { '1'..='0' });
    Ok(Maker::Regex(Regex::Repeat(Box::new(Regex::Class(class)), min, max)))
}

/// A number of so many digits; as text it keeps its leading zeros.
pub(super) fn digits(call: &Call<'_>, text: bool) -> Result<Maker> {
    call.at_most(2)?;
    if text {
        call.at_least(1, "#{number.digits '5'}")?;
        return Ok(Maker::Mask((0..call.size(0, 1)?).map(|_| Mask::Digit).collect()));
    }
    let count = call.size(0, 9)?;
    if !(1..=18).contains(&count) {
        return Err(call.wrong(call.text(0, ""), "1 to 18 digits"));
    }
    let end = 10i64.pow(count);
    let min = if call.boolean(1, false)? { end / 10 } else { 0 };
    Ok(Maker::Whole { min, span: (end - min).unsigned_abs() })
}

/// From the first number up to but without the second.
pub(super) fn number_between(call: &Call<'_>) -> Result<Maker> {
    call.at_least(2, "#{number.numberBetween '1','100'}")?;
    call.at_most(2)?;
    let (min, end) = (call.whole(0, 0)?, call.whole(1, 0)?);
    if min > end {
        return Err(Error::user(format!(
            "'#{{{}}}': {min} is greater than {end}",
            call.directive.name
        )));
    }
    Ok(Maker::Whole { min, span: end.wrapping_sub(min).cast_unsigned().max(1) })
}

pub(super) fn next_int(call: &Call<'_>) -> Result<Maker> {
    call.at_most(2)?;
    match call.count() {
        0 => Ok(Maker::Whole { min: 0, span: i32::MAX as u64 }),
        1 => Ok(Maker::Whole { min: 0, span: call.whole(0, 1)?.max(1).unsigned_abs() }),
        _ => {
            let (min, max) = (call.whole(0, 0)?, call.whole(1, 0)?);
            if min > max {
                return Err(call.wrong(call.text(0, ""), "at most the greatest number"));
            }
            Ok(Maker::Whole { min, span: max.wrapping_sub(min).cast_unsigned().wrapping_add(1) })
        }
    }
}

/// `decimals, least, greatest`.
pub(super) fn random_double(call: &Call<'_>) -> Result<Maker> {
    call.at_least(3, "#{number.randomDouble '2','1','100'}")?;
    call.at_most(3)?;
    let decimals = call.whole(0, 2)?;
    let decimals = u8::try_from(decimals)
        .ok()
        .filter(|d| *d <= 15)
        .ok_or_else(|| call.wrong(call.text(0, ""), "0 to 15 decimals"))?;
    fraction_between(call, decimals, call.fraction(1, 0.0)?, call.fraction(2, 0.0)?)
}

fn fraction_between(call: &Call<'_>, decimals: u8, min: f64, max: f64) -> Result<Maker> {
    let factor = 10f64.powi(i32::from(decimals));
    let (min_units, max_units) = ((min * factor).round(), (max * factor).round());
    if min > max || min_units.abs().max(max_units.abs()) > 9e18 {
        return Err(Error::user(format!(
            "'#{{{}}}' cannot go from {min} to {max}",
            call.directive.name
        ))
        .with_hint("the least number comes first; both times 10^decimals stay below 9e18"));
    }
    let (min_units, max_units) = (min_units as i64, max_units as i64);
    let span = max_units.wrapping_sub(min_units).cast_unsigned() + 1;
    Ok(Maker::Fraction { decimals, min_units, span })
}

/// `number, unit[, pattern]` or `number, least number, unit[, pattern]`; without arguments up to a year.
pub(super) fn around(call: &Call<'_>, direction: i64, style: Style) -> Result<Maker> {
    call.at_most(4)?;
    let unit_at = match (call.count(), call.text(1, "").trim().parse::<i64>()) {
        (0, _) => {
            let span_ms = 365 * 86_400_000;
            let min_ms = if direction < 0 { -(span_ms as i64) } else { 1 };
            return Ok(Maker::Moment(Moment::Around { min_ms, span_ms }, style));
        }
        (_, Ok(_)) => 2,
        _ => 1,
    };
    call.at_least(unit_at + 1, "#{date.past '30','SECONDS'}")?;
    let unit = call.text(unit_at, "");
    let most = span_ms(call.whole(0, 0)?, unit)?;
    let least = if unit_at == 2 { span_ms(call.whole(1, 0)?, unit)? } else { 0 };
    if least < 0 || most < least {
        return Err(
            call.wrong(call.text(0, ""), "at least the second number, and both not negative")
        );
    }
    let span = (most - least).unsigned_abs().max(1);
    let min_ms = if direction < 0 { -(least + span.cast_signed()) } else { least };
    // A least distance of 0 means "before now" and "after now", not now itself.
    let min_ms = if least == 0 && direction > 0 { 1 } else { min_ms };
    let style = match call.directive.arguments.get(unit_at + 1) {
        Some(pattern) => Style::pattern(pattern)?,
        None => style,
    };
    Ok(Maker::Moment(Moment::Around { min_ms, span_ms: span }, style))
}

/// `from, to[, pattern]`.
pub(super) fn date_between(call: &Call<'_>, style: Style) -> Result<Maker> {
    call.at_least(2, "#{date.between '2025-01-01','2026-01-01'}")?;
    call.at_most(3)?;
    let ms = |index: usize| -> Result<i64> {
        let text = call.text(index, "");
        parse_nanos(text)
            .and_then(|n| i64::try_from(n.div_euclid(1_000_000)).ok())
            .ok_or_else(|| call.wrong(text, "a time such as 2026-01-01 00:00:00"))
    };
    let (from_ms, to_ms) = (ms(0)?, ms(1)?);
    if to_ms <= from_ms {
        return Err(call.wrong(call.text(1, ""), "after the first"));
    }
    let style = if call.count() > 2 { Style::pattern(call.text(2, ""))? } else { style };
    Ok(Maker::Moment(Moment::Between { from_ms, span_ms: (to_ms - from_ms).unsigned_abs() }, style))
}

/// `least age, greatest age[, pattern]` or a pattern only.
pub(super) fn birthday(call: &Call<'_>, style: Style) -> Result<Maker> {
    call.at_most(3)?;
    let (ages, pattern) = match call.count() {
        0 => (false, None),
        1 => (false, Some(call.text(0, ""))),
        _ => (true, call.directive.arguments.get(2).map(String::as_str)),
    };
    let (min_years, max_years) =
        if ages { (call.whole(0, 18)?, call.whole(1, 65)?) } else { (18, 65) };
    if min_years < 0 || max_years < min_years || max_years > 1000 {
        return Err(call.wrong(call.text(0, ""), "an age below the greatest age"));
    }
    let style = pattern.map_or(Ok(style), Style::pattern)?;
    Ok(Maker::Moment(Moment::Birthday { min_years, max_years }, style))
}

/// `start[, step]`: row by row.
pub(super) fn sequence_number(call: &Call<'_>) -> Result<Maker> {
    call.at_most(2)?;
    Ok(Maker::Count { start: call.whole(0, 1)?, step: call.whole(1, 1)? })
}

/// `start[, step in ms[, pattern]]`: row by row.
pub(super) fn sequence_timestamp(call: &Call<'_>) -> Result<Maker> {
    call.at_least(1, "#{sequence.timestamp '2026-01-01 00:00:00','1'}")?;
    call.at_most(3)?;
    let start = call.text(0, "");
    let start_ms = parse_nanos(start)
        .and_then(|n| i64::try_from(n.div_euclid(1_000_000)).ok())
        .ok_or_else(|| call.wrong(start, "a time such as 2026-01-01 00:00:00"))?;
    let style = if call.count() > 2 { Style::pattern(call.text(2, ""))? } else { Style::Sql };
    Ok(Maker::Moment(Moment::Steps { start_ms, step_ms: call.whole(1, 1)? }, style))
}
