//! Avro values to JSON that a person and `jq` can read.
//! Invariant: the text is one line of valid JSON, the same for the same value (the keys of maps are sorted), and never
//! longer than its [`Limited`] buffer allows. It is not Avro's own JSON encoding: unions stand for the value they hold,
//! and logical types are written as what they mean. docs/user/kafka-commands.md has the table.

use std::io::{Error, ErrorKind, Result, Write};

use apache_avro::schema::{DecimalSchema, NamesRef, NamespaceRef};
use apache_avro::types::Value;
use apache_avro::{BigDecimal, Schema};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveTime, TimeDelta};

/// Unscaled decimals of more bits are refused: their digits would take quadratic time.
const DECIMAL_BITS_MAX: u64 = 32_768;
/// Scales further from 0 are written with an exponent instead of zeros.
const PLAIN_SCALE_MAX: u64 = 1_000;

/// Text up to a limit.
#[derive(Debug)]
pub(super) struct Limited {
    text: Vec<u8>,
    max_bytes: usize,
}

impl Limited {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { text: Vec::new(), max_bytes }
    }

    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if bytes.len() > self.max_bytes - self.text.len() {
            let text = format!("its JSON is longer than {} bytes", self.max_bytes);
            return Err(Error::new(ErrorKind::FileTooLarge, text));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Writes `value`, which was decoded with `schema`, whose named types are `names`.
pub(super) fn write_value(
    out: &mut Limited,
    value: &Value,
    schema: &Schema,
    names: &NamesRef<'_>,
) -> Result<()> {
    Values { out, names }.write(value, schema, None)
}

struct Values<'a, 'n> {
    out: &'a mut Limited,
    names: &'a NamesRef<'n>,
}

impl Values<'_, '_> {
    /// `namespace` is the one of the record around the value: it completes the names of types in it.
    fn write(&mut self, value: &Value, schema: &Schema, namespace: NamespaceRef<'_>) -> Result<()> {
        match (value, schema) {
            (value, Schema::Ref { name }) => {
                let name = name.fully_qualified_name(namespace);
                let schema = self.names.get(name.as_ref()).ok_or_else(disagree)?;
                self.write(value, schema, name.namespace())
            }
            (Value::Union(nth, value), Schema::Union(union)) => {
                let nth = usize::try_from(*nth).map_err(Error::other)?;
                let schema = union.variants().get(nth).ok_or_else(disagree)?;
                self.write(value, schema, namespace)
            }
            (Value::Record(values), Schema::Record(record)) => {
                let name = record.name.fully_qualified_name(namespace);
                self.out.write_all(b"{")?;
                for (nth, ((_, value), field)) in values.iter().zip(&record.fields).enumerate() {
                    self.write_name(nth, &field.name)?;
                    self.write(value, &field.schema, name.namespace())?;
                }
                self.out.write_all(b"}")
            }
            (Value::Array(values), Schema::Array(array)) => {
                self.out.write_all(b"[")?;
                for (nth, value) in values.iter().enumerate() {
                    if nth > 0 {
                        self.out.write_all(b",")?;
                    }
                    self.write(value, &array.items, namespace)?;
                }
                self.out.write_all(b"]")
            }
            (Value::Map(values), Schema::Map(map)) => {
                let mut sorted: Vec<(&String, &Value)> = values.iter().collect();
                sorted.sort_unstable_by_key(|(key, _)| *key);
                self.out.write_all(b"{")?;
                for (nth, (key, value)) in sorted.into_iter().enumerate() {
                    self.write_name(nth, key)?;
                    self.write(value, &map.types, namespace)?;
                }
                self.out.write_all(b"}")
            }
            (Value::Decimal(decimal), Schema::Decimal(DecimalSchema { scale, .. })) => {
                let scale = i64::try_from(*scale).map_err(Error::other)?;
                self.write_decimal(&BigDecimal::new(decimal.clone().into(), scale))
            }
            (value, _) => self.write_single(value),
        }
    }

    /// What needs no schema to be understood.
    fn write_single(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Null => self.out.write_all(b"null"),
            Value::Boolean(value) => write!(self.out, "{value}"),
            Value::Int(value) => write!(self.out, "{value}"),
            Value::Long(value) => write!(self.out, "{value}"),
            Value::Float(value) if value.is_finite() => {
                Ok(serde_json::to_writer(&mut *self.out, value)?)
            }
            Value::Float(value) => self.write_no_number(f64::from(*value)),
            Value::Double(value) if value.is_finite() => {
                Ok(serde_json::to_writer(&mut *self.out, value)?)
            }
            Value::Double(value) => self.write_no_number(*value),
            Value::Bytes(bytes) | Value::Fixed(_, bytes) => {
                write!(self.out, "\"{}\"", STANDARD.encode(bytes))
            }
            Value::String(text) | Value::Enum(_, text) => self.write_text(text),
            Value::Uuid(uuid) => write!(self.out, "\"{uuid}\""),
            Value::BigDecimal(decimal) => self.write_decimal(decimal),
            Value::Date(days) => {
                let date = DateTime::from_timestamp(i64::from(*days) * 86_400, 0);
                self.write_moment(i64::from(*days), date.map(|date| date.date_naive()))
            }
            Value::TimeMillis(millis) => {
                let time = time_of_day(TimeDelta::milliseconds(i64::from(*millis)));
                let text = time.map(|time| time.format("%H:%M:%S%.3f"));
                self.write_moment(i64::from(*millis), text)
            }
            Value::TimeMicros(micros) => {
                let time = time_of_day(TimeDelta::microseconds(*micros));
                self.write_moment(*micros, time.map(|time| time.format("%H:%M:%S%.6f")))
            }
            Value::TimestampMillis(at) => self.write_timestamp(*at, 3, "Z"),
            Value::TimestampMicros(at) => self.write_timestamp(*at, 6, "Z"),
            Value::TimestampNanos(at) => self.write_timestamp(*at, 9, "Z"),
            Value::LocalTimestampMillis(at) => self.write_timestamp(*at, 3, ""),
            Value::LocalTimestampMicros(at) => self.write_timestamp(*at, 6, ""),
            Value::LocalTimestampNanos(at) => self.write_timestamp(*at, 9, ""),
            Value::Duration(duration) => {
                let months = u32::from(duration.months());
                let (days, millis) = (u32::from(duration.days()), u32::from(duration.millis()));
                write!(self.out, "{{\"months\":{months},\"days\":{days},\"millis\":{millis}}}")
            }
            Value::Union(..)
            | Value::Record(_)
            | Value::Array(_)
            | Value::Map(_)
            | Value::Decimal(_) => Err(disagree()),
        }
    }

    /// `"name":`, after a comma unless it is the first.
    fn write_name(&mut self, nth: usize, name: &str) -> Result<()> {
        if nth > 0 {
            self.out.write_all(b",")?;
        }
        self.write_text(name)?;
        self.out.write_all(b":")
    }

    fn write_text(&mut self, text: &str) -> Result<()> {
        Ok(serde_json::to_writer(&mut *self.out, text)?)
    }

    /// JSON has no word for these.
    fn write_no_number(&mut self, value: f64) -> Result<()> {
        self.out.write_all(match value {
            f64::INFINITY => b"\"Infinity\"",
            f64::NEG_INFINITY => b"\"-Infinity\"",
            _ => b"\"NaN\"",
        })
    }

    fn write_decimal(&mut self, decimal: &BigDecimal) -> Result<()> {
        let (unscaled, scale) = decimal.as_bigint_and_scale();
        if unscaled.bits() > DECIMAL_BITS_MAX {
            let text =
                format!("a decimal has {} bits, more than {DECIMAL_BITS_MAX}", unscaled.bits());
            return Err(Error::new(ErrorKind::InvalidData, text));
        }
        match scale.unsigned_abs() <= PLAIN_SCALE_MAX {
            true => write!(self.out, "{}", decimal.to_plain_string()),
            // -i64::MIN is no i64.
            false => write!(self.out, "{unscaled}e{}", -i128::from(scale)),
        }
    }

    /// `at` counts units of `10^-digits` seconds.
    fn write_timestamp(&mut self, at: i64, digits: u32, zone: &str) -> Result<()> {
        let units = 10_i64.pow(digits);
        let nanos = u32::try_from(at.rem_euclid(units) * 10_i64.pow(9 - digits));
        let time = DateTime::from_timestamp(at.div_euclid(units), nanos.map_err(Error::other)?);
        let format = match digits {
            3 => "%Y-%m-%dT%H:%M:%S%.3f",
            6 => "%Y-%m-%dT%H:%M:%S%.6f",
            _ => "%Y-%m-%dT%H:%M:%S%.9f",
        };
        self.write_moment(at, time.map(|time| format!("{}{zone}", time.format(format))))
    }

    /// What no calendar and no clock has is written as the number it is.
    fn write_moment(&mut self, number: i64, text: Option<impl std::fmt::Display>) -> Result<()> {
        match text {
            Some(text) => write!(self.out, "\"{text}\""),
            None => write!(self.out, "{number}"),
        }
    }
}

fn time_of_day(since_midnight: TimeDelta) -> Option<NaiveTime> {
    let seconds = u32::try_from(since_midnight.num_seconds()).ok()?;
    let nanos = u32::try_from(since_midnight.subsec_nanos()).ok()?;
    // From 86,400 on it is `None`; nanoseconds beyond a second (a leap second) cannot come from a difference.
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos)
}

/// It cannot happen: the decoder makes values by their schema. It is said, rather than trusted.
fn disagree() -> Error {
    Error::new(ErrorKind::InvalidData, "the decoded value does not have the form of its schema")
}
