//! The filesystem connector as a sink: part files in a directory, by partition if the table is partitioned, or one
//! file if the path names one.
//! Invariant: files appear whole, under their final names, when they are rolled or the pipeline ends, with checkpoints when the
//! one they belong to is complete; an existing file named by `path` is replaced only at the end. Flushed rows of text files are on disk under a hidden name; a row group of
//! Parquet is written when it is full or its file is finished.
//! Text of unpartitioned tables is encoded on the workers; partitioned rows and Parquet come as columns and are
//! encoded here, on a blocking thread.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::UInt32Array;
use async_trait::async_trait;
use mainstem_core::clock::mix;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::options::OptionReader;
use mainstem_core::{Batch, DataType, Error, Result};
use serde::{Deserialize, Serialize};

use super::discover::{Location, escape};
use super::files::Files;
use super::part::{Layout, PartFile, StagedFile, write_error};
use super::reader::Compression;
use super::{
    COMMIT_POLICY, COMPRESSION, DEFAULT_PARTITION_NAME, FILE_SIZE, PATH, ROLLOVER_INTERVAL, SPEC,
    SUCCESS_FILE,
};
use crate::api::{Sink, SinkRequest};
use crate::format::cells::Cells;
use crate::format::row_text::push_value;
use crate::format::{EncodeRequest, Framing, encoder, framing};

/// Tells the hidden files of several sinks of this process apart.
static SINKS_MADE: AtomicU64 = AtomicU64::new(0);
/// Partitions that are written at the same time; one more finishes the file of another.
const OPEN_PARTS_MAX: usize = 128;

pub(super) struct FilesystemSink {
    request: SinkRequest,
    format: String,
    /// Batches come as they are: the table is partitioned, or its files are columnar.
    columnar: bool,
    value_columns: Vec<usize>,
    writer: Arc<Mutex<Writer>>,
}

impl FilesystemSink {
    pub(super) fn new(request: SinkRequest) -> Result<Self> {
        let table = &request.table;
        let reader = OptionReader::new(&table.options, SPEC.options);
        let format = reader.required("format")?.to_owned();
        let location = Location::new(reader.required(PATH)?, &request.environment.base_dir)?;
        let value_columns: Vec<usize> =
            (0..table.columns.len()).filter(|i| !table.partition_keys.contains(i)).collect();
        let parquet = framing(&format, &table.options)? == Framing::Columns;
        let single = single_file(&location);
        if single.is_some() && !table.partition_keys.is_empty() {
            return Err(Error::user("option 'path' names a file, and the table is partitioned")
                .with_hint("name a directory"));
        }
        let named = single.map(|name| Compression::of(&name)).transpose()?;
        let compression = match reader.text(COMPRESSION).unwrap_or_default() {
            word if word.eq_ignore_ascii_case("gzip") => Compression::Gzip,
            word if word.eq_ignore_ascii_case("zstd") => Compression::Zstd,
            _ => named.unwrap_or(Compression::None),
        };
        if parquet && compression != Compression::None {
            return Err(Error::user("parquet files are compressed inside")
                .with_hint("use 'parquet.compression' = 'ZSTD'"));
        }
        let layout = if parquet {
            let columns = value_columns.iter().map(|i| table.columns[*i].clone()).collect();
            Layout::Columns(columns, table.options.clone())
        } else {
            Layout::Text(compression)
        };
        let now_ms = request.environment.clock.now_ms();
        // Two sinks of one run may start within a millisecond, in the same folder.
        let number = SINKS_MADE.fetch_add(1, Ordering::Relaxed);
        let seed = (now_ms as u64) ^ (u64::from(std::process::id()) << 44) ^ (number << 32);
        let writer = Writer {
            extension: extension(&format, &layout),
            single: named.is_some(),
            files: Arc::clone(&request.environment.files),
            directory: location.absolute,
            uid: format!("{:016x}", mix(seed)),
            layout,
            roll_bytes: reader.memory_size(FILE_SIZE)?.unwrap_or(u64::MAX),
            roll_ms: reader.duration_ms(ROLLOVER_INTERVAL)?.unwrap_or(i64::MAX),
            success_file: success_file(&reader)?,
            partition_keys: partition_keys(&request)?,
            default_partition: reader.text(DEFAULT_PARTITION_NAME).unwrap_or_default().to_owned(),
            value_columns: value_columns.clone(),
            encoder: None,
            next_part: 0,
            parts: BTreeMap::new(),
            directories: BTreeSet::new(),
            stages: false,
            staged: Vec::new(),
        };
        let columnar = parquet || !table.partition_keys.is_empty();
        let sink =
            Self { format, columnar, value_columns, writer: Arc::new(Mutex::new(writer)), request };
        if !parquet {
            // Wrong options and columns are found here; partitioned rows are encoded by the writer.
            let encoder = sink.text_encoder()?;
            lock(&sink.writer).encoder = Some(encoder);
        }
        Ok(sink)
    }

