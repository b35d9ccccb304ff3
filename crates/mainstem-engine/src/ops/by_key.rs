//! State that is what is known of keys: cuts tell only of keys that have changed, and keys that were not used for long leave memory.
//! Invariant: a change tells all that is known of its keys. A key that is about to change while a cut is handed out goes out first.

mod aside;

use std::ops::{Deref, DerefMut};

use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{Change, Owner, TableChange, TableRows, TableShape};

use super::keys_aside::KeysAside;
use super::recency::Recency;
use super::saved::cut_of;
use super::tracker::Tracker;
use super::wakes::NEVER;
use crate::key_table::KeyTable;
use crate::operator::{Inputs, Operator, PutAside, StepContext};

/// The keys of an operator, and what happens to them.
pub(super) struct Keys {
    table: KeyTable,
    /// For checkpoints: which have changed, and what the last cut handed out before it changed.
    tracker: Tracker,
    early: Vec<TableChange>,
    /// Those that have no place in memory, and which of the others are the next to go.
    aside: KeysAside,
    recency: Recency,
}

impl Keys {
    pub(super) fn new(types: &[ArrowType]) -> Result<Self> {
        Ok(Self {
            table: KeyTable::new(types)?,
            tracker: Tracker::default(),
            early: Vec::new(),
            aside: KeysAside::default(),
            recency: Recency::default(),
        })
    }

    /// Forgets keys, which were touched in this step.
    pub(super) fn release(&mut self, ids: &[u32]) -> Result<()> {
        self.tracker.release(&mut self.table, ids)
    }

    /// Keys are used.
    pub(super) fn note(&mut self, keys: &[u32]) {
        self.recency.note_all(keys);
    }

    /// A key is about to change: true if it has to be handed out before.
    #[inline]
    pub(super) fn touch_one(&mut self, key: u32) -> bool {
        self.tracker.touch_one(key)
    }

    /// What the last cut has of keys that are about to change.
    pub(super) fn keep_early(&mut self, changes: Vec<TableChange>) {
        self.early.extend(changes);
    }

    /// How many rows the keys count as that are aside.
    pub(super) fn rows_aside(&self) -> usize {
        self.aside.rows()
    }

    /// When time changes the next key that is aside.
    pub(super) fn next_wake_ms(&self) -> Option<i64> {
        self.aside.next_wake_ms()
    }

    /// Memory kept, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.table.size_bytes()
            + self.tracker.size_bytes()
            + self.recency.size_bytes()
            + self.aside.size_bytes()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("len", &self.table.len()).finish_non_exhaustive()
    }
}

impl Deref for Keys {
    type Target = KeyTable;

    fn deref(&self) -> &KeyTable {
        &self.table
    }
}

impl DerefMut for Keys {
    fn deref_mut(&mut self) -> &mut KeyTable {
        &mut self.table
    }
}

/// State of an operator that knows something of each of its keys.
pub(super) trait ByKey {
    fn keys(&self) -> &Keys;

    fn keys_mut(&mut self) -> &mut Keys;

    /// All that is known of keys, by the ids of their table.
    fn tables_of(&self, keys: &[u32]) -> Result<Vec<TableRows>>;

    /// Takes rows of those tables.
    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()>;

    /// What is known besides, behind those tables; every cut tells it anew.
    fn other_tables(&self) -> Result<Vec<TableRows>> {
        Ok(Vec::new())
    }

    /// The columns of one of those tables that are the key's.
    fn key_columns(&self, shape: &TableShape) -> Vec<usize> {
        match &shape.owner {
            Owner::Columns(columns) => columns.clone(),
            Owner::Every => Vec::new(),
        }
    }

    /// All tables.
    fn save_keys(&self) -> Result<Vec<TableRows>> {
        let mut tables = self.tables_of(&self.keys().used())?;
        let mut aside = self.keys().aside.used();
        for (table, more) in tables.iter_mut().zip(self.read_aside(&mut aside)?.1) {
            table.batches.extend(more.batches);
        }
        tables.extend(self.other_tables()?);
        Ok(tables)
    }

    /// Keys are used, and about to change.
    fn touch(&mut self, keys: &[u32]) -> Result<()> {
        let own = self.keys_mut();
        own.recency.note_all(keys);
        let left = own.tracker.touch(keys.iter().copied());
        let changes = self.changes_of(&left)?;
        self.keys_mut().keep_early(changes);
        Ok(())
    }

    /// Begins to hand out what changed, or everything.
    fn cut_keys(&mut self, whole: bool) -> Result<Vec<TableChange>> {
        let own = self.keys_mut();
        let mut gone = own.tracker.cut_table(whole, &own.table);
        gone.extend(own.aside.cut(whole));
        let mut changes = Vec::new();
        for TableRows { shape, .. } in self.tables_of(&[])? {
            let key = self.key_columns(&shape);
            changes.extend(cut_of(shape, &key, whole, gone.clone()));
        }
        changes.extend(self.other_tables()?.into_iter().map(TableChange::from));
        Ok(changes)
    }

