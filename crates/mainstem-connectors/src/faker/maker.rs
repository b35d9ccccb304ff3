//! What a compiled expression makes, value by value.
//! Invariant: a value is a function of its draw; nothing is parsed or looked up while rows are made, and nothing is
//! allocated except the output's growth.

use std::fmt::Write as _;

use mainstem_core::clock::Rng;

use super::checked::Checked;
use super::moment::{Moment, Style};
use super::regexify::Regex;

/// What one value is made from.
#[derive(Debug)]
pub(super) struct Draw {
    pub(super) rng: Rng,
    /// The row's number (in a collection: the element's slot).
    pub(super) row: u64,
    /// When the row appears, in ms.
    pub(super) now_ms: i64,
}

/// A compiled expression, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Maker {
    Text(Box<str>),
    Word(Box<[Box<str>]>),
    Sequence(Box<[Maker]>),
    OneOf(Box<[Maker]>),
    Mask(Box<[Mask]>),
    Regex(Regex),
    /// `min .. min + span`; a span of 0 stands for all 2^64 numbers.
    Whole {
        min: i64,
        span: u64,
    },
    /// `min_units .. min_units + span` divided by `10^decimals`.
    Fraction {
        decimals: u8,
        min_units: i64,
        span: u64,
    },
    /// `start + row * step`.
    Count {
        start: i64,
        step: i64,
    },
    Moment(Moment, Style),
    Bool,
    Uuid,
    /// So many hexadecimal digits.
    Hex(u32),
    /// `count` groups of `digits` hexadecimal digits with colons.
    HexGroups {
        count: u32,
        digits: u32,
    },
    Ipv4 {
        private: bool,
    },
    Checked(Checked),
    /// Words between `min` and `max` in number; a sentence starts with a capital and ends with a full stop.
    Prose {
        words: Box<[Box<str>]>,
        min: u32,
        max: u32,
        sentence: bool,
    },
    /// `min` to `max` times the same, with `separator` between.
    Repeat {
        maker: Box<Maker>,
        min: u32,
        max: u32,
        separator: &'static str,
    },
}

/// One place of a pattern such as `##-??`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mask {
    Digit,
    NonZero,
    Lower,
    Upper,
    Char(char),
}

impl Mask {
    /// Reads a pattern: `#` is a digit, `Ø` one that is not 0, `?` a letter; what is not among `of` stays.
    pub(super) fn parse(text: &str, of: &str, upper: bool) -> Maker {
        let mask = |c: char| match c {
            '#' if of.contains(c) => Mask::Digit,
            'Ø' if of.contains(c) => Mask::NonZero,
            '?' if of.contains(c) => {
                if upper {
                    Mask::Upper
                } else {
                    Mask::Lower
                }
            }
            c => Mask::Char(c),
        };
        Maker::Mask(text.chars().map(mask).collect())
    }

    /// Each letter and digit of an example becomes another of its class.
    pub(super) fn example(text: &str) -> Maker {
        let mask = |c: char| match c {
            '0'..='9' => Mask::Digit,
            'a'..='z' => Mask::Lower,
            'A'..='Z' => Mask::Upper,
            c => Mask::Char(c),
        };
        Maker::Mask(text.chars().map(mask).collect())
    }

    #[inline]
    fn write(self, rng: &mut Rng, out: &mut String) {
        let from =
            |first: u8, count: u64, rng: &mut Rng| char::from(first + rng.below(count) as u8);
        out.push(match self {
            Mask::Digit => from(b'0', 10, rng),
            Mask::NonZero => from(b'1', 9, rng),
            Mask::Lower => from(b'a', 26, rng),
            Mask::Upper => from(b'A', 26, rng),
            Mask::Char(c) => c,
        });
    }
}

impl Maker {
    /// Any of the words of a list written `a|b|c`.
    pub(super) fn words(list: &str) -> Self {
        Maker::Word(list.split('|').map(Box::from).collect())
    }

    /// Appends a value's text.
    pub(super) fn write(&self, draw: &mut Draw, out: &mut String) {
        let rng = &mut draw.rng;
        match self {
            Maker::Text(text) => out.push_str(text),
            Maker::Word(words) => out.push_str(pick(words, rng)),
            Maker::Sequence(parts) => parts.iter().for_each(|part| part.write(draw, out)),
            Maker::OneOf(makers) => {
                let chosen = rng.below(makers.len() as u64) as usize;
                makers[chosen].write(draw, out);
            }
            Maker::Mask(places) => places.iter().for_each(|place| place.write(rng, out)),
            Maker::Regex(regex) => regex.write(rng, out),
            Maker::Whole { min, span } => {
                out.push_str(itoa::Buffer::new().format(whole(*min, *span, rng)));
            }
            Maker::Fraction { decimals, min_units, span } => {
                fraction(whole(*min_units, *span, rng), *decimals, out);
            }
            Maker::Count { start, step } => {
                out.push_str(itoa::Buffer::new().format(count(*start, *step, draw.row)));
            }
            Maker::Moment(moment, style) => style.write(moment.at(rng, draw.row, draw.now_ms), out),
            Maker::Bool => out.push_str(if boolean(rng) { "true" } else { "false" }),
            Maker::Uuid => uuid(rng, out),
            Maker::Hex(digits) => hex(rng, *digits, out),
            Maker::HexGroups { count, digits } => {
                for i in 0..*count {
                    if i > 0 {
                        out.push(':');
                    }
                    hex(rng, *digits, out);
                }
            }
            Maker::Ipv4 { private } => ipv4(*private, rng, out),
            Maker::Checked(checked) => checked.write(rng, draw.now_ms, out),
            Maker::Prose { words, min, max, sentence } => {
                prose(words, between(*min, *max, rng), *sentence, rng, out);
            }
            Maker::Repeat { maker, min, max, separator } => {
                for i in 0..between(*min, *max, rng) {
                    if i > 0 {
                        out.push_str(separator);
                    }
                    maker.write(draw, out);
                }
            }
        }
    }