    fn text_encoder(&self) -> Result<Box<dyn Encode>> {
        encoder(
            &self.format,
            EncodeRequest {
                table: Arc::new(self.request.table.clone()),
                value_columns: self.value_columns.clone(),
                key_columns: vec![],
                changelog: self.request.changelog.clone(),
                stream: true,
                time_zone: self.request.environment.time_zone.clone(),
            },
        )
    }

    /// Runs `work` on the writer where blocking is allowed. If the caller goes away the work is still done.
    async fn blocking(
        &self,
        work: impl FnOnce(&mut Writer, i64) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let writer = Arc::clone(&self.writer);
        let now_ms = self.request.environment.clock.now_ms();
        tokio::task::spawn_blocking(move || work(&mut lock(&writer), now_ms))
            .await
            .map_err(|e| Error::internal("a file writer stopped").with_source(e))?
    }
}

fn lock(writer: &Mutex<Writer>) -> std::sync::MutexGuard<'_, Writer> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the file that `path` names; `None` for a directory.
fn single_file(location: &Location) -> Option<String> {
    let name = location.absolute.file_name()?.to_str()?.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    let known = [".json", ".jsonl", ".ndjson", ".csv", ".txt", ".parquet"];
    let named = known.iter().any(|extension| plain.ends_with(extension));
    (named && !location.written.ends_with('/') && !location.absolute.is_dir()).then_some(name)
}

fn extension(format: &str, layout: &Layout) -> String {
    let plain = match format {
        "csv" => "csv",
        "parquet" => "parquet",
        "raw" => "txt",
        _ => "json",
    };
    match layout {
        Layout::Text(Compression::Gzip) => format!("{plain}.gz"),
        Layout::Text(Compression::Zstd) => format!("{plain}.zst"),
        _ => plain.to_owned(),
    }
}

fn success_file(reader: &OptionReader<'_>) -> Result<Option<String>> {
    let Some(kinds) = reader.text(COMMIT_POLICY) else { return Ok(None) };
    match kinds.split(',').map(str::trim).find(|k| *k != "success-file") {
        None => Ok(Some(reader.required(SUCCESS_FILE)?.to_owned())),
        Some(other) => Err(Error::user(format!(
            "option '{COMMIT_POLICY}' has the value '{other}', which is not supported"
        ))
        .with_hint("use success-file")),
    }
}

fn partition_keys(request: &SinkRequest) -> Result<Vec<(usize, String, DataType)>> {
    let table = &request.table;
    let keys = table.partition_keys.iter().map(|i| {
        let column = &table.columns[*i];
        let nested = matches!(
            column.data_type.kind,
            mainstem_core::TypeKind::Array(_)
                | mainstem_core::TypeKind::Map(..)
                | mainstem_core::TypeKind::Multiset(_)
                | mainstem_core::TypeKind::Row(_)
        );
        if nested || column.data_type.kind.is_binary() {
            return Err(Error::user(format!(
                "column '{}' has the type {}, by which files cannot be partitioned",
                column.name, column.data_type
            )));
        }
        Ok((*i, column.name.clone(), column.data_type.clone()))
    });
    keys.collect()
}

