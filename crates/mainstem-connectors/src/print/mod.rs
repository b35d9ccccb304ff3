//! Connector `print`: shows each change on standard output (or standard error) as Flink's print connector does.
//! Invariant: one line a change, whole lines only, in the order of the steps; standard output carries nothing else.
//! Which kind a change is follows from weights: rows of weight +1 are `+I` and of -1 `-D`; where a key is known, a
//! -1 and a +1 of one key in one step are the two halves of an update, `-U` and `+U`.

use async_trait::async_trait;
use bytes::Bytes;
use hashbrown::HashMap;
use mainstem_core::egress::{ChangelogMode, Encode, Encoded};
use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatUse, OptionReader, OptionSpec, OptionType, Pushdown,
    SinkChangelog, optional,
};
use mainstem_core::{Batch, DataType, Error, Result};

use crate::api::{Connector, Sink, SinkRequest};
use crate::format::cells::Cells;
use crate::format::row_text::{push_row, push_value};

/// The connector.
pub const PRINT: Print = Print;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Print;

const OPTIONS: &[OptionSpec] = &[
    optional(
        "print-identifier",
        OptionType::String,
        None,
        "Stands before each line, as `identifier> `.",
        "rides",
    ),
    optional(
        "standard-error",
        OptionType::Boolean,
        Some("false"),
        "Prints to standard error.",
        "true",
    ),
];

const SPEC: ConnectorSpec = ConnectorSpec {
    name: "print",
    doc: "Prints every change as a line, such as `+I[1, Alice]`.",
    source: None,
    sink: Some(Delivery::AtLeastOnce),
    sink_weaker: &[],
    formats: FormatUse::None,
    options: OPTIONS,
    metadata: &[],
    upsert_source: false,
    sink_changelog: SinkChangelog::All,
    pushdown: Pushdown::NONE,
};

impl Connector for Print {
    fn spec(&self) -> &'static ConnectorSpec {
        &SPEC
    }

    fn sink(&self, request: SinkRequest) -> Result<Box<dyn Sink>> {
        let reader = OptionReader::new(&request.table.options, OPTIONS);
        let prefix = match reader.text("print-identifier") {
            Some(identifier) if !identifier.is_empty() => format!("{identifier}> "),
            _ => String::new(),
        };
        let key = match &request.changelog {
            ChangelogMode::AppendOnly => Vec::new(),
            ChangelogMode::Upsert { key } => key.clone(),
            ChangelogMode::Retract | ChangelogMode::NoUpdateBefore => {
                request.table.primary_key.clone()
            }
        };
        let types = request.table.columns.iter().map(|c| c.data_type.clone()).collect();
        Ok(Box::new(PrintSink {
            standard_error: reader.boolean("standard-error")?,
            encoder: PrintEncoder { types, key, prefix, upserts: is_upsert(&request.changelog) },
        }))
    }
}

fn is_upsert(changelog: &ChangelogMode) -> bool {
    matches!(changelog, ChangelogMode::Upsert { .. })
}

/// Rows into lines.
#[derive(Debug, Clone)]
struct PrintEncoder {
    types: Vec<DataType>,
    /// Columns that tell rows apart; empty if none is known.
    key: Vec<usize>,
    prefix: String,
    upserts: bool,
}

impl PrintEncoder {
    /// For each row whether a row of the other sign has the same key: then both are halves of an update.
    fn updates(&self, batch: &Batch, cells: &[Cells<'_>]) -> Vec<bool> {
        let Some(weights) = batch.weights() else { return vec![false; batch.rows()] };
        if self.key.is_empty() || self.upserts {
            return vec![false; batch.rows()];
        }
        let hasher = foldhash::fast::FixedState::with_seed(0);
        let mut signs: HashMap<Vec<u8>, (bool, bool), _> = HashMap::with_hasher(hasher);
        let key = |row: usize| {
            let mut text = Vec::new();
            for column in &self.key {
                push_value(&mut text, &cells[*column], row);
                text.push(0);
            }
            text
        };
        for (row, weight) in weights.iter().enumerate() {
            let (minus, plus) = signs.entry(key(row)).or_default();
            *minus |= *weight < 0;
            *plus |= *weight > 0;
        }
        (0..batch.rows()).map(|row| signs.get(&key(row)) == Some(&(true, true))).collect()
    }
}

impl Encode for PrintEncoder {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        if batch.columns().len() != self.types.len() {
            return Err(Error::internal("a print sink was given other columns than its table has"));
        }
        let cells = batch
            .columns()
            .iter()
            .zip(&self.types)
            .map(|(column, data_type)| Cells::new(column.as_ref(), data_type))
            .collect::<Result<Vec<_>>>()?;
        let updates = self.updates(batch, &cells);
        let mut data = Vec::with_capacity(batch.rows() * 64);
        let mut rows = 0;
        for (row, update) in updates.into_iter().enumerate() {
            let weight = batch.weight(row);
            let kind = match (weight > 0, update) {
                (true, false) => "+I",
                (true, true) => "+U",
                (false, true) => "-U",
                (false, false) => "-D",
            };
            for _ in 0..weight.unsigned_abs() {
                data.extend_from_slice(self.prefix.as_bytes());
                push_row(&mut data, kind, &cells, row);
                data.push(b'\n');
                rows += 1;
            }
        }
        Ok(Encoded::Bytes { data: Bytes::from(data), rows })
    }
}

