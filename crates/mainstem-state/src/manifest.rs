//! What a checkpoint consists of, as a file: JSON that a human can read, and its checksum.
//! Layout: the JSON in one line, a line feed, `crc32c ` and eight hex digits of the CRC-32C of that line, a line feed.
//! Invariant: a manifest that was cut, torn or flipped does not parse. Fields are only added; a reader refuses a `format` that
//! is newer than its own, because it could not know what it leaves out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainstem_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::run::BlockRef;

/// The number of a checkpoint: ascending within a store, never given twice.
pub type CheckpointId = u64;

/// The format that this version writes. 2: tables have changes. 3: the changes of a table may have keys of different columns.
pub const FORMAT: u32 = 3;

/// A complete checkpoint: all that a pipeline knows at one cut between two steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`] of who wrote it.
    pub format: u32,
    /// Its number.
    pub id: CheckpointId,
    /// When it was begun, in ms since 1970.
    pub at_ms: i64,
    /// The version of Mainstem that wrote it.
    pub mainstem: String,
    /// How many workers wrote it.
    pub workers: usize,
    /// Processing time of the last step before the cut, in ms.
    pub now_ms: i64,
    /// All input had ended and all results had come out: there is nothing to go on with.
    pub ended: bool,
    /// In the order of the plan.
    pub sources: Vec<SourceRecord>,
    /// In the order of the plan.
    pub sinks: Vec<SinkRecord>,
    /// Those with state, in the order of the plan.
    pub operators: Vec<OperatorRecord>,
}

/// How far a source was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The table.
    pub table: String,
    /// Tells this reading of the table from others, over changes of the SQL.
    pub fingerprint: String,
    /// By number of split, from 0.
    pub splits: Vec<SplitRecord>,
    /// All splits have ended and no more will come.
    pub finished: bool,
}

/// How far a split was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// The connector's name for it.
    pub id: String,
    /// Where reading goes on; `None`: nothing was read.
    pub position: Option<Opaque>,
    /// It has been read to its end.
    pub ended: bool,
}

/// What a sink needs to make visible what it took before the cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRecord {
    /// The table.
    pub table: String,
    /// Tells this writing of the table from others, over changes of the SQL.
    pub fingerprint: String,
    /// Equal for queries that mean the same. Empty: not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// Sinks of the same number share what they read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reading: u32,
    /// Oldest first. To be committed, again if need be, before anything else is written.
    pub tokens: Vec<Opaque>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The state of an operator; `B` is a block of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRecord<B = BlockRef> {
    /// Equal for operators that mean the same over the same inputs.
    pub fingerprint: String,
    /// For humans: `GroupAggregate(user_id)`.
    pub name: String,
    /// Its tables.
    pub tables: Vec<TableRecord<B>>,
}

/// The rows of one table of state; `B` is a block of rows: where it is, or the rows themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord<B = BlockRef> {
    /// Its name in the operator.
    pub name: String,
    /// The rows of a whole cut, in the order in which they are to be loaded.
    pub blocks: Vec<B>,
    /// What changed since that cut, oldest first. Since format 2.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeRecord<B>>,
}

/// What changed in a table between two checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecord<B = BlockRef> {
    /// The rows replace earlier ones with the same values in these columns; `None`: they come behind the earlier ones.
    pub key: Option<Vec<usize>>,
    /// New rows.
    pub rows: Vec<B>,
    /// Keys whose earlier rows are gone, or were replaced.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<B>,
}

impl<B> TableRecord<B> {
    /// Every block that it names.
    pub fn all_blocks(&self) -> impl Iterator<Item = &B> {
        let changes = self.changes.iter();
        self.blocks
            .iter()
            .chain(changes.flat_map(|change| change.rows.iter().chain(&change.removed)))
    }
}

/// Bytes that only their owner understands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opaque(pub Vec<u8>);

impl Serialize for Opaque {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

const CRC: &[u8] = b"\ncrc32c ";

impl Manifest {
    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("names, numbers and texts become JSON");
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(CRC);
        bytes.extend_from_slice(format!("{crc:08x}\n").as_bytes());
        bytes
    }