/// Columns as they are.
#[derive(Debug)]
struct PassingEncoder;

impl Encode for PassingEncoder {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        Ok(Encoded::Batch(batch.clone()))
    }
}

#[async_trait]
impl Sink for FilesystemSink {
    async fn open(&mut self) -> Result<()> {
        self.blocking(|writer, now_ms| writer.open(now_ms)).await
    }

    fn encoder(&self) -> Result<Box<dyn Encode>> {
        if self.columnar { Ok(Box::new(PassingEncoder)) } else { self.text_encoder() }
    }

    async fn write(&mut self, data: Encoded) -> Result<()> {
        match data {
            Encoded::Bytes { data, .. } if data.is_empty() => Ok(()),
            Encoded::Bytes { data, .. } => {
                self.blocking(move |writer, now_ms| writer.write_text("", &data, now_ms)).await
            }
            Encoded::Batch(batch) => {
                self.blocking(move |writer, now_ms| writer.write_batch(&batch, now_ms)).await
            }
            Encoded::Messages(_) => Err(Error::internal("messages were given to a file")),
        }
    }

    async fn flush(&mut self) -> Result<()> {
        self.blocking(Writer::flush).await
    }

    async fn stage(&mut self, tokens: &[Vec<u8>]) -> Result<bool> {
        let tokens = tokens.to_vec();
        self.blocking(move |writer, _| writer.stage(&tokens)).await.map(|()| true)
    }

    async fn prepare(&mut self) -> Result<Option<Vec<u8>>> {
        let (tell, told) = std::sync::mpsc::channel();
        let prepare = move |writer: &mut Writer| {
            // Whoever asks waits for it.
            let _ = tell.send(writer.prepare()?);
            Ok(())
        };
        self.blocking(move |writer, _| prepare(writer)).await?;
        Ok(told.try_recv().unwrap_or_default())
    }

    async fn commit(&mut self, tokens: &[Vec<u8>]) -> Result<()> {
        let tokens = tokens.to_vec();
        let show = move |writer: &mut Writer, _| {
            tokens.iter().try_for_each(|token| writer.show(&Token::read(token)?))
        };
        self.blocking(show).await
    }

    async fn close(&mut self) -> Result<()> {
        self.blocking(|writer, _| writer.close()).await
    }
}

/// All files of the table that are being written.
struct Writer {
    files: Arc<dyn Files>,
    /// The directory of the table, or its only file.
    directory: PathBuf,
    single: bool,
    uid: String,
    extension: String,
    layout: Layout,
    roll_bytes: u64,
    roll_ms: i64,
    success_file: Option<String>,
    partition_keys: Vec<(usize, String, DataType)>,
    default_partition: String,
    value_columns: Vec<usize>,
    encoder: Option<Box<dyn Encode>>,
    next_part: u64,
    /// By the partition's directory, relative to the table's; without partitions that is empty.
    parts: BTreeMap<String, PartFile>,
    /// The partitions that were written.
    directories: BTreeSet<String>,
    /// Files keep their hidden names until their checkpoint is complete.
    stages: bool,
    /// Whole files since the last checkpoint was cut.
    staged: Vec<StagedFile>,
}

/// What a checkpoint keeps of the files of this sink.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    /// Tells the hidden files of this run from those of others.
    uid: String,
    files: Vec<StagedFile>,
}

impl Token {
    fn read(token: &[u8]) -> Result<Self> {
        serde_json::from_slice(token).map_err(|e| {
            let text = "a checkpoint says of files what this version does not understand";
            Error::new(mainstem_core::ErrorKind::Corrupt, text).with_source(e)
        })
    }
}

impl Writer {
    fn open(&mut self, now_ms: i64) -> Result<()> {
        if self.single {
            // The file is there even if no row comes.
            return self.part("", now_ms).map(|_| ());
        }
        self.files.create_folder(&self.directory).map_err(|e| write_error(&self.directory, e))
    }

