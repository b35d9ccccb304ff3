//! Option specs as data: one list next to each connector and format, from which validation, help, docs and the
//! console's forms are made.
//! Invariant: a key that is in no list is refused with the nearest known key as a suggestion.

use crate::table::Options;
use crate::{Error, Result};

/// What an option's value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named by what they parse")]
pub enum OptionType {
    String,
    Boolean,
    Integer,
    Double,
    /// `10 s`, `5min`, `100ms`, as Flink writes durations; a bare number is milliseconds.
    Duration,
    /// `2mb`, `64 kb`; a bare number is bytes.
    MemorySize,
    /// One of the given words, in any case.
    Enum(&'static [&'static str]),
    /// Elements separated by `;`.
    List,
}

/// One option of a connector or a format.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// The key as written in WITH; a key that ends in `*` stands for a prefix (`properties.*`).
    pub name: &'static str,
    /// What its value must look like.
    pub kind: OptionType,
    /// Must be given.
    pub required: bool,
    /// The value when it is not given, as it would be written.
    pub default: Option<&'static str>,
    /// Never printed.
    pub secret: bool,
    /// One sentence.
    pub doc: &'static str,
    /// A value that works.
    pub example: &'static str,
}

/// An option that may be left out.
pub const fn optional(
    name: &'static str,
    kind: OptionType,
    default: Option<&'static str>,
    doc: &'static str,
    example: &'static str,
) -> OptionSpec {
    OptionSpec { name, kind, required: false, default, secret: false, doc, example }
}

/// An option that must be given.
pub const fn required(
    name: &'static str,
    kind: OptionType,
    doc: &'static str,
    example: &'static str,
) -> OptionSpec {
    OptionSpec { name, kind, required: true, default: None, secret: false, doc, example }
}

/// An option whose value is never printed.
pub const fn secret(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec {
        name,
        kind: OptionType::String,
        required: false,
        default: None,
        secret: true,
        doc,
        example: "...",
    }
}

/// What a connector promises about delivery, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the field's terms")]
pub enum Delivery {
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

impl Delivery {
    /// What is left of it where no checkpoints are kept: after a crash rows come again.
    #[must_use]
    pub fn without_checkpoints(self) -> Self {
        self.min(Self::AtLeastOnce)
    }
}

impl std::fmt::Display for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AtMostOnce => "at most once",
            Self::AtLeastOnce => "at least once",
            Self::ExactlyOnce => "exactly once",
        })
    }
}

/// An option with which a sink promises less than its connector's spec says.
#[derive(Debug, Clone, Copy)]
pub struct Weaker {
    /// The option.
    pub option: &'static str,
    /// Its value, case does not matter; `None` for any.
    pub value: Option<&'static str>,
    /// What is left.
    pub delivery: Delivery,
}

/// A connector as data: what planner, docs and `--help` know of it.
#[derive(Debug, Clone, Copy)]
pub struct ConnectorSpec {
    /// The value of `'connector'`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// What it promises as a source of a pipeline with checkpoints; `None` if it is no source.
    pub source: Option<Delivery>,
    /// What it promises as a sink of a pipeline with checkpoints; `None` if it is no sink.
    pub sink: Option<Delivery>,
    /// Options with which its sink promises less.
    pub sink_weaker: &'static [Weaker],
    /// Whether `format`, `key.format` and `value.format` apply.
    pub formats: FormatUse,
    /// Its options, without those of formats and without `connector`.
    pub options: &'static [OptionSpec],
    /// Metadata keys it offers: key, SQL type as text, and whether it can be written.
    pub metadata: &'static [(&'static str, &'static str, bool)],
    /// As a source, its rows are upserts by primary key (upsert-kafka).
    pub upsert_source: bool,
    /// What a sink takes: append-only connectors refuse changelogs unless their format carries them.
    pub sink_changelog: SinkChangelog,
    /// What a source without a format takes over from the plan.
    pub pushdown: Pushdown,
}

