//! Puts the kind of each change in front of its row: `+I`, `-U`, `+U` or `-D`, as Flink's client does.
//! Invariant: what comes out is append-only; folded, it gives the same table. A row that goes and a row that comes
//! under the same key in one step are the halves of an update; without a known key they are a delete and an insert.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_cast::display::array_value_to_string;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::{Batch, Result};

pub(super) struct WithOperation {
    pub(super) inner: Box<dyn Encode>,
    /// Columns that tell rows apart, if they are known.
    pub(super) key: Option<Vec<usize>>,
}

impl WithOperation {
    /// For each row, the text of its key; `None` if no key is known.
    fn keys(&self, batch: &Batch) -> Result<Option<Vec<Vec<String>>>> {
        let Some(columns) = &self.key else { return Ok(None) };
        let key = |row: usize| {
            columns
                .iter()
                .map(|c| Ok(array_value_to_string(batch.column(*c), row)?))
                .collect::<Result<Vec<_>>>()
        };
        (0..batch.rows()).map(key).collect::<Result<Vec<_>>>().map(Some)
    }
}

impl Encode for WithOperation {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        let keys = self.keys(batch)?;
        let with_sign = |comes: bool| -> BTreeSet<&Vec<String>> {
            let rows = (0..batch.rows()).filter(|row| (batch.weight(*row) > 0) == comes);
            keys.as_ref().map_or_else(BTreeSet::new, |keys| rows.map(|row| &keys[row]).collect())
        };
        let (going, coming) = (with_sign(false), with_sign(true));
        let kind = |row: usize| {
            let key = keys.as_ref().map(|keys| &keys[row]);
            let has = |side: &BTreeSet<&Vec<String>>| key.is_some_and(|key| side.contains(key));
            match batch.weight(row) > 0 {
                true if has(&going) => "+U",
                true => "+I",
                false if has(&coming) => "-U",
                false => "-D",
            }
        };
        let kinds: ArrayRef = Arc::new(StringArray::from_iter_values((0..batch.rows()).map(kind)));
        let columns = std::iter::once(kinds).chain(batch.columns().iter().cloned()).collect();
        self.inner.encode(&Batch::new(columns, batch.rows()))
    }
}
