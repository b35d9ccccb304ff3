//! A folder that the rows of the simulated pipeline come from: somebody puts files into it, which the connector finds and reads.
//! Invariant: a file has its name when it is whole and durable, and the name says which rows it has: `FROM-TO`. What was
//! acknowledged to whoever writes is there in every later life.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use mainstem_connectors::api::{Fetched, Position, Source, Split};
use mainstem_connectors::filesystem::files::Files;
use mainstem_core::clock::Rng;
use mainstem_core::ingest::{Decode, Decoded};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::manifest::{Opaque, SplitRecord};
use tokio::runtime::Runtime;

use super::files::FaultyFiles;
use super::plan::{Row, batch};

/// A folder that is written and read.
pub(super) struct FileInlet {
    files: FaultyFiles,
    folder: String,
    /// So many rows are in the folder.
    sent: usize,
    source: Box<dyn Source>,
    decoder: Box<dyn Decode>,
    threads: Arc<Runtime>,
    /// How far each file was read.
    read: Splits,
    /// The rows of a piece of a file, and how far that file was read with them.
    ready: VecDeque<(Batch, SplitRecord)>,
    /// How far each file was read, of what the engine has got.
    taken: Splits,
}

type Splits = BTreeMap<String, SplitRecord>;

impl FileInlet {
    /// Goes on with a folder; files were read as far as `splits` say.
    pub(super) fn open(
        (files, folder): (FaultyFiles, String),
        source: Box<dyn Source>,
        threads: Arc<Runtime>,
        splits: &[SplitRecord],
    ) -> Result<Self> {
        // The last life may have failed to.
        files.sync_folder(Path::new(&folder)).map_err(not_written)?;
        let read: Splits = splits.iter().map(|split| (split.id.clone(), split.clone())).collect();
        Ok(Self {
            sent: Self::rows_in(&files, &folder).map_err(not_written)?,
            files,
            folder,
            decoder: source.decoder()?,
            source,
            threads,
            taken: read.clone(),
            read,
            ready: VecDeque::new(),
        })
    }

    /// So many rows are in the folder.
    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    fn rows_in(files: &FaultyFiles, folder: &str) -> io::Result<usize> {
        let names = files.list(Path::new(folder))?;
        let ends = names.iter().filter_map(|(path, _)| {
            let (_, end) = path.file_stem()?.to_str()?.split_once('-')?;
            end.parse().ok()
        });
        Ok(ends.max().unwrap_or(0))
    }

    /// Writes or reads a file; so many rows are acknowledged.
    pub(super) fn advance(
        &mut self,
        input: &[Row],
        rng: &mut Rng,
        now_ms: i64,
    ) -> Result<Option<usize>> {
        if rng.below(2) == 0 {
            return self.fetch(now_ms).map(|()| None);
        }
        if self.sent == input.len() {
            return Ok(None);
        }
        let end = input.len().min(self.sent + 1 + rng.below(24) as usize);
        self.put(&input[self.sent..end], end, rng).map_err(not_written)?;
        self.sent = end;
        Ok(Some(end))
    }

    fn put(&self, rows: &[Row], end: usize, rng: &mut Rng) -> io::Result<()> {
        let lines: String = rows.iter().map(line).collect();
        let hidden = format!("{}/.{:016x}", self.folder, rng.next_u64());
        let mut file = self.files.create(Path::new(&hidden))?;
        file.write_all(lines.as_bytes())?;
        file.sync()?;
        // In the order of names files are in the order of rows.
        let name = format!("{}/{:06}-{end:06}.json", self.folder, self.sent);
        self.files.rename(Path::new(&hidden), Path::new(&name))?;
        self.files.sync_folder(Path::new(&self.folder))
    }

    /// Reads the first file that was not read to its end.
    fn fetch(&mut self, now_ms: i64) -> Result<()> {
        let threads = Arc::clone(&self.threads);
        let splits = threads.block_on(self.source.discover())?;
        let is_ended = |split: &&Split| self.read.get(&split.id).is_some_and(|read| read.ended);
        let Some(split) = splits.iter().find(|split| !is_ended(split)) else { return Ok(()) };
        let position = self.read.get(&split.id).and_then(|read| read.position.clone());
        let position = position.map(|position| Position(position.0));
        let mut reader = threads.block_on(self.source.open(split, position.as_ref()))?;
        // To its end: what reads ahead of us does so now, and not at a moment of its own choice.
        while let Some(fetched) = threads.block_on(reader.next())? {
            self.decode(split, fetched, now_ms)?;
        }
        self.note(split, batch(&[]), None);
        Ok(())
    }

    fn decode(&mut self, split: &Split, fetched: Fetched, now_ms: i64) -> Result<()> {
        let mut decoded = Decoded::default();
        self.decoder.decode(fetched.payload, now_ms, &mut decoded)?;
        let rows = Batch::concat(&decoded.batches)?.unwrap_or_else(|| batch(&[]));
        self.note(split, rows, Some(fetched.position));
        Ok(())
    }

    /// With these rows a file is read up to a position, or to its end.
    fn note(&mut self, split: &Split, rows: Batch, position: Option<Position>) {
        let before = self.read.get(&split.id).and_then(|read| read.position.clone());
        let ended = position.is_none();
        let position = position.map(|position| Opaque(position.0)).or(before);
        let read = SplitRecord { id: split.id.clone(), position, ended };
        self.read.insert(split.id.clone(), read.clone());
        self.ready.push_back((rows, read));
    }

    /// The rows that come next.
    pub(super) fn take(&mut self) -> Batch {
        let Some((rows, read)) = self.ready.pop_front() else { return batch(&[]) };
        self.taken.insert(read.id.clone(), read);
        rows
    }

    /// How far files were read, of what was taken.
    pub(super) fn splits(&self) -> Vec<SplitRecord> {
        self.taken.values().cloned().collect()
    }
}

fn not_written(e: io::Error) -> Error {
    Error::unavailable("the folder of the input cannot be written").with_source(e)
}

/// A row as JSON. All times are in the first minute of 1970.
fn line((key, value, time_ms): &Row) -> String {
    let (seconds, ms) = (time_ms / 1_000, time_ms % 1_000);
    let time = format!("1970-01-01 00:00:{seconds:02}.{ms:03}");
    format!("{{\"c0\":{key},\"c1\":{value},\"c2\":\"{time}\"}}\n")
}
