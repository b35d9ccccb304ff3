//! Puts the kind of each change in front of its row: `+I` or `-D`, as the connector print says it.
//! Invariant: what comes out is append-only; folded, it gives the same table. A SELECT has no declared key, so the two
//! halves of an update are shown as what they are to a table without key: a row that goes and a row that comes.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::{Batch, Result};

pub(super) struct WithOperation {
    pub(super) inner: Box<dyn Encode>,
}

impl Encode for WithOperation {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        let operations =
            (0..batch.rows()).map(|row| if batch.weight(row) > 0 { "+I" } else { "-D" });
        let operations: ArrayRef = Arc::new(StringArray::from_iter_values(operations));
        let columns = std::iter::once(operations).chain(batch.columns().iter().cloned()).collect();
        self.inner.encode(&Batch::new(columns, batch.rows()))
    }
}