#[derive(Debug)]
struct PrintSink {
    standard_error: bool,
    encoder: PrintEncoder,
}

impl PrintSink {
    /// Standard output is a blocking file: a reader that does not keep up holds the pipeline back, as it should.
    async fn on_stream(
        &self,
        work: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let standard_error = self.standard_error;
        let written = tokio::task::spawn_blocking(move || {
            if standard_error {
                work(&mut std::io::stderr().lock())
            } else {
                work(&mut std::io::stdout().lock())
            }
        });
        written
            .await
            .map_err(|e| Error::internal("printing stopped").with_source(e))?
            .map_err(|e| Error::user(format!("rows cannot be printed: {e}")).with_source(e))
    }
}

#[async_trait]
impl Sink for PrintSink {
    async fn open(&mut self) -> Result<()> {
        Ok(())
    }

    fn encoder(&self) -> Result<Box<dyn Encode>> {
        Ok(Box::new(self.encoder.clone()))
    }

    async fn write(&mut self, data: Encoded) -> Result<()> {
        let Encoded::Bytes { data, .. } = data else {
            return Err(Error::internal("a print sink was given something else than text"));
        };
        self.on_stream(move |stream| stream.write_all(&data)).await
    }

    async fn flush(&mut self) -> Result<()> {
        self.on_stream(|stream| stream.flush()).await
    }

    async fn close(&mut self) -> Result<()> {
        self.flush().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, StringArray, TimestampMillisecondArray};
    use mainstem_core::TypeKind;

    use super::*;

    fn encoder(key: Vec<usize>, upserts: bool, prefix: &str) -> PrintEncoder {
        let types = vec![
            TypeKind::Int.nullable(),
            DataType::string(),
            TypeKind::Timestamp { precision: 3 }.nullable(),
        ];
        PrintEncoder { types, key, prefix: prefix.into(), upserts }
    }

    fn lines(mut encoder: PrintEncoder, weights: Option<Vec<i64>>) -> String {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![Some(1), Some(1), None])),
            Arc::new(StringArray::from(vec![Some("Alice"), Some("Bob"), None])),
            Arc::new(TimestampMillisecondArray::from(vec![Some(0), Some(1_500), None])),
        ];
        let batch = Batch::with_weights(columns, 3, weights.map(Into::into));
        match encoder.encode(&batch).unwrap() {
            Encoded::Bytes { data, .. } => String::from_utf8(data.to_vec()).unwrap(),
            other => panic!("print makes text: {other:?}"),
        }
    }

    #[test]
    fn rows_print_as_flink_rows() {
        assert_eq!(
            lines(encoder(vec![], false, ""), None),
            "+I[1, Alice, 1970-01-01T00:00]\n+I[1, Bob, 1970-01-01T00:00:01.500]\n+I[null, null, null]\n"
        );
    }

    #[test]
    fn kinds_follow_weights_and_keys() {
        for (key, upserts, weights, kinds) in [
            (vec![], false, vec![-1, 1, 1], ["-D", "+I", "+I"]),
            (vec![0], false, vec![-1, 1, 1], ["-U", "+U", "+I"]),
            (vec![0], false, vec![-1, -1, -1], ["-D", "-D", "-D"]),
            (vec![0], true, vec![1, 1, -1], ["+I", "+I", "-D"]),
        ] {
            let printed = lines(encoder(key, upserts, "x> "), Some(weights));
            let got: Vec<&str> = printed.lines().map(|l| &l[3..5]).collect();
            assert_eq!(got, kinds);
            assert!(printed.lines().all(|l| l.starts_with("x> ")));
        }
        let twice = lines(encoder(vec![], false, ""), Some(vec![2, -2, 0]));
        assert_eq!(twice.lines().filter(|l| l.starts_with("+I[1, Alice")).count(), 2);
        assert_eq!(twice.lines().filter(|l| l.starts_with("-D[1, Bob")).count(), 2);
    }
}