    fn part(&mut self, partition: &str, now_ms: i64) -> Result<&mut PartFile> {
        if !self.parts.contains_key(partition) {
            while self.parts.len() >= OPEN_PARTS_MAX
                && let Some((_, part)) = self.parts.pop_first()
            {
                self.finish(part)?;
            }
            let path = if self.single {
                self.directory.clone()
            } else {
                let name = format!("part-{}-0-{}.{}", self.uid, self.next_part, self.extension);
                self.directory.join(partition).join(name)
            };
            self.next_part += 1;
            let part = PartFile::create(&*self.files, path, &self.uid, &self.layout, now_ms)?;
            self.parts.insert(partition.to_owned(), part);
            self.directories.insert(partition.to_owned());
        }
        self.parts.get_mut(partition).ok_or_else(|| Error::internal("a part file went missing"))
    }

    fn write_text(&mut self, partition: &str, data: &[u8], now_ms: i64) -> Result<()> {
        self.part(partition, now_ms)?.write_text(data)?;
        self.roll(now_ms)
    }

    fn write_batch(&mut self, batch: &Batch, now_ms: i64) -> Result<()> {
        for (partition, rows) in self.partitions(batch)? {
            let batch = match rows.len() == batch.rows() {
                true => batch.clone(),
                false => batch.take(&UInt32Array::from(rows))?,
            };
            match self.encoder.as_mut().map(|e| e.encode(&batch)).transpose()? {
                Some(Encoded::Bytes { data, .. }) => self.write_text(&partition, &data, now_ms)?,
                Some(_) => return Err(Error::internal("a format made no text for a file")),
                None => {
                    let values = expand(&batch)?.project(&self.value_columns);
                    self.part(&partition, now_ms)?.write_columns(&values)?;
                    self.roll(now_ms)?;
                }
            }
        }
        Ok(())
    }

    /// The rows of each partition's directory.
    fn partitions(&self, batch: &Batch) -> Result<Vec<(String, Vec<u32>)>> {
        if self.partition_keys.is_empty() {
            return Ok(vec![(String::new(), (0..batch.rows() as u32).collect())]);
        }
        let cells = self
            .partition_keys
            .iter()
            .map(|(i, _, t)| Cells::new(batch.column(*i).as_ref(), t))
            .collect::<Result<Vec<_>>>()?;
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let mut directories: BTreeMap<String, usize> = BTreeMap::new();
        // Values, then where each of them ends. Neighbours mostly have the same.
        let mut known: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let (mut key, mut last, mut ends, mut at) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for row in 0..batch.rows() {
            key.clear();
            ends.clear();
            for cells in &cells {
                if !cells.is_null(row) {
                    push_value(&mut key, cells, row);
                }
                ends.extend_from_slice(&(key.len() as u64).to_le_bytes());
            }
            key.extend_from_slice(&ends);
            if key != last {
                at = match known.get(&key) {
                    Some(at) => *at,
                    None => {
                        let directory = self.directory_of(&cells, row);
                        let at = *directories.entry(directory).or_insert(rows.len());
                        rows.resize_with(rows.len().max(at + 1), Vec::new);
                        known.insert(key.clone(), at);
                        at
                    }
                };
                std::mem::swap(&mut key, &mut last);
            }
            rows[at].push(row as u32);
        }
        let named = directories.into_iter().map(|(name, at)| (name, std::mem::take(&mut rows[at])));
        Ok(named.collect())
    }

