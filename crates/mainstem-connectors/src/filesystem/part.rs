//! One file that is being written.
//! Invariant: until it is finished it has a hidden name, which readers pass over; it takes its final name by a rename
//! after its bytes were made durable: at once, or when a checkpoint that it belongs to is complete. What is dropped unfinished
//! stays hidden. Blocking.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use mainstem_core::table::{Column, Options};
use mainstem_core::{Batch, Error, Result};
use serde::{Deserialize, Serialize};

use super::files::{Files, NewFile};
use super::reader::Compression;
use crate::format::parquet::ColumnsWriter;

const BUFFER_BYTES: usize = 64 << 10;

/// How the bytes of a file are made.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    /// Records that a format encoded.
    Text(Compression),
    /// Parquet of these columns.
    Columns(Vec<Column>, Options),
}

type Buffered = BufWriter<Box<dyn NewFile>>;

enum Output {
    Plain(Buffered),
    Gzip(GzEncoder<Buffered>),
    Zstd(zstd::stream::write::Encoder<'static, Buffered>),
    Columns(Box<ColumnsWriter<Box<dyn NewFile>>>),
}

/// A file with a hidden name, and the name it will have.
pub(super) struct PartFile {
    staged: PathBuf,
    last: PathBuf,
    output: Output,
    text_bytes: u64,
    pub(super) opened_ms: i64,
}

/// What went wrong with a file that is being written.
pub(super) fn write_error(path: &Path, e: std::io::Error) -> Error {
    let what = format!("file '{}' cannot be written: {e}", path.display());
    let error = match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Error::new(mainstem_core::ErrorKind::Exhausted, what)
        }
        _ => Error::user(what),
    };
    error.with_source(e)
}

impl PartFile {
    /// Starts the file that will be called `last`; `uid` tells hidden files of several runs apart.
    pub(super) fn create(
        files: &dyn Files,
        last: PathBuf,
        uid: &str,
        layout: &Layout,
        now_ms: i64,
    ) -> Result<Self> {
        let directory = folder_of(&last);
        files.create_folder(directory).map_err(|e| write_error(directory, e))?;
        let name = last.file_name().map(|n| n.to_string_lossy()).unwrap_or_default();
        let staged = directory.join(format!(".{name}.inprogress.{uid}"));
        let file = files.create(&staged).map_err(|e| write_error(&staged, e))?;
        let buffered = |file| BufWriter::with_capacity(BUFFER_BYTES, file);
        let output = match layout {
            Layout::Text(Compression::None) => Output::Plain(buffered(file)),
            Layout::Text(Compression::Gzip) => {
                Output::Gzip(GzEncoder::new(buffered(file), flate2::Compression::default()))
            }
            Layout::Text(Compression::Zstd) => Output::Zstd(
                zstd::stream::write::Encoder::new(buffered(file), 0)
                    .map_err(|e| write_error(&staged, e))?,
            ),
            Layout::Columns(columns, options) => {
                Output::Columns(Box::new(ColumnsWriter::new(file, columns, options)?))
            }
        };
        Ok(Self { staged, last, output, text_bytes: 0, opened_ms: now_ms })
    }

    /// Appends encoded records.
    pub(super) fn write_text(&mut self, data: &[u8]) -> Result<()> {
        let written = match &mut self.output {
            Output::Plain(file) => file.write_all(data),
            Output::Gzip(file) => file.write_all(data),
            Output::Zstd(file) => file.write_all(data),
            Output::Columns(_) => {
                return Err(Error::internal("encoded records were given to a parquet file"));
            }
        };
        self.text_bytes += data.len() as u64;
        written.map_err(|e| write_error(&self.last, e))
    }

    /// Appends rows.
    pub(super) fn write_columns(&mut self, batch: &Batch) -> Result<()> {
        match &mut self.output {
            Output::Columns(writer) => writer.write(batch),
            _ => Err(Error::internal("columns were given to a text file")),
        }
    }

    /// Bytes of records so far; for parquet, of the file.
    pub(super) fn size_bytes(&self) -> u64 {
        match &self.output {
            Output::Columns(writer) => writer.size_bytes(),
            _ => self.text_bytes,
        }
    }

    /// Makes what was written durable, as far as the layout can: parquet keeps its open row group in memory.
    pub(super) fn flush(&mut self) -> Result<()> {
        let flushed = match &mut self.output {
            Output::Plain(file) => file.flush().and_then(|()| file.get_ref().sync()),
            Output::Gzip(file) => file.flush().and_then(|()| file.get_ref().get_ref().sync()),
            Output::Zstd(file) => file.flush().and_then(|()| file.get_ref().get_ref().sync()),
            Output::Columns(_) => Ok(()),
        };
        flushed.map_err(|e| write_error(&self.last, e))
    }

    /// Makes the file durable and gives it its name.
    pub(super) fn finish(self, files: &dyn Files) -> Result<()> {
        self.stage(files)?.show(files)
    }

    /// Makes the file durable, and keeps its hidden name.
    pub(super) fn stage(self, files: &dyn Files) -> Result<StagedFile> {
        let error = |e| write_error(&self.last, e);
        let unbuffered = |file: Buffered| file.into_inner().map_err(|e| e.into_error());
        let file = match self.output {
            Output::Plain(file) => unbuffered(file).map_err(error)?,
            Output::Gzip(file) => file.finish().and_then(unbuffered).map_err(error)?,
            Output::Zstd(file) => file.finish().and_then(unbuffered).map_err(error)?,
            Output::Columns(writer) => writer.finish()?,
        };
        file.sync().map_err(error)?;
        sync_folder(files, &self.last)?;
        Ok(StagedFile { staged: self.staged, last: self.last })
    }
}

/// A whole file with a hidden name, and the name it will have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StagedFile {
    pub(super) staged: PathBuf,
    pub(super) last: PathBuf,
}

impl StagedFile {
    /// Gives it its name; it may have it already.
    pub(super) fn show(&self, files: &dyn Files) -> Result<()> {
        match files.rename(&self.staged, &self.last) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && files.exists(&self.last) => {
                Ok(())
            }
            renamed => renamed.map_err(|e| write_error(&self.last, e)),
        }?;
        sync_folder(files, &self.last)
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

/// A rename is durable only when its folder is.
fn sync_folder(files: &dyn Files, file: &Path) -> Result<()> {
    let folder = folder_of(file);
    files.sync_folder(folder).map_err(|e| write_error(folder, e))
}