    /// What the last cut has of about `count` keys more.
    fn hand_out_keys(&mut self, count: usize) -> Result<Vec<TableChange>> {
        let mut changes = std::mem::take(&mut self.keys_mut().early);
        let keys = self.keys_mut().tracker.next(count);
        changes.extend(self.changes_of(&keys)?);
        if changes.is_empty() {
            let mut aside = self.keys_mut().aside.tracker.next(count);
            if !aside.is_empty() {
                let (names, tables) = self.read_aside(&mut aside)?;
                changes = self.replaced(&names, tables);
            }
        }
        Ok(changes)
    }

    fn changes_of(&self, keys: &[u32]) -> Result<Vec<TableChange>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.replaced(&self.names(keys)?, self.tables_of(keys)?))
    }

    /// All rows of the keys `names`, which replace those of before.
    fn replaced(&self, names: &Batch, tables: Vec<TableRows>) -> Vec<TableChange> {
        let change = |TableRows { shape, batches }: TableRows| {
            let key = self.key_columns(&shape);
            let each = matches!(&batches[..], [rows] if same(&rows.project(&key), names));
            let removed = if each { Vec::new() } else { vec![names.clone()] };
            shape.changed(Change::Replaced { key, rows: batches, removed })
        };
        tables.into_iter().map(change).collect()
    }

    fn names(&self, keys: &[u32]) -> Result<Batch> {
        Ok(Batch::new(self.keys().emit(keys)?, keys.len()))
    }

    /// Memory of what is known of the keys that are in memory, and of places that others have left.
    fn key_bytes(&self) -> usize;

    /// How many rows a key counts as.
    fn key_rows(&self, key: u32) -> usize;

    /// Has the places of keys empty, but for those in their table.
    fn clear_keys(&mut self, keys: &[u32]) -> Result<()>;

    /// When time changes a key of which no row comes.
    fn wakes_ms(&self, _key: u32) -> i64 {
        NEVER
    }

    /// Whether a key can be put aside.
    fn may_go(&self, _key: u32) -> bool {
        true
    }

    /// Puts keys aside that were not used for longest.
    fn put_keys_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        aside::put(self, wanted)
    }

    /// Brings back those of these keys that are aside.
    fn bring_back(&mut self, keys: &Batch) -> Result<()> {
        aside::bring_back(self, keys)
    }

    /// Brings back keys that time has changed.
    fn bring_back_due(&mut self, time_ms: i64) -> Result<()> {
        let due = self.keys_mut().aside.due(time_ms, usize::MAX);
        aside::take_back(self, due)
    }

    /// Brings back the keys of rows of a table that are about to be loaded: other tables of them may have come before.
    fn bring_back_of(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if self.keys().aside.is_empty() {
            return Ok(());
        }
        let shapes = self.tables_of(&[])?.into_iter().map(|table| table.shape);
        let Some(shape) = shapes.into_iter().find(|shape| shape.name == table) else {
            return Ok(());
        };
        self.bring_back(&rows.project(&self.key_columns(&shape)))
    }

    /// The names of keys that are aside, and their tables.
    fn read_aside(&self, aside: &mut [u32]) -> Result<(Batch, Vec<TableRows>)> {
        aside::read(self, aside)
    }
}

/// An operator whose state is by key, but for what waits.
pub(super) trait KeyedOperator: ByKey + Send {
    /// As [`Operator::step`].
    fn run_step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>>;

    /// As [`Operator::next_timer_ms`].
    fn next_due_ms(&self) -> Option<i64> {
        None
    }

    /// Puts rows aside of keys that stay.
    fn put_rows_aside(&mut self, _wanted: &mut PutAside<'_>) -> Result<()> {
        Ok(())
    }

    /// How many rows are in memory.
    fn rows_here(&self) -> usize;

    /// Memory of what waits.
    fn waiting_bytes(&self) -> usize {
        0
    }
}

impl<T: KeyedOperator> Operator for T {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        self.run_step(inputs, cx)
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        self.save_keys().map(Some)
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        self.cut_keys(whole).map(Some)
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        self.hand_out_keys(rows)
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.bring_back_of(table, rows)?;
        self.load_table(table, rows)
    }

    fn next_timer_ms(&self) -> Option<i64> {
        self.next_due_ms()
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.put_rows_aside(wanted)?;
        self.put_keys_aside(wanted)
    }

    fn state_rows(&self) -> usize {
        self.rows_here() + self.keys().rows_aside()
    }

    fn state_bytes(&self) -> usize {
        self.waiting_bytes() + self.key_bytes() + self.keys().size_bytes()
    }
}

fn same(a: &Batch, b: &Batch) -> bool {
    a.rows() == b.rows() && a.columns() == b.columns()
}
