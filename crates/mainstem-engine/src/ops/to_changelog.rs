//! TO_CHANGELOG: the changes of each step as rows that only come, with a column in front that says what each one is.
//! Invariant: what cancels within a step is not shown; rows that go precede rows that come. With a key, a row that goes
//! and one that comes for the same key are an update; without, they are a deletion and an insertion. No state from step
//! to step.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, StringArray};
use arrow_schema::DataType as ArrowType;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::{Batch, Result};
use mainstem_state::table::TableRows;

use crate::consolidate::Consolidate;
use crate::key_table::KeyTable;
use crate::operator::{Inputs, Operator, StepContext};
use crate::plan::ChangeCodes;

/// Rows and weights in, codes and rows out.
#[derive(Debug)]
pub(crate) struct ToChangelog {
    codes: ChangeCodes,
    consolidate: Consolidate,
    key: Option<Key>,
}

#[derive(Debug)]
struct Key {
    columns: Vec<usize>,
    /// None for the one row of a key without columns.
    table: Option<KeyTable>,
    ids: Vec<u32>,
}

impl ToChangelog {
    pub(crate) fn new(
        codes: &ChangeCodes,
        key: Option<&[usize]>,
        input: &[ArrowType],
    ) -> Result<Self> {
        let key = key.map(|columns| -> Result<Key> {
            let types: Vec<ArrowType> = columns.iter().map(|&c| input[c].clone()).collect();
            let table = if types.is_empty() { None } else { Some(KeyTable::new(&types)?) };
            Ok(Key { columns: columns.to_vec(), table, ids: Vec::new() })
        });
        Ok(Self {
            codes: codes.clone(),
            consolidate: Consolidate::new(&ChangelogMode::Retract, input)?,
            key: key.transpose()?,
        })
    }

    fn coded(&mut self, batch: &Batch) -> Result<Batch> {
        let updated = match &mut self.key {
            Some(key) if batch.weights().is_some() => key.updated(batch)?,
            _ => vec![false; batch.rows()],
        };
        let codes = &self.codes;
        let code = |row: usize| match (batch.weight(row) > 0, updated[row]) {
            (true, false) => codes.insert.as_deref(),
            (false, true) => codes.update_before.as_deref(),
            (true, true) => codes.update_after.as_deref(),
            (false, false) => codes.delete.as_deref(),
        };
        let texts: StringArray = (0..batch.rows()).map(code).collect();
        let wanted =
            BooleanArray::new((0..batch.rows()).map(|row| code(row).is_some()).collect(), None);
        let texts: ArrayRef = Arc::new(texts);
        let columns = std::iter::once(texts).chain(batch.columns().iter().cloned()).collect();
        let all = Batch::new(columns, batch.rows());
        if wanted.true_count() == batch.rows() { Ok(all) } else { all.filter(&wanted) }
    }
}

impl Key {
    /// Which rows have a key that both goes and comes.
    fn updated(&mut self, batch: &Batch) -> Result<Vec<bool>> {
        let keys = match &mut self.table {
            None => {
                self.ids.clear();
                self.ids.resize(batch.rows(), 0);
                1
            }
            Some(table) => {
                let columns: Vec<ArrayRef> =
                    self.columns.iter().map(|&c| Arc::clone(batch.column(c))).collect();
                table.clear();
                table.intern(&columns, batch.rows(), &mut self.ids)?;
                let bound = table.bound();
                table.clear();
                bound
            }
        };
        let mut seen = vec![(false, false); keys];
        for (row, &id) in self.ids.iter().enumerate() {
            let (goes, comes) = &mut seen[id as usize];
            *(if batch.weight(row) > 0 { comes } else { goes }) = true;
        }
        Ok(self.ids.iter().map(|&id| seen[id as usize] == (true, true)).collect())
    }
}

impl Operator for ToChangelog {
    fn step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches = inputs.into_iter().flat_map(|input| input.batches).collect();
        let net = self.consolidate.apply(batches)?;
        net.iter().map(|batch| self.coded(batch)).collect()
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Array, Int64Array};

    use super::*;

    fn codes(all: [Option<&str>; 4]) -> ChangeCodes {
        let [insert, update_before, update_after, delete] = all.map(|c| c.map(Arc::from));
        ChangeCodes { insert, update_before, update_after, delete }
    }

    fn run(key: Option<&[usize]>, all: [Option<&str>; 4], rows: &[(i64, i64, i64)]) -> Vec<String> {
        let types = [ArrowType::Int64, ArrowType::Int64];
        let mut operator = ToChangelog::new(&codes(all), key, &types).expect("numbers");
        let column = |f: fn(&(i64, i64, i64)) -> i64| -> ArrayRef {
            Arc::new(rows.iter().map(f).collect::<Int64Array>())
        };
        let weights: Vec<i64> = rows.iter().map(|r| r.2).collect();
        let columns = vec![column(|r| r.0), column(|r| r.1)];
        let batch = Batch::with_weights(columns, rows.len(), Some(weights.into()));
        let net = operator.consolidate.apply(vec![batch]).expect("numbers");
        let mut shown = Vec::new();
        for batch in &net {
            let out = operator.coded(batch).expect("numbers");
            assert!(out.weights().is_none(), "append-only");
            for row in 0..out.rows() {
                let number = |c: usize| out.column(c).as_primitive::<Int64Type>().value(row);
                let code = out.column(0).as_string::<i32>().value(row).to_owned();
                shown.push(format!("{code} {} {}", number(1), number(2)));
            }
            assert_eq!(out.column(0).null_count(), 0);
        }
        shown
    }

    #[test]
    fn changes_have_codes() {
        const ALL: [Option<&str>; 4] = [Some("I"), Some("-U"), Some("+U"), Some("D")];
        let rows = &[(1, 10, 1), (2, 20, -1), (2, 21, 1), (3, 30, -1), (4, 40, 1), (4, 40, -1)];
        let keyed = run(Some(&[0]), ALL, rows);
        assert_eq!(keyed, ["-U 2 20", "D 3 30", "I 1 10", "+U 2 21"]);
        let free = run(None, ALL, rows);
        assert_eq!(free, ["D 2 20", "D 3 30", "I 1 10", "I 2 21"]);
        let global = run(Some(&[]), ALL, &[(1, 10, -1), (1, 11, 1)]);
        assert_eq!(global, ["-U 1 10", "+U 1 11"]);
        let upserts = run(Some(&[0]), [Some("c"), None, Some("c"), None], rows);
        assert_eq!(upserts, ["c 1 10", "c 2 21"]);
        let twice = run(None, ALL, &[(1, 1, 2), (2, 2, -2)]);
        assert_eq!(twice, ["D 2 2", "D 2 2", "I 1 1", "I 1 1"]);
    }
}
