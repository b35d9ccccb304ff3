//! The state of lookups outside as rows of tables: what is known of keys, what was answered, which rows wait.
//! Invariant: a row names its entry by the entry's key and a number, which tells entries of one key apart. What was asked
//! and not answered is asked again, question by question, unless the answer can still come.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array, UInt64Array};
use arrow_schema::DataType as ArrowType;
use arrow_select::{filter::filter, interleave::interleave};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::super::rows::{weighted_again, with_weights};
use super::{NONE, QUESTION_KEYS_MAX, RemoteLookup, Waiting};
use crate::key_table::{ABSENT, KeyTable};
use crate::operator::Watermark;

/// Key, number, the facts of `Entries::facts`, the question that is open about it.
const ENTRIES: &str = "entries";
/// Key, number, a row of the answer.
const ANSWERS: &str = "answers";
/// Left row, weight; its entry's number, the watermark once it is out, the one before that.
const WAITING: &str = "waiting";

/// Entries that were put in, by key and number.
#[derive(Debug)]
pub(super) struct Restored {
    names: KeyTable,
    /// By name: the entry, and whether it has the name alone.
    entries: Vec<(u32, bool)>,
}

impl RemoteLookup {
    /// The types of the keys of entries, and which of them say whose row it is.
    fn entry_keys(&self) -> (Vec<ArrowType>, Vec<usize>) {
        let keys = &self.plan.left_keys;
        match self.plan.changelog {
            true => (self.plan.left.clone(), keys.clone()),
            false => {
                let types = keys.iter().map(|&key| self.plan.left[key].clone()).collect();
                (types, (0..keys.len()).collect())
            }
        }
    }

    /// What all rows that wait have in common with the keys of their entries.
    fn keys_of(&self, rows: &Batch) -> Batch {
        if self.plan.changelog { rows.clone() } else { rows.project(&self.plan.left_keys) }
    }

    /// All entries, in the order of their numbers.
    fn numbered(&self) -> Vec<u32> {
        let waiting = self.waiting.iter().flat_map(|waiting| &waiting.entries[waiting.next..]);
        self.entries.in_order(waiting.copied())
    }

    pub(crate) fn save(&self) -> Result<Vec<TableRows>> {
        let order = self.numbered();
        let numbers = numbers(&order);
        let (waiting, first_rows) = self.save_waiting(&numbers, order.len())?;
        let names = self.names(&order, &waiting, &first_rows)?;
        let mut questions = vec![None; order.len()];
        let again = (self.questions..).zip(&self.again).map(|(number, again)| (number, &again.0));
        for (question, entries) in self.asked.iter().map(|(&n, entries)| (n, entries)).chain(again)
        {
            for number in entries.iter().filter_map(|&entry| numbers[entry as usize]) {
                questions[number as usize] = Some(question);
            }
        }
        let mut columns = names.columns().to_vec();
        columns.extend(self.entries.facts(&order));
        columns.push(Arc::new(questions.into_iter().collect::<UInt64Array>()));
        let entries = Batch::new(columns, order.len());
        let (places, answers) = self.entries.answers(&order)?;
        let rows = places.len();
        let mut columns = names.take(&places.into())?.into_columns();
        columns.extend(answers);
        let (_, owner) = self.entry_keys();
        Ok(vec![
            TableShape::keyed(ENTRIES, owner.clone()).with_rows(vec![entries]),
            TableShape::keyed(ANSWERS, owner).with_rows(vec![Batch::new(columns, rows)]),
            TableShape::keyed(WAITING, self.plan.left_keys.clone()).with_rows(vec![waiting]),
        ])
    }

    /// The rows that wait, and for each number the first of them that waits for its entry.
    fn save_waiting(
        &self,
        numbers: &[Option<u32>],
        count: usize,
    ) -> Result<(Batch, Vec<Option<u32>>)> {
        let mut first_rows = vec![None; count];
        let (mut batches, mut of_rows) = (Vec::new(), Vec::new());
        let (mut then, mut before) = (Vec::new(), Vec::new());
        let mut passed = self.passed;
        for waiting in &self.waiting {
            let rest = &waiting.entries[waiting.next..];
            batches.push(with_weights(&waiting.batch.slice(waiting.next, rest.len())));
            for &entry in rest {
                let number = numbers.get(entry as usize).copied().flatten();
                if let Some(number) = number {
                    first_rows[number as usize].get_or_insert(of_rows.len() as u32);
                }
                of_rows.push(number);
            }
            then.resize(of_rows.len(), waiting.then);
            before.resize(of_rows.len(), passed);
            passed = passed.max(waiting.then);
        }
        let rows = match Batch::concat(&batches)? {
            Some(rows) => rows,
            None => {
                let types = self.plan.left.iter().chain([&ArrowType::Int64]);
                Batch::new(types.map(arrow_array::new_empty_array).collect(), 0)
            }
        };
        let count = rows.rows();
        let mut columns = rows.into_columns();
        columns.push(Arc::new(UInt32Array::from(of_rows)));
        columns.push(Arc::new(Int64Array::from(then)));
        columns.push(Arc::new(Int64Array::from(before)));
        Ok((Batch::new(columns, count), first_rows))
    }

