//! Where bad records go under `'mainstem.bad-records' = 'dead-letter'`: a file, or a topic of the table's broker.
//! Invariant: a letter that was taken is durable when `flush` returns; letters keep their order. The file is JSON
//! lines, `{"table":..,"place":..,"reason":..,"record":..}`; a record that is not UTF-8 stands as base64 under
//! `record_base64` instead. Letters are appended: what an earlier run left stays.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, StringArray};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainstem_core::egress::{ChangelogMode, Encode, Encoded};
use mainstem_core::ingest::DeadLetter;
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Batch, DataType, Error, Result};

use crate::api::Environment;
use crate::format::{
    BadRecords, DEAD_LETTER_PATH, DEAD_LETTER_TOPIC, EncodeRequest, bad_records, encoder,
};
use crate::kafka::DeadLetterTopic;

/// An open target for the dead letters of one table.
#[derive(Debug)]
pub enum DeadLetters {
    /// `mainstem.dead-letter.path`.
    File(DeadLetterFile),
    /// `mainstem.dead-letter.topic`.
    Topic(Box<DeadLetterTopic>),
}

impl DeadLetters {
    /// Opens the target that `table` names; `None` if its policy is another one. Waits while a broker is down.
    pub async fn open(table: &TableSpec, environment: &Environment) -> Result<Option<Self>> {
        if bad_records(&table.options)? != BadRecords::DeadLetter {
            return Ok(None);
        }
        if let Some(path) = table.options.get(DEAD_LETTER_PATH) {
            let path = environment.base_dir.join(path);
            return DeadLetterFile::open(path, &table.name).await.map(|f| Some(Self::File(f)));
        }
        if table.options.contains_key(DEAD_LETTER_TOPIC) {
            let topic = DeadLetterTopic::open(table, environment).await?;
            return Ok(Some(Self::Topic(Box::new(topic))));
        }
        Err(Error::user("no target is given for the dead letters of a table")
            .with_hint(format!("add '{DEAD_LETTER_PATH}' = 'bad-records.jsonl'")))
    }

    /// Takes letters.
    pub async fn write(&mut self, letters: &[DeadLetter]) -> Result<()> {
        match self {
            Self::File(file) => file.write(letters).await,
            Self::Topic(topic) => topic.write(letters).await,
        }
    }

    /// Returns when all letters are durable.
    pub async fn flush(&mut self) -> Result<()> {
        match self {
            Self::File(file) => file.flush().await,
            Self::Topic(topic) => topic.flush().await,
        }
    }
}

/// A file that letters are appended to.
#[derive(Debug)]
pub struct DeadLetterFile {
    path: PathBuf,
    table: String,
    file: Arc<Mutex<BufWriter<File>>>,
}

impl DeadLetterFile {
    /// Opens or creates the file at `path` for the letters of `table`, and the directories above it.
    pub async fn open(path: PathBuf, table: &str) -> Result<Self> {
        let opened = path.clone();
        let file = tokio::task::spawn_blocking(move || {
            if let Some(directory) = opened.parent() {
                std::fs::create_dir_all(directory)?;
            }
            OpenOptions::new().append(true).create(true).open(&opened)
        });
        let file = file.await.map_err(stopped)?.map_err(|e| unwritable(&path, e))?;
        let file = Arc::new(Mutex::new(BufWriter::new(file)));
        Ok(Self { path, table: table.to_owned(), file })
    }

    /// Appends letters.
    pub async fn write(&mut self, letters: &[DeadLetter]) -> Result<()> {
        let Encoded::Bytes { data, .. } = line_encoder()?.encode(&columns(&self.table, letters))?
        else {
            return Err(Error::internal("format 'json' made no lines"));
        };
        self.blocking(move |file| file.write_all(&data)).await
    }

    /// Returns when all letters are on disk.
    pub async fn flush(&mut self) -> Result<()> {
        self.blocking(|file| file.flush().and_then(|()| file.get_ref().sync_data())).await
    }

    async fn blocking(
        &self,
        work: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let file = Arc::clone(&self.file);
        tokio::task::spawn_blocking(move || {
            work(&mut file.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .map_err(stopped)?
        .map_err(|e| unwritable(&self.path, e))
    }
}

fn stopped(e: tokio::task::JoinError) -> Error {
    Error::internal("writing dead letters stopped").with_source(e)
}

fn unwritable(path: &std::path::Path, e: std::io::Error) -> Error {
    Error::user(format!("dead-letter file '{}' cannot be written: {e}", path.display()))
        .with_source(e)
}

/// The encoder of a file's lines: format `json` over text columns, with the NULL ones left out.
fn line_encoder() -> Result<Box<dyn Encode>> {
    let names = ["table", "place", "reason", "record", "record_base64"];
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        data_type: DataType::string(),
        metadata_key: None,
    };
    let ignore_nulls = ("json.encode.ignore-null-fields".to_owned(), "true".to_owned());
    let table = TableSpec {
        columns: names.iter().map(column).collect(),
        options: [ignore_nulls].into(),
        ..TableSpec::default()
    };
    let request = EncodeRequest {
        table: Arc::new(table),
        value_columns: (0..names.len()).collect(),
        key_columns: vec![],
        changelog: ChangelogMode::AppendOnly,
        stream: true,
        time_zone: "UTC".to_owned(),
    };
    encoder("json", request)
}

/// Letters as columns of [`line_encoder`].
fn columns(table: &str, letters: &[DeadLetter]) -> Batch {
    let texts: Vec<Option<&str>> =
        letters.iter().map(|l| std::str::from_utf8(&l.record).ok()).collect();
    let binary = letters.iter().zip(&texts).map(|(letter, text)| match text {
        Some(_) => None,
        None => Some(STANDARD.encode(&letter.record)),
    });
    let columns: [StringArray; 5] = [
        letters.iter().map(|_| Some(table)).collect(),
        letters.iter().map(|l| Some(&l.place)).collect(),
        letters.iter().map(|l| Some(&l.reason)).collect(),
        texts.iter().collect(),
        binary.collect(),
    ];
    let columns = columns.into_iter().map(|c| Arc::new(c) as ArrayRef).collect();
    Batch::new(columns, letters.len())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn letters_are_appended_as_json_lines() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("deep/bad.jsonl");
        let letter = |record: &'static [u8]| DeadLetter {
            record: Bytes::from_static(record),
            place: "rides.json, line 3".into(),
            reason: "it says \"no\"".into(),
        };
        for _ in 0..2 {
            let mut file = DeadLetterFile::open(path.clone(), "rides").await.unwrap();
            file.write(&[letter(b"{\"a\":\x01\n"), letter(b"\xff")]).await.unwrap();
            file.flush().await.unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0]["table"], "rides");
        assert_eq!(lines[0]["place"], "rides.json, line 3");
        assert_eq!(lines[0]["reason"], "it says \"no\"");
        assert_eq!(lines[0]["record"], "{\"a\":\u{1}\n");
        assert_eq!(lines[3]["record_base64"], "/w==");
    }

    #[tokio::test]
    async fn a_directory_is_no_dead_letter_file() {
        let base = tempfile::tempdir().unwrap();
        let error = DeadLetterFile::open(base.path().to_owned(), "t").await.unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
    }
}
