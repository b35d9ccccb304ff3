//! Keys that have no place in memory: how they go with all that is known of them, and come back.
//! Invariant: before an operator looks at a key that a row or the time names it has brought it back. What is known of a key goes
//! as rows of tables, and comes back as after a restart.

use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::TableRows;

use super::ByKey;
use crate::aggregate::SavedGroups;
use crate::hash::hash_columns;
use crate::operator::PutAside;
use crate::ops::keys_aside::Leaving;
use crate::ops::recency::in_use;

/// Keys go together that have about so many rows, themselves counted.
const BLOCK_ROWS: usize = 4096;
/// A key with more rows stays: it would be read and written with all of them.
const KEY_ROWS_MAX: usize = 1 << 20;

pub(super) fn put<T: ByKey + ?Sized>(of: &mut T, wanted: &mut PutAside<'_>) -> Result<()> {
    if wanted.is_met() {
        return Ok(());
    }
    let keys = of.keys();
    let bytes = in_use(of.key_bytes() + keys.table.size_bytes(), keys.len(), keys.bound());
    let keys = of.keys_mut();
    let (mut going, each) = keys.recency.going(keys.table.ids(), bytes, wanted);
    going.retain(|&key| of.may_go(key) && of.key_rows(key) <= KEY_ROWS_MAX);
    let mut going = &going[..];
    while !going.is_empty() {
        let mut rows = 0;
        let few = |key: &&u32| {
            let is_first = rows == 0;
            rows += 1 + of.key_rows(**key);
            is_first || rows <= BLOCK_ROWS
        };
        let (keys, rest) = going.split_at(going.iter().take_while(few).count());
        put_block(of, keys, wanted)?;
        wanted.bytes = wanted.bytes.saturating_sub(each * keys.len());
        going = rest;
    }
    Ok(())
}

/// Puts keys aside, whose ids ascend.
fn put_block<T: ByKey + ?Sized>(of: &mut T, keys: &[u32], wanted: &PutAside<'_>) -> Result<()> {
    let names = of.names(keys)?;
    let mut hashes = Vec::new();
    hash_columns(names.columns(), names.rows(), &mut hashes)?;
    let places = (0..keys.len() as u32).collect();
    let mut tables = vec![SavedGroups { places, columns: names.into_columns() }];
    for table in of.tables_of(keys)? {
        tables.push(with_places(of, table, keys)?);
    }
    let rows = keys.iter().map(|&key| of.key_rows(key) as u32).collect();
    let wakes = keys.iter().map(|&key| of.wakes_ms(key)).collect();
    let own = of.keys_mut();
    let marks = keys.iter().map(|&key| own.tracker.take_marks(key)).collect();
    let leaving = Leaving { hashes, marks, tables, rows, newest_ms: i64::MAX, wakes };
    own.aside.put(leaving, &wanted.memory.space)?;
    of.clear_keys(keys)?;
    of.keys_mut().table.release(keys);
    Ok(())
}

/// The rows of a table, each with the place of its key in a list of ids that ascend.
fn with_places<T: ByKey + ?Sized>(of: &T, table: TableRows, keys: &[u32]) -> Result<SavedGroups> {
    let Some(rows) = Batch::concat(&table.batches)?.filter(|rows| !rows.is_empty()) else {
        return Ok(SavedGroups::default());
    };
    let mut ids = Vec::new();
    let names = rows.project(&of.key_columns(&table.shape));
    of.keys().lookup(names.columns(), names.rows(), &mut ids)?;
    let place = |id: &u32| keys.binary_search(id).ok().map(|place| place as u32);
    let places = ids.iter().map(place).collect::<Option<Vec<u32>>>();
    let places = places.ok_or_else(|| Error::internal("rows of a key that was not asked for"))?;
    Ok(SavedGroups { places, columns: rows.into_columns() })
}

pub(super) fn bring_back<T: ByKey + ?Sized>(of: &mut T, keys: &Batch) -> Result<()> {
    if of.keys().aside.is_empty() {
        return Ok(());
    }
    let mut hashes = Vec::new();
    hash_columns(keys.columns(), keys.rows(), &mut hashes)?;
    let found = of.keys().aside.find(&hashes);
    take_back(of, found)
}

/// Brings back keys by their numbers there.
pub(super) fn take_back<T: ByKey + ?Sized>(of: &mut T, mut aside: Vec<u32>) -> Result<()> {
    if aside.is_empty() {
        return Ok(());
    }
    let (tables, marks) = of.keys_mut().aside.take(&mut aside)?;
    let (names, tables) = apart(of, tables)?;
    for table in tables {
        for rows in &table.batches {
            of.load_table(&table.shape.name, rows)?;
        }
    }
    let mut ids = Vec::new();
    of.keys_mut().intern(names.columns(), names.rows(), &mut ids)?;
    let own = of.keys_mut();
    for (&id, marks) in ids.iter().zip(marks) {
        own.tracker.set_marks(id, marks);
        own.recency.note(id);
    }
    Ok(())
}

pub(super) fn read<T: ByKey + ?Sized>(
    of: &T,
    aside: &mut [u32],
) -> Result<(Batch, Vec<TableRows>)> {
    if aside.is_empty() {
        return Ok((Batch::new(Vec::new(), 0), Vec::new()));
    }
    apart(of, of.keys().aside.read(aside)?)
}

/// The names of keys, which stand first, and the tables that have rows of them.
fn apart<T: ByKey + ?Sized>(of: &T, tables: Vec<SavedGroups>) -> Result<(Batch, Vec<TableRows>)> {
    let mut tables = tables.into_iter();
    let names = tables.next().unwrap_or_default();
    let shapes = of.tables_of(&[])?.into_iter().map(|table| table.shape);
    let with_rows = |SavedGroups { places, columns }: SavedGroups| {
        if places.is_empty() { Vec::new() } else { vec![Batch::new(columns, places.len())] }
    };
    let rows = shapes.zip(tables.map(with_rows)).map(|(shape, rows)| shape.with_rows(rows));
    Ok((Batch::new(names.columns, names.places.len()), rows.collect()))
}
