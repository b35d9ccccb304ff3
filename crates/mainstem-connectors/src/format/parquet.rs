//! Format `parquet`: files whose columns are read and written whole. Only the filesystem connector takes it.
//! Invariant: columns are matched by name; only the wanted ones are read; each comes out in the Arrow type of its
//! declared SQL type, or reading fails with the file's and the column's name. A column that a file lacks is NULL, as
//! in Flink. Blocking; the position of a reader is the number of rows that it has handed out.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{Field as ArrowField, Schema, SchemaRef};
use mainstem_core::ingest::{Decode, Decoded, Payload};
use mainstem_core::options::{FormatSpec, OptionReader, OptionSpec, OptionType, optional};
use mainstem_core::table::{Column, Options};
use mainstem_core::{Batch, Error, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::ChunkReader;

const BATCH_ROWS: usize = 8192;
/// Rows of a row group; the writer holds one group in memory.
const ROW_GROUP_ROWS: usize = 128 << 10;

const OPTIONS: &[OptionSpec] = &[
    optional(
        "parquet.compression",
        OptionType::Enum(&["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD"]),
        Some("SNAPPY"),
        "How the pages of written files are compressed.",
        "ZSTD",
    ),
    optional(
        "parquet.utc-timezone",
        OptionType::Boolean,
        Some("true"),
        "Accepted as Flink does, but only `true`: timestamps are written in UTC.",
        "true",
    ),
];

/// What is known of the format.
pub const SPEC: FormatSpec = FormatSpec {
    name: "parquet",
    doc: "Columnar files, for connector 'filesystem'.",
    options: OPTIONS,
    changelog: false,
    filters: false,
    fields: false,
};

fn check_options(options: &Options) -> Result<OptionReader<'_>> {
    let reader = OptionReader::new(options, OPTIONS);
    if !reader.boolean("parquet.utc-timezone")? {
        return Err(Error::user("'parquet.utc-timezone' = 'false' is not supported")
            .with_hint("leave it out: timestamps are in UTC"));
    }
    Ok(reader)
}

/// Batches pass as they are: the reader made the columns that were asked for.
#[derive(Debug)]
struct PassingDecoder;

impl Decode for PassingDecoder {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        let Payload::Batch(batch) = payload else {
            return Err(Error::internal("format 'parquet' was given a payload without columns"));
        };
        out.records += batch.rows() as u64;
        out.batches.push(batch);
        Ok(())
    }
}

/// A decoder for one worker.
pub(crate) fn decoder(options: &Options) -> Result<Box<dyn Decode>> {
    check_options(options)?;
    Ok(Box::new(PassingDecoder))
}

/// Reads the wanted columns of one file.
pub(crate) struct ColumnsReader {
    reader: ParquetRecordBatchReader,
    name: Arc<str>,
    wanted: Vec<Column>,
    /// For each wanted column, its place in what the reader brings; `None` if the file lacks it.
    places: Vec<Option<usize>>,
    rows_read: u64,
}

impl ColumnsReader {
    /// Starts to read `file`, called `name` in errors, after its first `rows_read` rows.
    pub(crate) fn open(
        file: impl ChunkReader + 'static,
        name: Arc<str>,
        wanted: Vec<Column>,
        rows_read: u64,
    ) -> Result<Self> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|e| broken(&name, e))?
            .with_batch_size(BATCH_ROWS);
        let fields = builder.schema().fields().clone();
        let roots: Vec<usize> = (0..fields.len())
            .filter(|i| wanted.iter().any(|w| w.name == *fields[*i].name()))
            .collect();
        let places = wanted
            .iter()
            .map(|w| roots.iter().position(|root| w.name == *fields[*root].name()))
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let skipped = usize::try_from(rows_read).unwrap_or(usize::MAX);
        let reader = builder
            .with_projection(mask)
            .with_offset(skipped)
            .build()
            .map_err(|e| broken(&name, e))?;
        Ok(Self { reader, name, wanted, places, rows_read })
    }

    /// The next rows; `None` at the end.
    pub(crate) fn next_batch(&mut self) -> Result<Option<Batch>> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(|e| broken(&self.name, e))?;
        let rows = batch.num_rows();
        let columns = self
            .wanted
            .iter()
            .zip(&self.places)
            .map(|(column, place)| match place {
                Some(place) => self.convert(column, batch.column(*place)),
                None => Ok(new_null_array(&column.data_type.to_arrow(), rows)),
            })
            .collect::<Result<_>>()?;
        self.rows_read += rows as u64;
        Ok(Some(Batch::new(columns, rows)))
    }

    /// How many rows of the file have been handed out.
    pub(crate) fn rows_read(&self) -> u64 {
        self.rows_read
    }

    fn convert(&self, column: &Column, array: &ArrayRef) -> Result<ArrayRef> {
        let target = column.data_type.to_arrow();
        if *array.data_type() == target {
            return Ok(ArrayRef::clone(array));
        }
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(array, &target, &options).map_err(|e| {
            Error::user(format!(
                "file '{}': column '{}' holds {}, which cannot be read as {}",
                self.name,
                column.name,
                array.data_type(),
                column.data_type
            ))
            .with_source(e)
        })
    }
}

fn broken(name: &str, e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::user(format!("file '{name}' cannot be read as parquet: {e}")).with_source(e)
}

/// Writes one file.
pub(crate) struct ColumnsWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
}

impl<W: Write + Send> ColumnsWriter<W> {
    /// Starts a file of `columns`.
    pub(crate) fn new(file: W, columns: &[Column], options: &Options) -> Result<Self> {
        let word = check_options(options)?.required("parquet.compression")?.to_ascii_uppercase();
        let compression = match word.as_str() {
            "UNCOMPRESSED" => Compression::UNCOMPRESSED,
            "GZIP" => Compression::GZIP(Default::default()),
            "ZSTD" => Compression::ZSTD(ZstdLevel::default()),
            _ => Compression::SNAPPY,
        };
        let fields: Vec<ArrowField> = columns
            .iter()
            .map(|c| ArrowField::new(&c.name, c.data_type.to_arrow(), c.data_type.nullable))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, SchemaRef::clone(&schema), Some(properties))
            .map_err(|e| {
                Error::user(format!("these columns cannot be written as parquet: {e}"))
                    .with_source(e)
            })?;
        Ok(Self { writer, schema })
    }

    /// Appends rows; a row of weight n counts n times.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<()> {
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), batch.columns().to_vec())?;
        self.writer.write(&batch).map_err(unwritable)
    }

    /// Bytes written and bytes that wait in memory for their row group.
    pub(crate) fn size_bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Writes the footer and gives the file back.
    pub(crate) fn finish(self) -> Result<W> {
        self.writer.into_inner().map_err(unwritable)
    }
}

fn unwritable(e: parquet::errors::ParquetError) -> Error {
    Error::unavailable(format!("a parquet file cannot be written: {e}")).with_source(e)
}
