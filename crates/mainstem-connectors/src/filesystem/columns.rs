//! Columns that come from a file's place and not from its bytes: PARTITIONED BY columns and `file.*` metadata.
//! Invariant: they are the same for every row of a file; the format never sees them, so the positions of CSV fields
//! and the columns of a Parquet file are those of the rest. Filters on them choose files, so whole files are skipped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray, UInt32Array};
use arrow_cast::cast;
use arrow_select::take::take;
use mainstem_core::ingest::{Decode, Decoded, Payload};
use mainstem_core::table::{Column, FilterOp, Literal, ScanFilter, TableSpec};
use mainstem_core::{Batch, DataType, Error, Result, TypeKind};

use super::discover::FileInfo;
use crate::format::cells::Cells;
use crate::format::csv::{one_null, one_value};

/// What stands for NULL in the name of a partition's directory.
pub(super) const DEFAULT_PARTITION: &str = "__DEFAULT_PARTITION__";

/// The split of a table into what its files hold and what their places say.
#[derive(Debug, Clone)]
pub(super) struct FileColumns {
    /// Those of the table, in its order.
    columns: Vec<Column>,
    /// Filters on them, by their index into `columns`.
    filters: Vec<(usize, ScanFilter)>,
    default_partition: String,
    /// For each column of the projection: where it comes from.
    projection: Vec<Place>,
    /// The table as the format sees it.
    pub(super) inner_table: Arc<TableSpec>,
    /// The projection of the inner table, in the order of the outer one.
    pub(super) inner_projection: Vec<usize>,
    /// The filters on columns of the inner table.
    pub(super) inner_filters: Vec<ScanFilter>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// The next column of the inner batch.
    Inner,
    /// Index into `FileColumns::columns`.
    File(usize),
}

impl FileColumns {
    pub(super) fn new(
        table: &TableSpec,
        projection: &[usize],
        filters: &[ScanFilter],
        default_partition: &str,
    ) -> Result<Self> {
        let mut columns = Vec::new();
        let mut inner_columns = Vec::new();
        // For each column of the table: its index inside, or in `columns`.
        let mut places = Vec::new();
        for (index, column) in table.columns.iter().enumerate() {
            let partition = table.partition_keys.contains(&index);
            if partition || column.metadata_key.is_some() {
                check(column, partition)?;
                places.push(Err(columns.len()));
                columns.push(column.clone());
            } else {
                places.push(Ok(inner_columns.len()));
                inner_columns.push(column.clone());
            }
        }
        let mut inner_filters = Vec::new();
        let mut file_filters = Vec::new();
        for filter in filters {
            match places[filter.column] {
                Ok(column) => inner_filters.push(ScanFilter { column, ..filter.clone() }),
                Err(at) => file_filters.push((at, filter.clone())),
            }
        }
        let place = |index: &usize| match places[*index] {
            Ok(_) => Place::Inner,
            Err(at) => Place::File(at),
        };
        Ok(Self {
            columns,
            filters: file_filters,
            default_partition: default_partition.to_owned(),
            projection: projection.iter().map(place).collect(),
            inner_projection: projection.iter().filter_map(|i| places[*i].ok()).collect(),
            inner_filters,
            inner_table: Arc::new(TableSpec {
                columns: inner_columns,
                primary_key: vec![],
                partition_keys: vec![],
                ..table.clone()
            }),
        })
    }

    /// True if the projection has none of them.
    pub(super) fn is_empty(&self) -> bool {
        self.projection.iter().all(|p| matches!(p, Place::Inner))
    }

    /// Whether rows of `file` can pass the filters; also checks that the file has all partition values.
    pub(super) fn admit(&self, file: &FileInfo) -> Result<bool> {
        for column in &self.columns {
            self.value(column, file)?;
        }
        for (at, filter) in &self.filters {
            let column = &self.columns[*at];
            let value = self.value(column, file)?;
            if !passes(&value, &column.data_type, filter)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The batch of the projection, out of a batch of the inner one.
    pub(super) fn assemble(&self, batch: &Batch, file: &FileInfo) -> Result<Batch> {
        let mut inner = batch.columns().iter();
        let mut columns = Vec::with_capacity(self.projection.len());
        let zeros = UInt32Array::from(vec![0; batch.rows()]);
        for place in &self.projection {
            columns.push(match place {
                Place::Inner => ArrayRef::clone(inner.next().ok_or_else(|| {
                    Error::internal("a format brought fewer columns than were asked for")
                })?),
                Place::File(at) => take(&self.value(&self.columns[*at], file)?, &zeros, None)?,
            });
        }
        Ok(Batch::with_weights(columns, batch.rows(), batch.weights().cloned()))
    }

    /// The column's value for `file`, as an array of one row.
    fn value(&self, column: &Column, file: &FileInfo) -> Result<ArrayRef> {
        let array: ArrayRef = match column.metadata_key.as_deref() {
            Some("file.path") => one_text(&file.path.to_string_lossy()),
            Some("file.name") => {
                let name = file.path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default();
                one_text(&name)
            }
            Some("file.size") => Arc::new(Int64Array::from(vec![file.size_bytes as i64])),
            Some("file.modification-time") => Arc::new(
                TimestampMillisecondArray::from(vec![file.modified_ms]).with_timezone("UTC"),
            ),
            Some(other) => return Err(unknown_metadata(column, other)),
            None => return self.partition_value(column, file),
        };
        Ok(cast(&array, &column.data_type.to_arrow())?)
    }

    fn partition_value(&self, column: &Column, file: &FileInfo) -> Result<ArrayRef> {
        let Some((_, text)) = file.partitions.iter().rfind(|(key, _)| *key == column.name) else {
            return Err(Error::user(format!(
                "file '{}' is in no directory '{}=...', by which its table is partitioned",
                file.name, column.name
            )));
        };
        let data_type = column.data_type.with_nullable(true);
        if *text == self.default_partition {
            return one_null(&column.name, &data_type);
        }
        let text =
            if data_type.kind.is_timestamp() { sql_timestamp_text(text) } else { text.clone() };
        one_value(&column.name, &data_type, &text).map_err(|e| e.context(&file.name))
    }
}

fn one_text(text: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![text]))
}