    /// The names of entries: keys and numbers. Keys are those that find them, or those of rows that wait.
    fn names(&self, order: &[u32], waiting: &Batch, first_rows: &[Option<u32>]) -> Result<Batch> {
        let (found, is_found) = self.entries.found_keys(order)?;
        let rows = waiting.project(&(0..self.plan.left.len()).collect::<Vec<_>>());
        let of_rows = self.keys_of(&rows);
        let mut next = 0..;
        let place = |(&found, row): (&bool, &Option<u32>)| match (found, row) {
            (true, _) => next.next().map(|place: usize| (0, place)),
            (false, row) => row.map(|row| (1, row as usize)),
        };
        let places: Option<Vec<(usize, usize)>> =
            is_found.iter().zip(first_rows).map(place).collect();
        let places = places.ok_or_else(|| Error::internal("an entry that nobody waits for"))?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(found.len() + 1);
        for (found, of_rows) in found.iter().zip(of_rows.columns()) {
            columns.push(match places.is_empty() {
                true => found.slice(0, 0),
                false => interleave(&[found.as_ref(), of_rows.as_ref()], &places)?,
            });
        }
        columns.push(Arc::new(UInt32Array::from_iter_values(0..order.len() as u32)));
        Ok(Batch::new(columns, order.len()))
    }

