//! METADATA columns of a source, which come with a record and not out of its bytes. Every format fills them here.
//! Invariant: the columns of a projection are value columns, which the format decodes in order, and metadata columns,
//! which this makes for the records that the format kept; `assemble` puts both back into the projection's order.
//! Does not know connectors: which keys a connector offers is in its spec.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMillisecondArray};
use arrow_cast::cast;
use arrow_schema::DataType as ArrowType;
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use mainstem_core::ingest::{Lines, Messages};
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Error, Result, TypeKind};

/// What a metadata column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Topic,
    Partition,
    Offset,
    Timestamp,
    TimestampType,
    Headers,
    FilePath,
    FileName,
}

const KEYS: &[(&str, Key)] = &[
    ("topic", Key::Topic),
    ("partition", Key::Partition),
    ("offset", Key::Offset),
    ("timestamp", Key::Timestamp),
    ("timestamp-type", Key::TimestampType),
    ("headers", Key::Headers),
    ("file.path", Key::FilePath),
    ("file.name", Key::FileName),
];

/// One metadata column of a projection.
#[derive(Debug, Clone)]
struct Wanted {
    key: Key,
    name: String,
    kind: TypeKind,
    arrow_type: ArrowType,
}

/// The metadata columns of a projection.
#[derive(Debug, Clone)]
pub struct MetadataColumns {
    /// For each column of the projection: a metadata column, or a column of the table that the format decodes.
    columns: Vec<Result<Wanted, usize>>,
    zone: Tz,
}

impl MetadataColumns {
    /// Those of `projection` (indices into `table.columns`) that carry a metadata key. `time_zone` is the session's:
    /// a timestamp declared without local time zone is written in it.
    pub fn new(table: &TableSpec, projection: &[usize], time_zone: &str) -> Result<Self> {
        let columns = projection.iter().map(|&index| {
            let column = &table.columns[index];
            match &column.metadata_key {
                None => Ok(Err(index)),
                Some(key) => Wanted::new(column, key).map(Ok),
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let zone = time_zone
            .parse()
            .map_err(|_| Error::user(format!("unknown time zone '{time_zone}'")))?;
        Ok(Self { columns, zone })
    }

    /// True if the projection has no metadata column.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(Result::is_err)
    }

    /// The other columns of the projection, indices into the table's: what the format decodes, in this order.
    pub fn value_columns(&self) -> Vec<usize> {
        self.columns.iter().filter_map(|c| c.as_ref().err().copied()).collect()
    }

    /// The metadata columns of the records `kept` (indices of messages, in row order).
    pub fn of_messages(&self, messages: &Messages, kept: &[u32]) -> Result<Vec<ArrayRef>> {
        self.wanted().map(|wanted| wanted.of_messages(messages, kept, self.zone)).collect()
    }

    /// The metadata columns of `rows` rows out of one file.
    pub fn of_lines(&self, lines: &Lines, rows: usize) -> Result<Vec<ArrayRef>> {
        self.wanted()
            .map(|wanted| {
                let text: &str = match wanted.key {
                    Key::FilePath => &lines.path,
                    Key::FileName => lines.path.rsplit(['/', '\\']).next().unwrap_or_default(),
                    _ => return Err(wanted.missing("a file")),
                };
                wanted.cast(repeated(text, rows))
            })
            .collect()
    }

    /// Value columns and metadata columns in the projection's order.
    pub fn assemble(&self, values: Vec<ArrayRef>, metadata: Vec<ArrayRef>) -> Vec<ArrayRef> {
        let (mut values, mut metadata) = (values.into_iter(), metadata.into_iter());
        self.columns
            .iter()
            .filter_map(|c| if c.is_ok() { metadata.next() } else { values.next() })
            .collect()
    }

    fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.columns.iter().filter_map(|c| c.as_ref().ok())
    }
}

fn repeated(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
}

impl Wanted {
    fn new(column: &Column, key: &str) -> Result<Self> {
        let Some((_, key)) = KEYS.iter().find(|(name, _)| *name == key) else {
            return Err(Error::user(format!(
                "column '{}': there is no metadata '{key}' in a record",
                column.name
            )));
        };
        let kind = &column.data_type.kind;
        let (fits, wants) = match key {
            Key::Topic | Key::TimestampType | Key::FilePath | Key::FileName => {
                (kind.is_string(), "STRING")
            }
            Key::Partition => (matches!(kind, TypeKind::Int | TypeKind::BigInt), "INT"),
            Key::Offset => (*kind == TypeKind::BigInt, "BIGINT"),
            Key::Timestamp => (kind.is_timestamp(), "TIMESTAMP_LTZ(3)"),
            Key::Headers => {
                let fits = match kind {
                    TypeKind::Map(k, v) => k.kind.is_string() && v.kind.is_binary(),
                    _ => false,
                };
                (fits, "MAP<STRING, BYTES>")
            }
        };
        if !fits {
            let (name, declared) = (&column.name, &column.data_type);
            return Err(Error::user(format!(
                "column '{name}' is declared {declared}, and this metadata is {wants}"
            ))
            .with_hint(format!("declare it {wants}")));
        }
        Ok(Self {
            key: *key,
            name: column.name.clone(),
            kind: kind.clone(),
            arrow_type: column.data_type.to_arrow(),
        })
    }