/// `2024-01-01T00:00`, as directories are named, in the words of the SQL format.
fn sql_timestamp_text(text: &str) -> String {
    let (text, zone) = text.strip_suffix('Z').map_or((text, ""), |t| (t, "Z"));
    let seconds = if text.len() == 16 { ":00" } else { "" };
    format!("{}{seconds}{zone}", text.replacen('T', " ", 1))
}

fn unknown_metadata(column: &Column, key: &str) -> Error {
    Error::user(format!("column '{}': there is no metadata '{key}' in a file", column.name))
        .with_hint("a file has file.path, file.name, file.size and file.modification-time")
}

fn check(column: &Column, partition: bool) -> Result<()> {
    let kind = &column.data_type.kind;
    let (fits, wants) = match column.metadata_key.as_deref() {
        None if partition => {
            // Refuses types that a directory's name cannot spell.
            one_null(&column.name, &column.data_type.with_nullable(true)).map_err(|e| {
                Error::user(format!(
                    "column '{}' has the type {}, by which files cannot be partitioned",
                    column.name, column.data_type
                ))
                .with_source(e)
            })?;
            return Ok(());
        }
        Some("file.path" | "file.name") => (kind.is_string(), "STRING"),
        Some("file.size") => (*kind == TypeKind::BigInt, "BIGINT"),
        Some("file.modification-time") => {
            (matches!(kind, TypeKind::TimestampLtz { .. }), "TIMESTAMP_LTZ(3)")
        }
        other => return Err(unknown_metadata(column, other.unwrap_or_default())),
    };
    if fits {
        return Ok(());
    }
    Err(Error::user(format!(
        "column '{}' is declared {}, and this metadata is {wants}",
        column.name, column.data_type
    ))
    .with_hint(format!("declare it {wants}")))
}

fn passes(value: &ArrayRef, data_type: &DataType, filter: &ScanFilter) -> Result<bool> {
    use std::cmp::Ordering;
    let cells = Cells::new(value.as_ref(), data_type)?;
    if cells.is_null(0) {
        return Ok(false);
    }
    let whole = |v: i64| match &filter.literal {
        Literal::Integer(l) => Some(v.cmp(l)),
        Literal::Double(l) => (v as f64).partial_cmp(l),
        _ => None,
    };
    let approximate = |v: f64| match &filter.literal {
        Literal::Integer(l) => v.partial_cmp(&(*l as f64)),
        Literal::Double(l) => v.partial_cmp(l),
        _ => None,
    };
    if filter.op == FilterOp::IsNotNull {
        return Ok(true);
    }
    let ordering = match (&cells, &filter.literal) {
        (Cells::Boolean(a), Literal::Boolean(l)) => Some(a.value(0).cmp(l)),
        (Cells::Text(a), Literal::String(l)) => Some(a.value(0).cmp(l.as_str())),
        (Cells::TinyInt(a), _) => whole(a.value(0).into()),
        (Cells::SmallInt(a), _) => whole(a.value(0).into()),
        (Cells::Int(a), _) => whole(a.value(0).into()),
        (Cells::BigInt(a), _) => whole(a.value(0)),
        (Cells::Float(a), _) => approximate(a.value(0).into()),
        (Cells::Double(a), _) => approximate(a.value(0)),
        _ => return Err(Error::internal("a scan filter does not fit its column")),
    };
    Ok(ordering.is_some_and(|o| match filter.op {
        FilterOp::Eq => o == Ordering::Equal,
        FilterOp::NotEq => o != Ordering::Equal,
        FilterOp::Lt => o == Ordering::Less,
        FilterOp::LtEq => o != Ordering::Greater,
        FilterOp::Gt => o == Ordering::Greater,
        FilterOp::GtEq => o != Ordering::Less,
        FilterOp::IsNotNull => true,
    }))
}

/// The files that were found, by name: written by discovery, read by decoders.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownFiles(Arc<Mutex<BTreeMap<Arc<str>, Arc<FileInfo>>>>);

impl KnownFiles {
    pub(super) fn insert(&self, file: FileInfo) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.entry(Arc::clone(&file.name)).or_insert_with(|| Arc::new(file));
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<FileInfo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

/// Adds the columns of a file's place to what the format decodes.
pub(super) struct FileColumnsDecoder {
    pub(super) inner: Box<dyn Decode>,
    pub(super) columns: FileColumns,
    pub(super) files: KnownFiles,
}

impl Decode for FileColumnsDecoder {
    fn decode(&mut self, payload: Payload, now_ms: i64, out: &mut Decoded) -> Result<()> {
        let file = match &payload {
            Payload::Lines(lines) => self.files.get(&lines.path),
            Payload::Unread(unread) => self.files.get(unread.file.path()),
            _ => None,
        };
        let first = out.batches.len();
        self.inner.decode(payload, now_ms, out)?;
        for batch in &mut out.batches[first..] {
            let file = file.as_ref().ok_or_else(|| {
                Error::internal("rows came out of a file that was never discovered")
            })?;
            *batch = self.columns.assemble(batch, file)?;
        }
        Ok(())
    }
}