    pub(crate) fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        let width = self.entry_keys().0.len();
        match table {
            ENTRIES => self.load_entries(rows, width),
            ANSWERS => {
                let (names, columns) = rows.columns().split_at(width + 1);
                let entries = self.named(&Batch::new(names.to_vec(), rows.rows()))?;
                let own: BooleanArray = entries.iter().map(|(_, own)| Some(*own)).collect();
                let answers = Batch::new(columns.to_vec(), rows.rows()).filter(&own)?;
                let entries: Vec<u32> =
                    entries.iter().filter(|(_, own)| *own).map(|(entry, _)| *entry).collect();
                self.entries.put_answers(&entries, &answers)
            }
            _ if rows.is_empty() => Ok(()),
            _ => self.load_waiting(rows),
        }
    }

    fn load_entries(&mut self, rows: &Batch, width: usize) -> Result<()> {
        let (names, facts) = rows.columns().split_at(width + 1);
        let keys = Batch::new(names[..width].to_vec(), rows.rows());
        let (questions, facts) =
            facts.split_last().ok_or_else(|| Error::internal("entries without their questions"))?;
        let entries = self.entries.put(&keys, facts)?;
        let restored = match &mut self.restored {
            Some(restored) => restored,
            None => {
                let mut types = self.entry_keys().0;
                types.push(ArrowType::UInt32);
                let names = KeyTable::new(&types)?;
                self.restored.insert(Restored { names, entries: Vec::new() })
            }
        };
        let mut ids = Vec::new();
        restored.names.intern(names, rows.rows(), &mut ids)?;
        restored.entries.resize(restored.names.bound(), (NONE, false));
        for (&id, &entry) in ids.iter().zip(&entries) {
            restored.entries[id as usize] = entry;
        }
        let questions = questions.as_primitive::<UInt64Type>();
        let mut again: Vec<(Option<u64>, Vec<u32>, Vec<u32>)> = Vec::new();
        for (row, &(entry, is_new)) in (0..).zip(&entries) {
            let question = questions.is_valid(row as usize).then(|| questions.value(row as usize));
            if !is_new || self.entries.is_known(entry) {
                continue;
            }
            if question.is_none() {
                self.unasked.push_back(entry);
                continue;
            }
            // Without keys all entries mean the same, and a question has each key once.
            match again.iter_mut().find(|(of, rows, _)| {
                *of == question && rows.len() < QUESTION_KEYS_MAX && !self.plan.left_keys.is_empty()
            }) {
                Some((_, rows, entries)) => {
                    rows.push(row);
                    entries.push(entry);
                }
                None => again.push((question, vec![row], vec![entry])),
            }
        }
        for (_, rows, entries) in again {
            self.again.push_back((entries, keys.take(&rows.into())?));
        }
        Ok(())
    }

    /// The entries that have the given names, and whether each has its name alone.
    fn named(&self, names: &Batch) -> Result<Vec<(u32, bool)>> {
        let missing = || Error::internal("a row of an entry that is not there");
        let Some(restored) = &self.restored else {
            return if names.is_empty() { Ok(Vec::new()) } else { Err(missing()) };
        };
        let mut ids = Vec::new();
        restored.names.lookup(names.columns(), names.rows(), &mut ids)?;
        let entry = |&id: &u32| (id != ABSENT).then(|| restored.entries[id as usize]);
        ids.iter().map(entry).collect::<Option<_>>().ok_or_else(missing)
    }

    fn load_waiting(&mut self, rows: &Batch) -> Result<()> {
        let (columns, [numbers, then, before]) = rows
            .columns()
            .split_last_chunk::<3>()
            .ok_or_else(|| Error::internal("rows that wait for nothing"))?;
        let batch = weighted_again(&Batch::new(columns.to_vec(), rows.rows()));
        let has_entry = valid(numbers);
        let own = Batch::new(batch.columns().to_vec(), batch.rows());
        let mut names = self.keys_of(&own).filter(&has_entry)?.into_columns();
        names.push(filter(numbers, &has_entry)?);
        let named = names.last().map_or(0, Array::len);
        let mut named = self.named(&Batch::new(names, named))?.into_iter();
        let entries: Vec<u32> = numbers
            .as_primitive::<UInt32Type>()
            .iter()
            .map(|number| number.and_then(|_| named.next()).map_or(NONE, |(entry, _)| entry))
            .collect();
        entries.iter().filter(|&&e| e != NONE).for_each(|&e| self.entries.put_waiting(e));
        let [then, before]: [Vec<Watermark>; 2] =
            [then, before].map(|times| times.as_primitive::<Int64Type>().iter().collect());
        let mut from = 0;
        while from < entries.len() {
            let same = |row: &usize| (then[*row], before[*row]) == (then[from], before[from]);
            let end = (from..entries.len()).take_while(same).last().map_or(from, |last| last) + 1;
            self.wait_behind(before[from]);
            self.waiting_rows += end - from;
            self.waiting.push_back(Waiting {
                batch: batch.slice(from, end - from),
                entries: entries[from..end].to_vec(),
                next: 0,
                since: 0,
                then: then[from],
            });
            from = end;
        }
        Ok(())
    }

    /// Rows come behind those that wait, and time is at `before` until they are out: no row before them takes it farther.
    fn wait_behind(&mut self, before: Watermark) {
        if self.waiting.is_empty() {
            self.passed = before;
        }
        self.passed = self.passed.min(before);
        self.waiting.iter_mut().for_each(|waiting| waiting.then = waiting.then.min(before));
    }

    /// For workers that are made anew while the same ports are open: what `old` has asked will be answered to this one, which
    /// has loaded what `old` saved, unless nobody owns its rows.
    pub(crate) fn expect_answers_of(&mut self, old: &Self) -> Result<()> {
        if self.plan.left_keys.is_empty() && self.restored.is_none() {
            for table in old.save()? {
                table.batches.iter().try_for_each(|rows| self.load(&table.shape.name, rows))?;
            }
        }
        // They were put in one by one.
        let numbers = numbers(&old.numbered());
        let own = |entries: &[u32]| -> Vec<u32> {
            entries.iter().filter_map(|&entry| numbers[entry as usize]).collect()
        };
        self.asked = old.asked.iter().map(|(&question, asked)| (question, own(asked))).collect();
        let again = old.again.iter().map(|(entries, keys)| (own(entries), keys.clone()));
        self.again = again.collect();
        (self.questions, self.steps) = (old.questions, old.steps);
        let since = old.waiting_since().unwrap_or_default();
        self.waiting.iter_mut().for_each(|waiting| waiting.since = since);
        Ok(())
    }
}

/// The place of each entry in `order`, by entry.
fn numbers(order: &[u32]) -> Vec<Option<u32>> {
    let bound = order.iter().max().map_or(0, |&greatest| greatest as usize + 1);
    let mut numbers = vec![None; bound];
    (0..).zip(order).for_each(|(number, &entry)| numbers[entry as usize] = Some(number));
    numbers
}

/// Where a column is not NULL.
fn valid(column: &ArrayRef) -> BooleanArray {
    (0..column.len()).map(|row| Some(column.is_valid(row))).collect()
}