    /// Whether a value follows from its row's number, so that it has no meaning inside a collection.
    pub(super) fn counts_rows(&self) -> bool {
        match self {
            Maker::Count { .. } | Maker::Moment(Moment::Steps { .. }, _) => true,
            Maker::Sequence(parts) | Maker::OneOf(parts) => parts.iter().any(Maker::counts_rows),
            _ => false,
        }
    }
}

/// One of the words.
#[inline]
pub(super) fn pick<'a>(words: &'a [Box<str>], rng: &mut Rng) -> &'a str {
    &words[rng.below(words.len() as u64) as usize]
}

#[inline]
fn between(min: u32, max: u32, rng: &mut Rng) -> u32 {
    min + rng.below(u64::from(max - min) + 1) as u32
}

/// A number from `min` on; a span of 0 stands for all 2^64 numbers.
#[inline]
pub(super) fn whole(min: i64, span: u64, rng: &mut Rng) -> i64 {
    match span {
        0 => rng.next_u64().cast_signed(),
        span => min.wrapping_add(rng.below(span).cast_signed()),
    }
}

/// The number of a row.
#[inline]
pub(super) fn count(start: i64, step: i64, row: u64) -> i64 {
    start.wrapping_add(row.cast_signed().wrapping_mul(step))
}

/// true or false.
#[inline]
pub(super) fn boolean(rng: &mut Rng) -> bool {
    rng.next_u64() >> 63 == 1
}

/// As Java prints a double: without needless zeros, but with one decimal at least.
fn fraction(units: i64, decimals: u8, out: &mut String) {
    let divisor = 10u64.pow(u32::from(decimals));
    let size = units.unsigned_abs();
    if units < 0 {
        out.push('-');
    }
    out.push_str(itoa::Buffer::new().format(size / divisor));
    out.push('.');
    super::moment::padded(size % divisor, usize::from(decimals), out);
    let kept = out.trim_end_matches('0').len();
    out.truncate(kept.max(out.rfind('.').map_or(0, |dot| dot + 2)));
    if out.ends_with('.') {
        out.push('0');
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn hex(rng: &mut Rng, digits: u32, out: &mut String) {
    let mut left = digits;
    while left > 0 {
        let mut bits = rng.next_u64();
        for _ in 0..left.min(16) {
            out.push(char::from(HEX[(bits & 15) as usize]));
            bits >>= 4;
        }
        left -= left.min(16);
    }
}

fn uuid(rng: &mut Rng, out: &mut String) {
    let mut bits = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
    // RFC 9562: version 4, variant 10.
    bits = bits & !(0xf << 76) | 4 << 76;
    bits = bits & !(0b11 << 62) | 0b10 << 62;
    let mut text = [b'-'; 36];
    let places = (0..36).filter(|i| !matches!(i, 8 | 13 | 18 | 23));
    for (i, place) in places.enumerate() {
        text[place] = HEX[(bits >> (124 - 4 * i)) as usize & 15];
    }
    out.push_str(std::str::from_utf8(&text).expect("hex digits are ASCII"));
}

fn ipv4(private: bool, rng: &mut Rng, out: &mut String) {
    let mut byte = |least: u64, bound: u64| least + rng.below(bound);
    let parts = if private {
        match byte(0, 3) {
            0 => [10, byte(0, 256), byte(0, 256), byte(1, 254)],
            1 => [172, byte(16, 16), byte(0, 256), byte(1, 254)],
            _ => [192, 168, byte(0, 256), byte(1, 254)],
        }
    } else {
        let first = byte(1, 222);
        // Not 10.x and not the loopback 127.x.
        let first = if matches!(first, 10 | 127) { first + 1 } else { first };
        [first, byte(0, 256), byte(0, 256), byte(1, 254)]
    };
    let [a, b, c, d] = parts;
    write!(out, "{a}.{b}.{c}.{d}").expect("writing to a string cannot fail");
}

fn prose(words: &[Box<str>], count: u32, sentence: bool, rng: &mut Rng, out: &mut String) {
    for i in 0..count {
        let word = pick(words, rng);
        if i > 0 {
            out.push(' ');
        }
        let mut chars = word.chars();
        match chars.next() {
            Some(first) if sentence && i == 0 => {
                out.extend(first.to_uppercase());
                out.push_str(chars.as_str());
            }
            _ => out.push_str(word),
        }
    }
    if sentence {
        out.push('.');
    }
}