impl ConnectorSpec {
    /// What its sink promises with these options; `None` if it is no sink.
    pub fn sink_delivery(&self, options: &Options) -> Option<Delivery> {
        let is_set = |weaker: &&Weaker| {
            options.get(weaker.option).is_some_and(|given| {
                weaker.value.is_none_or(|value| given.trim().eq_ignore_ascii_case(value))
            })
        };
        let weaker = self.sink_weaker.iter().filter(is_set).map(|weaker| weaker.delivery).min();
        self.sink.map(|delivery| weaker.map_or(delivery, |weaker| weaker.min(delivery)))
    }
}

/// What a source that makes its columns itself does in place of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushdown {
    /// It applies [`crate::table::ScanFilter`]s exactly, so that the plan need not filter again.
    pub filters: bool,
    /// It fills ROWs by the names of their fields, so that a ROW can be asked for with only those that are read.
    pub fields: bool,
    /// It can be asked for the rows of keys (lookup joins).
    pub lookup: bool,
}

impl Pushdown {
    /// Nothing.
    pub const NONE: Self = Self { filters: false, fields: false, lookup: false };
}

/// Which formats a connector takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatUse {
    /// None: rows are made or moved as columns.
    None,
    /// `format` only.
    Value,
    /// `format` or `value.format`, and `key.format`.
    KeyValue,
}

/// What changes a sink can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkChangelog {
    /// As the format says: json and csv append only, debezium-json everything.
    ByFormat,
    /// Upserts by primary key.
    Upsert,
    /// Upserts if a primary key is declared, else append only.
    UpsertIfKey,
    /// Everything.
    All,
    /// Everything but the old rows of updates, which it does not look at: only new rows come to it where that costs less.
    NoUpdateBefore,
}

/// A format as data.
#[derive(Debug, Clone, Copy)]
pub struct FormatSpec {
    /// The value of `'format'`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Its options, with the prefix `name.` in the key.
    pub options: &'static [OptionSpec],
    /// Its rows carry changes (debezium-json).
    pub changelog: bool,
    /// Its decoder applies [`crate::table::ScanFilter`]s exactly, so that the plan need not filter again.
    pub filters: bool,
    /// Its decoder finds fields of ROWs by name, so that a ROW can be asked for with only those that are read.
    pub fields: bool,
}

/// Reads typed values of validated options, with the defaults of their specs.
#[derive(Debug, Clone, Copy)]
pub struct OptionReader<'a> {
    options: &'a Options,
    specs: &'a [OptionSpec],
}

impl<'a> OptionReader<'a> {
    /// Reads `options` against `specs`.
    pub fn new(options: &'a Options, specs: &'a [OptionSpec]) -> Self {
        Self { options, specs }
    }

    /// The text of `name`, or its default.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.options
            .get(name)
            .map(String::as_str)
            .or_else(|| self.specs.iter().find(|s| s.name == name).and_then(|s| s.default))
    }

    /// The text of an option that must be there.
    pub fn required(&self, name: &str) -> Result<&'a str> {
        self.text(name).ok_or_else(|| Error::user(format!("option '{name}' is missing")))
    }

    /// A boolean option; absent without default is false.
    pub fn boolean(&self, name: &str) -> Result<bool> {
        self.text(name).map_or(Ok(false), |v| parse_boolean(name, v))
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> Result<Option<i64>> {
        self.text(name).map(|v| parse_integer(name, v)).transpose()
    }

    /// A floating-point number.
    pub fn double(&self, name: &str) -> Result<Option<f64>> {
        self.text(name)
            .map(|v| v.trim().parse().map_err(|_| invalid(name, v, "a number such as 0.5")))
            .transpose()
    }

    /// A duration in milliseconds.
    pub fn duration_ms(&self, name: &str) -> Result<Option<i64>> {
        self.text(name).map(|v| parse_duration_ms(name, v)).transpose()
    }

    /// A size in bytes.
    pub fn memory_size(&self, name: &str) -> Result<Option<u64>> {
        self.text(name).map(|v| parse_memory_size(name, v)).transpose()
    }

    /// All options whose key starts with `prefix`, with the prefix taken off.
    pub fn with_prefix(&self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.options
            .iter()
            .filter_map(move |(k, v)| k.strip_prefix(prefix).map(|rest| (rest, v.as_str())))
    }
}