    fn missing(&self, place: &str) -> Error {
        Error::user(format!("column '{}': {place} does not have this metadata", self.name))
    }

    fn of_messages(&self, messages: &Messages, kept: &[u32], zone: Tz) -> Result<ArrayRef> {
        let rows = kept.len();
        let kept = || kept.iter().map(|i| *i as usize);
        let array: ArrayRef = match self.key {
            Key::Topic => repeated(&messages.topic, rows),
            Key::TimestampType => repeated(messages.timestamp_type, rows),
            Key::Partition => Arc::new(Int32Array::from(vec![messages.partition; rows])),
            Key::Offset => {
                Arc::new(kept().map(|i| messages.offsets.get(i).copied()).collect::<Int64Array>())
            }
            Key::Timestamp => {
                let times = kept().map(|i| messages.timestamps_ms.get(i).copied());
                return self.timestamps(times, zone);
            }
            Key::Headers => return headers(messages, kept()),
            Key::FilePath | Key::FileName => return Err(self.missing("a message")),
        };
        self.cast(array)
    }

    fn timestamps(&self, times: impl Iterator<Item = Option<i64>>, zone: Tz) -> Result<ArrayRef> {
        let array: TimestampMillisecondArray = match self.kind {
            TypeKind::TimestampLtz { .. } => {
                times.collect::<TimestampMillisecondArray>().with_timezone("UTC")
            }
            _ => times.map(|time| time.map(|ms| local_ms(ms, zone))).collect(),
        };
        self.cast(Arc::new(array))
    }