    /// From the file.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let corrupt = |what: &str| Error::new(ErrorKind::Corrupt, what);
        let end = bytes.len().checked_sub(CRC.len() + 9);
        let end = end.filter(|&end| bytes[end..].starts_with(CRC) && bytes.ends_with(b"\n"));
        let end = end.ok_or_else(|| corrupt("the manifest is cut short"))?;
        let crc = std::str::from_utf8(&bytes[end + CRC.len()..bytes.len() - 1]).ok();
        let crc = crc.and_then(|text| u32::from_str_radix(text, 16).ok());
        if crc != Some(crc32c::crc32c(&bytes[..end])) {
            return Err(corrupt("the manifest is damaged"));
        }
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let not_ours = |e| corrupt("the manifest cannot be understood").with_source(e);
        let Version { format } = serde_json::from_slice(&bytes[..end]).map_err(not_ours)?;
        if format > FORMAT {
            let text = format!("the checkpoint has format {format}, this version reads {FORMAT}");
            return Err(Error::new(ErrorKind::Conflict, text)
                .with_hint("run the version of Mainstem that wrote it, or a newer one"));
        }
        serde_json::from_slice(&bytes[..end]).map_err(not_ours)
    }

    /// Every block that it names.
    pub fn blocks(&self) -> impl Iterator<Item = &BlockRef> {
        self.operators.iter().flat_map(|o| &o.tables).flat_map(TableRecord::all_blocks)
    }

    /// Rows of state, those that later ones replace among them.
    pub fn rows(&self) -> u64 {
        self.blocks().map(|block| block.rows).sum()
    }

    /// Bytes of state, as stored.
    pub fn bytes(&self) -> u64 {
        self.blocks().map(|block| block.bytes).sum()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn manifest(id: CheckpointId, files: &[&str]) -> Manifest {
        let block =
            |file: &&str| BlockRef { file: (*file).to_owned(), offset: 8, bytes: 100, rows: 3 };
        let table = TableRecord {
            name: "groups".into(),
            blocks: files.iter().map(block).collect(),
            changes: Vec::new(),
        };
        let split =
            SplitRecord { id: "a.json".into(), position: Some(Opaque(vec![0, 255])), ended: false };
        Manifest {
            format: FORMAT,
            id,
            at_ms: 1_700_000_000_000,
            mainstem: "0.1.0".into(),
            workers: 2,
            now_ms: 1_700_000_000_001,
            ended: false,
            sources: vec![SourceRecord {
                table: "rides".into(),
                fingerprint: "f1".into(),
                splits: vec![split],
                finished: false,
            }],
            sinks: vec![SinkRecord {
                table: "out".into(),
                fingerprint: "f2".into(),
                query: String::new(),
                reading: 0,
                tokens: vec![Opaque(b"token".to_vec())],
            }],
            operators: vec![OperatorRecord {
                fingerprint: "f3".into(),
                name: "GroupAggregate(user)".into(),
                tables: vec![table],
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let manifest = manifest(7, &["7-0-0.run"]);
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
        assert_eq!((manifest.rows(), manifest.bytes()), (3, 100));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(r#""position":"AP8=""#), "{text}");
    }

    /// Format 1 as version 0.1.0 wrote it: whatever comes later has to read it.
    #[test]
    fn format_1_is_read() {
        let fixture = include_bytes!("../testdata/format-1.json");
        let wanted = Manifest { format: 1, ..manifest(7, &["7-0-0.run"]) };
        assert_eq!(Manifest::decode(fixture).unwrap(), wanted);
    }

    fn block(file: &str) -> BlockRef {
        BlockRef { file: file.into(), offset: 8, bytes: 50, rows: 2 }
    }

    /// Format 2, in which tables have changes.
    #[test]
    fn format_2_is_read() {
        let mut wanted = Manifest { format: 2, ..manifest(8, &["7-0-0.run"]) };
        wanted.operators[0].tables[0].changes = vec![
            ChangeRecord {
                key: Some(vec![0]),
                rows: vec![block("8-0-0.run")],
                removed: vec![block("8-0-1.run")],
            },
            ChangeRecord { key: None, rows: vec![block("8-0-2.run")], removed: Vec::new() },
        ];
        let fixture = include_bytes!("../testdata/format-2.json");
        assert_eq!(Manifest::decode(fixture).unwrap(), wanted);
        assert_eq!((wanted.rows(), wanted.bytes()), (9, 250));
    }

    /// Format 3, in which changes of a table have keys of different columns.
    #[test]
    fn format_3_is_read() {
        let mut wanted = manifest(9, &["7-0-0.run"]);
        let (rows, removed) = (vec![block("9-0-0.run")], vec![block("9-0-1.run")]);
        wanted.operators[0].tables[0].changes = vec![
            ChangeRecord { key: Some(vec![1, 2]), rows: Vec::new(), removed },
            ChangeRecord { key: Some(vec![0, 1, 2]), rows, removed: Vec::new() },
        ];
        let fixture = include_bytes!("../testdata/format-3.json");
        assert_eq!(Manifest::decode(fixture).unwrap(), wanted);
        assert_eq!(wanted.encode(), fixture);
    }

    #[test]
    fn damage_is_found() {
        let bytes = manifest(7, &["7-0-0.run"]).encode();
        for size in 0..bytes.len() {
            assert_eq!(Manifest::decode(&bytes[..size]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // Upper and lower case of a hex digit are the same number.
            if let Ok(read) = Manifest::decode(&bytes) {
                assert_eq!(read, manifest(7, &["7-0-0.run"]));
                assert!(bit / 8 > bytes.len() - 10);
            }
        }
    }

    #[test]
    fn a_newer_format_is_refused() {
        let newer = Manifest { format: FORMAT + 1, ..manifest(7, &[]) };
        let error = Manifest::decode(&newer.encode()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(error.to_string(), "the checkpoint has format 4, this version reads 3");
    }
}
