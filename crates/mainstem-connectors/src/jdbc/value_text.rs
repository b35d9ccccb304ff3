//! A row of binary COPY as text, for the error about a row that PostgreSQL refuses.
//! Invariant: it never fails and never shows more than [`TEXT_MAX`] characters of a value.

use chrono::{DateTime, Days, NaiveDate};

use super::copy::field_length;
use super::numeric;
use super::target::Target;
use super::types::Wire;

const TEXT_MAX: usize = 60;

/// `id = 7, name = 'x', at = NULL` for the row whose fields' count is at the start of `row`.
pub(crate) fn row_text(row: &[u8], target: &Target) -> String {
    let mut at = 2;
    let mut parts = Vec::new();
    for column in &target.columns {
        if at + 4 > row.len() {
            break;
        }
        let text = match field_length(row, at) {
            None => "NULL".to_owned(),
            Some(length) => {
                let bytes = row.get(at + 4..at + 4 + length).unwrap_or_default();
                at += length;
                value_text(bytes, &column.wire)
            }
        };
        at += 4;
        parts.push(format!("{} = {text}", column.name));
    }
    parts.join(", ")
}

fn value_text(bytes: &[u8], wire: &Wire) -> String {
    let text = match wire {
        Wire::Bool => bytes.first().map(|b| (*b != 0).to_string()),
        Wire::Int2 => bytes.try_into().ok().map(|b| i16::from_be_bytes(b).to_string()),
        Wire::Int4 => bytes.try_into().ok().map(|b| i32::from_be_bytes(b).to_string()),
        Wire::Int8 => bytes.try_into().ok().map(|b| i64::from_be_bytes(b).to_string()),
        Wire::Float4 => bytes.try_into().ok().map(|b| f32::from_be_bytes(b).to_string()),
        Wire::Float8 => bytes.try_into().ok().map(|b| f64::from_be_bytes(b).to_string()),
        Wire::Numeric => numeric::text(bytes),
        Wire::Date => bytes.try_into().ok().and_then(|b| {
            let days = i32::from_be_bytes(b);
            let epoch = NaiveDate::from_ymd_opt(2000, 1, 1)?;
            let span = Days::new(u64::from(days.unsigned_abs()));
            let date =
                if days < 0 { epoch.checked_sub_days(span) } else { epoch.checked_add_days(span) };
            date.map(|d| d.to_string())
        }),
        Wire::Time => {
            bytes.try_into().ok().and_then(|b| instant(i64::from_be_bytes(b), "%H:%M:%S%.3f"))
        }
        Wire::Timestamp | Wire::TimestampTz => bytes
            .try_into()
            .ok()
            .and_then(|b| instant(i64::from_be_bytes(b), "%Y-%m-%d %H:%M:%S%.f")),
        Wire::Uuid if bytes.len() == 16 => {
            uuid::Uuid::from_slice(bytes).ok().map(|u| u.to_string())
        }
        Wire::Jsonb => Some(quoted(bytes.get(1..).unwrap_or_default())),
        Wire::Text | Wire::Json | Wire::Uuid => Some(quoted(bytes)),
        Wire::Bytea => Some(format!("{} bytes", bytes.len())),
        Wire::Array(..) => Some("an array".to_owned()),
    };
    text.unwrap_or_else(|| "?".to_owned())
}

fn instant(us: i64, format: &str) -> Option<String> {
    let since_1970 = us.checked_add(946_684_800_000_000)?;
    Some(DateTime::from_timestamp_micros(since_1970)?.format(format).to_string())
}

fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown: String = text.chars().take(TEXT_MAX).flat_map(show).collect();
    if text.chars().nth(TEXT_MAX).is_some() {
        shown.push_str("...");
    }
    format!("'{shown}'")
}

fn show(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}