impl OptionType {
    /// Whether `value` can be read as this type; the error says what would do.
    pub fn validate(&self, name: &str, value: &str) -> Result<()> {
        match self {
            OptionType::String | OptionType::List => Ok(()),
            OptionType::Boolean => parse_boolean(name, value).map(drop),
            OptionType::Integer => parse_integer(name, value).map(drop),
            OptionType::Double => value
                .trim()
                .parse::<f64>()
                .map(drop)
                .map_err(|_| invalid(name, value, "a number such as 0.5")),
            OptionType::Duration => parse_duration_ms(name, value).map(drop),
            OptionType::MemorySize => parse_memory_size(name, value).map(drop),
            OptionType::Enum(words) => {
                if words.iter().any(|w| w.eq_ignore_ascii_case(value)) {
                    Ok(())
                } else {
                    Err(invalid(name, value, &format!("one of {}", words.join(", "))))
                }
            }
        }
    }
}

fn invalid(name: &str, value: &str, wanted: &str) -> Error {
    Error::user(format!("option '{name}' has the value '{value}', which is not {wanted}"))
}

fn parse_boolean(name: &str, value: &str) -> Result<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(name, value, "true or false")),
    }
}

fn parse_integer(name: &str, value: &str) -> Result<i64> {
    value.trim().parse().map_err(|_| invalid(name, value, "a whole number"))
}

fn split_unit(value: &str) -> (&str, &str) {
    let value = value.trim();
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    (&value[..end], value[end..].trim())
}

/// Parses a Flink duration such as `10 s`; `name` is the option, for the error.
pub fn parse_duration_ms(name: &str, value: &str) -> Result<i64> {
    let (number, unit) = split_unit(value);
    let wanted = "a duration such as 500 ms, 10 s, 5 min, 1 h or 1 d";
    let number: i64 = number.parse().map_err(|_| invalid(name, value, wanted))?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "min" | "m" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "us" | "µs" | "micro" | "micros" | "microsecond" | "microseconds" => {
            return Ok(number / 1_000);
        }
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => return Ok(number / 1_000_000),
        _ => return Err(invalid(name, value, wanted)),
    };
    number
        .checked_mul(factor)
        .ok_or_else(|| invalid(name, value, "a duration below 292 million years"))
}

/// Parses a Flink memory size such as `64 mb`; `name` is the option, for the error.
pub fn parse_memory_size(name: &str, value: &str) -> Result<u64> {
    let (number, unit) = split_unit(value);
    let wanted = "a size such as 512 kb, 16 mb or 1 gb";
    let number: u64 = number.parse().map_err(|_| invalid(name, value, wanted))?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 1,
        "k" | "kb" | "kibibytes" => 1 << 10,
        "m" | "mb" | "mebibytes" => 1 << 20,
        "g" | "gb" | "gibibytes" => 1 << 30,
        "t" | "tb" | "tebibytes" => 1u64 << 40,
        _ => return Err(invalid(name, value, wanted)),
    };
    number.checked_mul(factor).ok_or_else(|| invalid(name, value, "a size below 16 EiB"))
}

/// The candidate nearest to `word`, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|c| (edit_distance(&word, &c.to_ascii_lowercase()), c))
        .filter(|(d, c)| *d <= (c.len().max(word.len()) / 3).max(1))
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment).
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["topic", "path", "scan.startup.mode"];
        for (word, expected) in [
            ("topci", Some("topic")),
            ("Topic", Some("topic")),
            ("pth", Some("path")),
            ("scan.startup-mode", Some("scan.startup.mode")),
            ("zzz", None),
        ] {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
        for (a, b, distance) in
            [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(edit_distance(a, b), distance);
        }
    }
}
