//! The filesystem connector as a source: one split a file.
//! Invariant: a split's id is its file's name; files that were found once stay splits. Discovery is repeated only
//! when `source.monitor-interval` asks for it; then a file that is gone is said and passed over, and otherwise it is
//! an error. Files that grow after they were read to the end are not read again, as in Flink.

use std::sync::Arc;

use async_trait::async_trait;
use mainstem_core::ingest::{Decode, Payload};
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, ErrorKind, Result};
use regex::Regex;

use super::chunks::Chunks;
use super::columns::{DEFAULT_PARTITION, FileColumns, FileColumnsDecoder, KnownFiles};
use super::discover::{FileInfo, Location, discover, open_error, path_pattern, read_error};
use super::files::Files;
use super::ranges::TextPieces;
use super::reader::{BackgroundReader, Pieces, Place};
use super::{MONITOR_INTERVAL, PATH, PATTERN, SPEC};
use crate::api::{Fetched, Position, Source, SourceRequest, Split, SplitReader};
use crate::format::bad_record::record_bytes_max;
use crate::format::parquet::{self, ColumnsReader};
use crate::format::{DecodeRequest, Framing, bad_records, decoder, framing};

/// Each open file may hold a few pieces of it in memory.
const OPEN_FILES_MAX: usize = 4;

pub(super) struct FilesystemSource {
    request: SourceRequest,
    format: String,
    framing: Framing,
    record_bytes_max: usize,
    location: Location,
    pattern: Option<Regex>,
    monitor_ms: Option<i64>,
    columns: FileColumns,
    files: KnownFiles,
}

impl FilesystemSource {
    pub(super) fn new(request: SourceRequest) -> Result<Self> {
        let options = &request.table.options;
        let reader = OptionReader::new(options, SPEC.options);
        let format = options
            .get("format")
            .ok_or_else(|| Error::user("option 'format' is missing for connector 'filesystem'"))?;
        let default_partition = reader.text("partition.default-name").unwrap_or(DEFAULT_PARTITION);
        let columns = FileColumns::new(
            &request.table,
            &request.projection,
            &request.filters,
            default_partition,
        )?;
        let source = Self {
            format: format.clone(),
            framing: framing(format, options)?,
            record_bytes_max: record_bytes_max(options)?,
            location: Location::new(reader.required(PATH)?, &request.environment.base_dir)?,
            pattern: reader.text(PATTERN).map(path_pattern).transpose()?,
            monitor_ms: reader.duration_ms(MONITOR_INTERVAL)?,
            columns,
            files: KnownFiles::default(),
            request,
        };
        // Wrong options and columns are found here, before anything is read.
        source.decoder()?;
        Ok(source)
    }

    fn vanished(&self, file: &FileInfo) -> Option<Box<dyn Fn() + Send + Sync>> {
        self.monitor_ms?;
        let observer = Arc::clone(&self.request.environment.observer);
        let table = self.request.table.name.clone();
        let name = Arc::clone(&file.name);
        Some(Box::new(move || {
            observer.notice(&table, &format!("file '{name}' vanished before it was read; skipped"));
        }))
    }
}

#[async_trait]
impl Source for FilesystemSource {
    async fn discover(&mut self) -> Result<Vec<Split>> {
        let (location, pattern) = (self.location.clone(), self.pattern.clone());
        let files = Arc::clone(&self.request.environment.files);
        let columns = self.columns.clone();
        let watched = self.monitor_ms.is_some();
        let found = tokio::task::spawn_blocking(move || {
            discover(&*files, &location, pattern.as_ref(), &columns, watched)
        });
        let found = found
            .await
            .map_err(|e| Error::internal("the search for files stopped").with_source(e))??;
        for file in found {
            self.files.insert(file);
        }
        Ok(self.files.names().iter().map(|name| Split { id: name.to_string() }).collect())
    }

    fn rediscover_ms(&self) -> Option<i64> {
        self.monitor_ms
    }

    fn open_splits_max(&self) -> usize {
        OPEN_FILES_MAX
    }

    async fn open(
        &mut self,
        split: &Split,
        position: Option<&Position>,
    ) -> Result<Box<dyn SplitReader>> {
        let file = match self.files.get(&split.id) {
            Some(file) => file,
            None => {
                return Err(Error::user(format!("file '{}' is not there any more", split.id))
                    .with_hint("it was read before the restart; restore it to go on from there"));
            }
        };
        let vanished = self.vanished(&file);
        let files = Arc::clone(&self.request.environment.files);
        if self.framing == Framing::Columns {
            let rows_read = position.map_or(Ok(0), read_rows)?;
            let columns = self.columns.clone();
            let open = move || ColumnsFile::open(&*files, file, columns, rows_read);
            return Ok(Box::new(BackgroundReader::new(Box::new(open), vanished)));
        }
        let place = position.map_or(Ok(Place::START), Place::read)?;
        let (framing, max) = (self.framing, self.record_bytes_max);
        let open = move || TextPieces::open(&*files, &file, framing, max, place);
        Ok(Box::new(BackgroundReader::new(Box::new(open), vanished)))
    }

    fn decoder(&self) -> Result<Box<dyn Decode>> {
        if self.framing == Framing::Columns {
            return parquet::decoder(&self.request.table.options);
        }
        let inner = decoder(
            &self.format,
            DecodeRequest {
                table: Arc::clone(&self.columns.inner_table),
                projection: self.columns.inner_projection.clone(),
                filters: self.columns.inner_filters.clone(),
                bad_records: bad_records(&self.request.table.options)?,
                time_zone: self.request.environment.time_zone.clone(),
            },
        )?;
        if self.columns.is_empty() {
            return Ok(inner);
        }
        Ok(Box::new(FileColumnsDecoder {
            inner,
            columns: self.columns.clone(),
            files: self.files.clone(),
        }))
    }
}

fn read_rows(position: &Position) -> Result<u64> {
    let bytes = position.0.as_slice().try_into().map_err(|_| {
        Error::new(ErrorKind::Corrupt, "the position of a parquet file is not 8 bytes")
    })?;
    Ok(u64::from_le_bytes(bytes))
}

/// A Parquet file that is being read.
struct ColumnsFile {
    reader: ColumnsReader,
    file: Arc<FileInfo>,
    columns: FileColumns,
}

impl ColumnsFile {
    fn open(
        files: &dyn Files,
        file: Arc<FileInfo>,
        columns: FileColumns,
        rows_read: u64,
    ) -> Result<Self> {
        let opened = files.open(&file.path).map_err(|e| open_error(&file.name, e))?;
        let size_bytes = opened.look().map_err(|e| read_error(&file.name, e))?.size_bytes;
        if size_bytes == 0 {
            return Err(Error::user(format!(
                "file '{}' is empty, which parquet cannot be",
                file.name
            )));
        }
        let table = &columns.inner_table;
        let wanted = columns.inner_projection.iter().map(|i| table.columns[*i].clone()).collect();
        let chunks = Chunks { file: opened.into(), size_bytes };
        let reader = ColumnsReader::open(chunks, Arc::clone(&file.name), wanted, rows_read)?;
        Ok(Self { reader, file, columns })
    }
}

impl Pieces for ColumnsFile {
    fn next_piece(&mut self) -> Result<Option<Fetched>> {
        let Some(batch) = self.reader.next_batch()? else { return Ok(None) };
        let batch = self.columns.assemble(&batch, &self.file)?;
        let position = Position(self.reader.rows_read().to_le_bytes().to_vec());
        Ok(Some(Fetched { payload: Payload::Batch(batch), position }))
    }
}
