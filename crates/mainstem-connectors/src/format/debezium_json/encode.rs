//! Rows with weights into Debezium messages.
//! Invariant: +1 is `{"before":null,"after":{...},"op":"c"}` and -1 is `{"before":{...},"after":null,"op":"d"}`, in the
//! order of the rows, as Flink writes them; a row of weight n is written n times. Keys are plain json.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, StructArray, UInt32Array};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType as ArrowType, Fields};
use mainstem_core::egress::{ChangelogMode, Encode, Encoded};
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Batch, DataType, Error, Result, TypeKind};

use super::{column, json_options, row_of};
use crate::format::{EncodeRequest, json};

pub(super) struct DebeziumEncoder {
    inner: Box<dyn Encode>,
    value_columns: Vec<usize>,
    key_columns: Vec<usize>,
    row: Fields,
}

impl DebeziumEncoder {
    pub(super) fn new(request: &EncodeRequest) -> Result<Self> {
        let table = &request.table;
        let chosen = |i: &usize| &table.columns[*i];
        let values: Vec<&Column> = request.value_columns.iter().map(chosen).collect();
        let row = row_of(values.into_iter());
        let mut columns = vec![
            column("before", row.clone()),
            column("after", row.clone()),
            column("op", TypeKind::STRING),
        ];
        columns.extend(request.key_columns.iter().map(|i| table.columns[*i].clone()));
        let ArrowType::Struct(row) = DataType { kind: row, nullable: true }.to_arrow() else {
            return Err(Error::internal("a row is carried as no struct"));
        };
        let message = TableSpec {
            name: table.name.clone(),
            options: json_options(&table.options),
            columns,
            ..TableSpec::default()
        };
        let inner = json::encoder(&EncodeRequest {
            key_columns: (3..message.columns.len()).collect(),
            value_columns: vec![0, 1, 2],
            table: Arc::new(message),
            changelog: ChangelogMode::AppendOnly,
            stream: request.stream,
            time_zone: request.time_zone.clone(),
        })?;
        Ok(Self {
            inner,
            value_columns: request.value_columns.clone(),
            key_columns: request.key_columns.clone(),
            row,
        })
    }

    /// `batch` as rows of messages, all of weight +1.
    fn messages(&self, batch: &Batch) -> Result<Batch> {
        let mut indices = Vec::with_capacity(batch.rows());
        let mut inserts = Vec::with_capacity(batch.rows());
        for row in 0..batch.rows() {
            let weight = batch.weight(row);
            for _ in 0..weight.unsigned_abs() {
                indices.push(row as u32);
                inserts.push(weight > 0);
            }
        }
        let rows = indices.len();
        let batch = batch.take(&UInt32Array::from(indices))?;
        let values = batch.project(&self.value_columns).into_columns();
        let side = |inserts_are_null: bool| -> Result<ArrayRef> {
            let nulls = NullBuffer::from_iter(inserts.iter().map(|i| *i != inserts_are_null));
            let rows = StructArray::try_new(self.row.clone(), values.clone(), Some(nulls))?;
            Ok(Arc::new(rows))
        };
        let op = inserts.iter().map(|i| if *i { "c" } else { "d" });
        let mut columns =
            vec![side(true)?, side(false)?, Arc::new(StringArray::from_iter_values(op))];
        columns.extend(batch.project(&self.key_columns).into_columns());
        Ok(Batch::new(columns, rows))
    }
}

impl Encode for DebeziumEncoder {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        let messages = self.messages(batch)?;
        self.inner.encode(&messages)
    }
}