    /// The directory of a row, by the cells of its partition keys.
    fn directory_of(&self, cells: &[Cells<'_>], row: usize) -> String {
        let part = |((_, name, _), cells): (&(usize, String, DataType), &Cells<'_>)| {
            let mut text = Vec::new();
            if !cells.is_null(row) {
                push_value(&mut text, cells, row);
            }
            let value = String::from_utf8_lossy(&text);
            let value = if value.is_empty() { &self.default_partition } else { &*value };
            format!("{}={}", escape(name), escape(value))
        };
        self.partition_keys.iter().zip(cells).map(part).collect::<Vec<_>>().join("/")
    }

    /// Finishes the files that are large or old enough.
    fn roll(&mut self, now_ms: i64) -> Result<()> {
        if self.single {
            return Ok(());
        }
        let due = |part: &PartFile| {
            part.size_bytes() >= self.roll_bytes
                || now_ms.saturating_sub(part.opened_ms) >= self.roll_ms
        };
        let due: Vec<String> =
            self.parts.iter().filter(|(_, part)| due(part)).map(|(name, _)| name.clone()).collect();
        for partition in due {
            if let Some(part) = self.parts.remove(&partition) {
                self.finish(part)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, now_ms: i64) -> Result<()> {
        self.roll(now_ms)?;
        self.parts.values_mut().try_for_each(PartFile::flush)
    }

    fn finish(&mut self, part: PartFile) -> Result<()> {
        if self.stages {
            self.staged.push(part.stage(&*self.files)?);
            return Ok(());
        }
        part.finish(&*self.files)
    }

    /// Gives the files of a token their names.
    fn show(&self, token: &Token) -> Result<()> {
        token.files.iter().try_for_each(|file| file.show(&*self.files))
    }

    /// From now on files are shown by their tokens. Those of `tokens` are; what the runs of those tokens left beside is removed.
    fn stage(&mut self, tokens: &[Vec<u8>]) -> Result<()> {
        if self.single {
            let what = "option 'path' names a file, which is replaced when the pipeline ends";
            return Err(Error::user(what)
                .with_hint("with checkpoints (--state) name a directory, with a / at its end"));
        }
        self.stages = true;
        let tokens = tokens.iter().map(|token| Token::read(token)).collect::<Result<Vec<_>>>()?;
        // A run may have left several: its files are all shown before what is left of it goes.
        tokens.iter().try_for_each(|token| self.show(token))?;
        for token in &tokens {
            self.remove_hidden(&self.directory, &format!(".inprogress.{}", token.uid))?;
        }
        Ok(())
    }

    /// Removes the hidden files with that ending, in partitions too.
    fn remove_hidden(&self, directory: &Path, ending: &str) -> Result<()> {
        let failed = |e| write_error(directory, e);
        for (path, is_folder) in self.files.list(directory).map_err(failed)? {
            if is_folder {
                self.remove_hidden(&path, ending)?;
            } else if path.as_os_str().as_encoded_bytes().ends_with(ending.as_bytes()) {
                self.files.remove(&path).map_err(|e| write_error(&path, e))?;
            }
        }
        Ok(())
    }

    /// Ends all files and says which are whole since this was asked last.
    fn prepare(&mut self) -> Result<Option<Vec<u8>>> {
        while let Some((_, part)) = self.parts.pop_first() {
            self.finish(part)?;
        }
        let files = std::mem::take(&mut self.staged);
        if files.is_empty() {
            return Ok(None);
        }
        let token = serde_json::to_vec(&Token { uid: self.uid.clone(), files });
        token.map(Some).map_err(|e| Error::internal("a token cannot be written").with_source(e))
    }

    fn close(&mut self) -> Result<()> {
        while let Some((_, part)) = self.parts.pop_first() {
            self.finish(part)?;
        }
        if !self.staged.is_empty() {
            return Err(Error::internal("files were written behind the last checkpoint"));
        }
        if let Some(name) = &self.success_file {
            for partition in &self.directories {
                let path = self.directory.join(partition).join(name);
                if !self.files.exists(&path) {
                    self.files.create(&path).map_err(|e| write_error(&path, e))?;
                }
            }
        }
        Ok(())
    }
}

/// Rows of weight n, n times.
fn expand(batch: &Batch) -> Result<Batch> {
    let Some(weights) = batch.weights() else { return Ok(batch.clone()) };
    let mut rows = Vec::with_capacity(batch.rows());
    for (row, weight) in weights.iter().enumerate() {
        let count = usize::try_from(*weight)
            .map_err(|_| Error::internal("a delete was given to a file of columns"))?;
        rows.extend(std::iter::repeat_n(row as u32, count));
    }
    batch.take(&UInt32Array::from(rows))
}