    fn cast(&self, array: ArrayRef) -> Result<ArrayRef> {
        if *array.data_type() == self.arrow_type {
            return Ok(array);
        }
        Ok(cast(&array, &self.arrow_type)?)
    }
}

/// What a clock in `zone` shows at `ms`, counted as if it were UTC.
fn local_ms(ms: i64, zone: Tz) -> i64 {
    match DateTime::from_timestamp_millis(ms) {
        None => ms,
        Some(time) => {
            let offset = zone.offset_from_utc_datetime(&time.naive_utc()).fix();
            ms + i64::from(offset.local_minus_utc()) * 1000
        }
    }
}

fn headers(messages: &Messages, kept: impl Iterator<Item = usize>) -> Result<ArrayRef> {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), BinaryBuilder::new());
    for index in kept {
        for header in messages.headers.get(index).into_iter().flatten() {
            builder.keys().append_value(&header.name);
            builder.values().append_option(header.value.as_ref().map(|r| messages.bytes(r)));
        }
        builder.append(true)?;
    }
    Ok(Arc::new(builder.finish()))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType};
    use bytes::Bytes;
    use mainstem_core::DataType;
    use mainstem_core::ingest::{Header, LineNumber};

    use super::*;

    fn column(name: &str, key: &str, kind: TypeKind) -> Column {
        let metadata_key = (!key.is_empty()).then(|| key.to_string());
        Column { name: name.into(), data_type: kind.nullable(), metadata_key }
    }

    fn messages() -> Messages {
        Messages {
            data: Bytes::from_static(b"abc"),
            values: vec![Some(0..1), None, Some(2..3)],
            timestamps_ms: vec![0, 1, 1_720_000_000_000],
            offsets: vec![7, 8, 9],
            headers: vec![
                vec![Header { name: "h".into(), value: Some(1..3) }],
                vec![],
                vec![Header { name: "n".into(), value: None }],
            ],
            topic: "rides".into(),
            partition: 3,
            timestamp_type: "CreateTime",
            ..Messages::default()
        }
    }

    fn map() -> TypeKind {
        TypeKind::Map(Box::new(DataType::string()), Box::new(TypeKind::BYTES.nullable()))
    }

    #[test]
    fn columns_take_their_places() {
        let table = TableSpec {
            columns: vec![
                column("v", "", TypeKind::Int),
                column("t", "topic", TypeKind::STRING),
                column("p", "partition", TypeKind::BigInt),
                column("o", "offset", TypeKind::BigInt),
                column("ts", "timestamp", TypeKind::TimestampLtz { precision: 3 }),
                column("local", "timestamp", TypeKind::Timestamp { precision: 3 }),
                column("h", "headers", map()),
                column("k", "timestamp-type", TypeKind::STRING),
            ],
            ..TableSpec::default()
        };
        let projection = [3, 0, 1, 2, 4, 5, 6, 7];
        let columns = MetadataColumns::new(&table, &projection, "Europe/Berlin").unwrap();
        assert_eq!(columns.value_columns(), [0]);
        let made = columns.of_messages(&messages(), &[0, 2]).unwrap();
        let value: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let all = columns.assemble(vec![value], made);
        for (array, index) in all.iter().zip(projection) {
            assert_eq!(*array.data_type(), table.columns[index].data_type.to_arrow());
            assert_eq!(array.len(), 2);
        }
        assert_eq!(all[0].as_primitive::<Int64Type>().values(), &[7, 9]);
        assert_eq!(all[1].as_primitive::<Int32Type>().values(), &[1, 2]);
        assert_eq!(all[2].as_string::<i32>().value(1), "rides");
        let ltz = all[4].as_primitive::<TimestampMillisecondType>();
        let local = all[5].as_primitive::<TimestampMillisecondType>();
        assert_eq!(local.value(0) - ltz.value(0), 3_600_000);
        assert_eq!(local.value(1) - ltz.value(1), 7_200_000);
        let headers = all[6].as_map();
        assert_eq!(headers.keys().as_string::<i32>().value(0), "h");
        assert_eq!(headers.values().as_binary::<i32>().value(0), b"bc");
        assert!(headers.values().is_null(1));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let make = |key: &str, kind| {
            let table = TableSpec { columns: vec![column("c", key, kind)], ..TableSpec::default() };
            MetadataColumns::new(&table, &[0], "UTC")
        };
        assert!(make("leader-epoch", TypeKind::Int).is_err());
        assert!(make("offset", TypeKind::STRING).is_err());
        let lines = Lines {
            data: Bytes::new(),
            path: "/data/a.json".into(),
            first_line: LineNumber::Known(1),
        };
        let error = make("offset", TypeKind::BigInt).unwrap().of_lines(&lines, 1).unwrap_err();
        assert_eq!(error.to_string(), "column 'c': a file does not have this metadata");
        let name = make("file.name", TypeKind::STRING).unwrap().of_lines(&lines, 2).unwrap();
        assert_eq!(name[0].as_string::<i32>().value(1), "a.json");
    }
}
