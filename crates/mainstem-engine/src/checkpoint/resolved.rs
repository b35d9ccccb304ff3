//! The rows of a table at a cut, from those of a whole cut and what changed since.
//! Invariant: of each key only the rows of the last change that names it are left, also where changes have keys of other columns
//! or none; a table without keys has all its rows, in order.

use arrow_array::BooleanArray;
use arrow_buffer::BooleanBuffer;
use mainstem_core::{Batch, Result};
use mainstem_state::manifest::TableRecord;

use crate::key_table::{ABSENT, KeyTable};

/// Keys that later changes have named.
struct Named {
    columns: Vec<usize>,
    keys: Option<KeyTable>,
    ids: Vec<u32>,
}

/// Calls `load` with the rows of a table, in the order in which they are to be loaded. `own` gives those rows of a block that are
/// wanted, all of a key or none; `keys` gives a block of keys, or `None` if rows of these are not wanted.
pub(super) fn resolved<B>(
    table: &TableRecord<B>,
    own: impl Fn(&B) -> Result<Option<Batch>>,
    keys: impl Fn(&B) -> Result<Option<Batch>>,
    mut load: impl FnMut(&Batch) -> Result<()>,
) -> Result<()> {
    let mut later: Vec<Vec<Batch>> = Vec::with_capacity(table.changes.len());
    let mut named: Vec<Named> = Vec::new();
    for change in table.changes.iter().rev() {
        let rows = change.rows.iter().filter_map(|block| own(block).transpose());
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let left = rows.iter().map(|rows| others(&mut named, rows)).collect::<Result<Vec<_>>>()?;
        let Some(columns) = &change.key else {
            later.push(left);
            continue;
        };
        let known = named.iter().position(|named| named.columns == *columns);
        let at = known.unwrap_or_else(|| {
            named.push(Named::by(columns));
            named.len() - 1
        });
        let named = &mut named[at];
        for rows in &rows {
            named.name(&rows.project(columns))?;
        }
        for removed in change.removed.iter().filter_map(|block| keys(block).transpose()) {
            named.name(&removed?)?;
        }
        later.push(left);
    }
    let mut load = |rows: &Batch| if rows.is_empty() { Ok(()) } else { load(rows) };
    for rows in table.blocks.iter().filter_map(|block| own(block).transpose()) {
        load(&others(&mut named, &rows?)?)?;
    }
    later.into_iter().rev().flatten().try_for_each(|rows| load(&rows))
}

/// The rows none of whose keys was named.
fn others(named: &mut [Named], rows: &Batch) -> Result<Batch> {
    named.iter_mut().try_fold(rows.clone(), |rows, named| named.others(&rows))
}

impl Named {
    fn by(columns: &[usize]) -> Self {
        Self { columns: columns.to_vec(), keys: None, ids: Vec::new() }
    }

    /// The rows whose keys were not named.
    fn others(&mut self, rows: &Batch) -> Result<Batch> {
        let Some(keys) = &self.keys else { return Ok(rows.clone()) };
        let of_rows = rows.project(&self.columns);
        keys.lookup(of_rows.columns(), rows.rows(), &mut self.ids)?;
        let other = BooleanBuffer::collect_bool(rows.rows(), |row| self.ids[row] == ABSENT);
        rows.filter(&BooleanArray::new(other, None))
    }

    fn name(&mut self, keys: &Batch) -> Result<()> {
        let types = keys.columns().iter().map(|column| column.data_type().clone());
        let named = match &mut self.keys {
            Some(named) => named,
            none => none.insert(KeyTable::new(&types.collect::<Vec<_>>())?),
        };
        named.intern(keys.columns(), keys.rows(), &mut self.ids)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use mainstem_state::manifest::ChangeRecord;

    use super::*;

    fn rows(rows: &[[i64; 2]]) -> Batch {
        let column = |at: usize| Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r[at])));
        Batch::new(vec![column(0), column(1)], rows.len())
    }

    fn keys(keys: &[i64]) -> Batch {
        Batch::new(vec![Arc::new(Int64Array::from(keys.to_vec()))], keys.len())
    }

    fn read(table: &TableRecord<Batch>) -> Vec<[i64; 2]> {
        let mut all = Vec::new();
        let read = |rows: &Batch| Ok(Some(rows.clone()));
        let load = |batch: &Batch| {
            let [a, b] = [0, 1].map(|at| batch.column(at).as_primitive::<Int64Type>().clone());
            all.extend(a.values().iter().zip(b.values()).map(|(a, b)| [*a, *b]));
            Ok(())
        };
        resolved(table, read, read, load).unwrap();
        all
    }

    #[test]
    fn the_last_change_of_a_key_counts() {
        let change = |rows: Batch, removed: &[i64]| ChangeRecord {
            key: Some(vec![0]),
            rows: vec![rows],
            removed: vec![keys(removed)],
        };
        let mut table = TableRecord {
            name: "t".into(),
            blocks: vec![rows(&[[1, 1], [2, 1], [2, 2], [3, 1]]), rows(&[[4, 1]])],
            changes: vec![
                change(rows(&[[2, 10], [5, 1], [5, 2]]), &[3]),
                change(rows(&[[5, 10]]), &[1, 5]),
            ],
        };
        assert_eq!(read(&table), [[4, 1], [2, 10], [5, 10]]);
        table.changes.push(change(rows(&[]), &[2, 4, 5]));
        assert_eq!(read(&table), [[0; 2]; 0]);
    }

    #[test]
    fn rows_of_many_keys_go_together() {
        let change = |key: usize, rows: Batch, removed: &[i64]| ChangeRecord {
            key: Some(vec![key]),
            rows: vec![rows],
            removed: vec![keys(removed)],
        };
        let table = TableRecord {
            name: "t".into(),
            blocks: vec![rows(&[[1, 7], [2, 7], [3, 8], [4, 9]])],
            changes: vec![
                change(0, rows(&[[2, 8], [5, 7]]), &[]),
                change(1, rows(&[]), &[7]),
                change(0, rows(&[[6, 7], [3, 9]]), &[4]),
            ],
        };
        assert_eq!(read(&table), [[2, 8], [6, 7], [3, 9]]);
    }

    #[test]
    fn rows_without_a_key_go_with_a_key_that_goes() {
        let change = |key: Option<usize>, rows: Batch, removed: &[i64]| ChangeRecord {
            key: key.map(|key| vec![key]),
            rows: vec![rows],
            removed: vec![keys(removed)],
        };
        let table = TableRecord {
            name: "t".into(),
            blocks: vec![rows(&[[1, 7], [2, 8]])],
            changes: vec![
                change(None, rows(&[[3, 7], [4, 8]]), &[]),
                change(Some(1), rows(&[]), &[7]),
                change(None, rows(&[[5, 9]]), &[]),
            ],
        };
        assert_eq!(read(&table), [[2, 8], [4, 8], [5, 9]]);
    }

    #[test]
    fn rows_without_a_key_are_all_there() {
        let added = |rows: Batch| ChangeRecord { key: None, rows: vec![rows], removed: Vec::new() };
        let table = TableRecord {
            name: "t".into(),
            blocks: vec![rows(&[[1, 1]])],
            changes: vec![added(rows(&[[1, 2]])), added(rows(&[[1, 3]]))],
        };
        assert_eq!(read(&table), [[1, 1], [1, 2], [1, 3]]);
    }
}
