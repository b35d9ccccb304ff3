//! Joins of two inputs on equal keys and bounded differences of their times.
//! Invariant: a row is kept in the bucket of its time until no row of the other input that comes in time can be its
//! partner; then the bucket goes whole, and with it whatever it cost. A pair comes out in the step of its later half; a
//! row of an outer side that never had a partner comes out with NULLs when its bucket goes, or at once if it is late.

mod partners_told;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{Change, TableChange, TableRows, TableShape};

use super::buckets_told::BucketsTold;
use super::join::{LEFT, RIGHT, pad};
use super::probe::{Pairs, Probe, split_nulls, unmatched};
use super::rows::Rows;
use super::saved::{cut_of, replaced, uint32s};
use super::time_queue::{by_bucket, last_time};
use crate::columns::times_ms;
use crate::expr::ExprRef;
use crate::key_table::{ABSENT, KeyTable};
use crate::operator::{Inputs, Operator, PutAside, StepContext, Watermark};
use crate::plan::{JoinKind, TimeSource};
use partners_told::PartnersTold;

/// Buckets are not narrower than this: many small ones cost more than the rows in them.
const WIDTH_MS_MIN: i64 = 1_000;
/// The end of a list.
const NONE: u32 = u32::MAX;

/// What the plan says of an interval join.
#[derive(Debug, Clone)]
pub(crate) struct IntervalJoinPlan {
    pub(crate) kind: JoinKind,
    pub(crate) keys: [Vec<usize>; 2],
    pub(crate) times: [TimeSource; 2],
    /// Of left time minus right time.
    pub(crate) lower_ms: i64,
    pub(crate) upper_ms: i64,
    pub(crate) residual: Option<ExprRef>,
    pub(crate) inputs: [Vec<ArrowType>; 2],
}

/// The rows of one input in one span of time.
#[derive(Debug)]
struct Bucket {
    keys: KeyTable,
    /// The row of each key that came last, and by row the one before it.
    heads: Vec<u32>,
    next: Vec<u32>,
    times: Vec<i64>,
    /// By row, whether it had a partner; empty where that does not matter.
    matched: Vec<bool>,
    rows: Rows,
}

#[derive(Debug)]
struct Side {
    key_columns: Vec<usize>,
    key_types: Vec<ArrowType>,
    time: TimeSource,
    types: Vec<ArrowType>,
    /// Partners of a row of time t have times from `t - back_ms` to `t + ahead_ms`.
    back_ms: i64,
    ahead_ms: i64,
    /// Rows without a partner come out.
    outer: bool,
    width_ms: i64,
    buckets: BTreeMap<i64, Bucket>,
    /// For checkpoints, as is what follows.
    told: BucketsTold,
    /// Of an outer side.
    partners: PartnersTold,
    /// Rows of buckets that went before they were handed out.
    early: Vec<Batch>,
}

/// Rows of one side that came in a step, all of them with keys and times.
struct Fresh {
    batch: Batch,
    times: Vec<i64>,
    matched: Vec<bool>,
}

impl Bucket {
    fn new(side: &Side) -> Result<Self> {
        Ok(Self {
            keys: KeyTable::new(&side.key_types)?,
            heads: Vec::new(),
            next: Vec::new(),
            times: Vec::new(),
            matched: Vec::new(),
            rows: Rows::new(&side.types),
        })
    }

    fn insert(&mut self, keys: &Batch, fresh: &Fresh, outer: bool) -> Result<()> {
        let mut ids = Vec::new();
        self.keys.intern(keys.columns(), keys.rows(), &mut ids)?;
        self.heads.resize(self.heads.len().max(self.keys.bound()), NONE);
        let first = self.rows.push(&fresh.batch)?;
        for (row, &id) in (first..).zip(&ids) {
            self.next.push(std::mem::replace(&mut self.heads[id as usize], row));
        }
        self.times.extend_from_slice(&fresh.times);
        if outer {
            self.matched.extend_from_slice(&fresh.matched);
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.keys.size_bytes()
            + self.rows.size_bytes()
            + (self.heads.capacity() + self.next.capacity()) * 4
            + self.times.capacity() * 8
            + self.matched.capacity()
    }
}

impl Side {
    /// The time of each row, and the rows that have neither key nor time.
    fn fresh(&self, batch: &Batch, now_ms: i64) -> Result<(Fresh, Option<Batch>)> {
        let mut needed = self.key_columns.clone();
        if let TimeSource::EventTime { column } = self.time {
            needed.push(column);
        }
        let (batch, without) = split_nulls(batch, &needed)?;
        let times = match self.time {
            TimeSource::EventTime { column } => times_ms(batch.column(column))?.into_owned(),
            TimeSource::ProcessingTime => vec![now_ms; batch.rows()],
        };
        let matched = vec![false; batch.rows()];
        Ok((Fresh { batch, times, matched }, without))
    }

    /// Keeps rows whose partners may still come; gives back the others.
    fn keep(&mut self, fresh: Fresh, passed: Watermark) -> Result<Option<Fresh>> {
        let late = |time: &i64| passed.is_some_and(|w| time.saturating_add(self.ahead_ms) <= w);
        let (fresh, late) = match fresh.times.iter().any(late) {
            false => (fresh, None),
            true => {
                let rows = 0..fresh.times.len() as u32;
                let (late, kept): (Vec<u32>, Vec<u32>) =
                    rows.partition(|&row| late(&fresh.times[row as usize]));
                (fresh.take(kept)?, Some(fresh.take(late)?))
            }
        };
        self.put(&fresh)?;
        Ok(late)
    }

    /// Keeps rows, each in its bucket.
    fn put(&mut self, fresh: &Fresh) -> Result<()> {
        for (bucket, rows) in by_bucket(&fresh.times, self.width_ms) {
            let whole = rows.len() == fresh.times.len();
            let part = if whole { None } else { Some(fresh.take(rows)?) };
            let part = part.as_ref().unwrap_or(fresh);
            let keys = part.batch.project(&self.key_columns);
            let outer = self.outer;
            if !self.buckets.contains_key(&bucket) {
                let new = Bucket::new(self)?;
                self.buckets.insert(bucket, new);
            }
            let kept = self.buckets.get_mut(&bucket).expect("put there if it was missing");
            kept.insert(&keys, part, outer)?;
        }
        Ok(())
    }

    fn shape(&self, name: &'static str) -> TableShape {
        TableShape::keyed(name, self.key_columns.clone())
    }

    /// The rows of all buckets.
    fn save(&self, name: &'static str) -> Result<TableRows> {
        let mut batches = Vec::new();
        for (&bucket, kept) in &self.buckets {
            let all: Vec<u32> = (0..kept.times.len() as u32).collect();
            batches.extend(self.rows_of(bucket, kept, &all, |_| true)?);
        }
        Ok(self.shape(name).with_rows(batches))
    }

    /// Rows of a bucket: behind their columns the time, if that is none of them, whether they had a partner, where that matters, the
    /// bucket, and the place there, where a row may be told again. `counts` says whether the partner of a row that has one is to
    /// be told.
    fn rows_of(
        &self,
        bucket: i64,
        kept: &Bucket,
        places: &[u32],
        counts: impl Fn(u32) -> bool,
    ) -> Result<Vec<Batch>> {
        let mut batches = kept.rows.batches(places)?;
        for (first, rows) in &mut batches {
            let count = rows.rows();
            let places = places[*first..*first + count].iter().copied();
            let mut columns = rows.columns().to_vec();
            if self.time == TimeSource::ProcessingTime {
                let times = places.clone().map(|row| kept.times[row as usize]);
                columns.push(Arc::new(Int64Array::from_iter_values(times)));
            }
            if self.outer {
                let matched = |row| Some(kept.matched[row as usize] && counts(row));
                columns.push(Arc::new(places.clone().map(matched).collect::<BooleanArray>()));
            }
            columns.push(Arc::new(Int64Array::from(vec![bucket; count])));
            if self.outer {
                columns.push(uint32s(places));
            }
            *rows = Batch::new(columns, count);
        }
        Ok(batches.into_iter().map(|(_, rows)| rows).collect())
    }

    /// Rows of a bucket, as they were at the last cut.
    fn rows_at_cut(&self, bucket: i64, kept: &Bucket, places: &[u32]) -> Result<Vec<Batch>> {
        self.rows_of(bucket, kept, places, |row| self.partners.had_one(bucket, row))
    }

    /// The column of those that has the bucket.
    fn bucket_column(&self) -> usize {
        let time = usize::from(self.time == TimeSource::ProcessingTime);
        self.types.len() + time + usize::from(self.outer)
    }

    /// Begins to hand out what came, changed and went, or everything.
    fn cut(&mut self, name: &'static str, whole: bool) -> Vec<TableChange> {
        let sizes = self.buckets.iter().map(|(&bucket, kept)| (bucket, kept.times.len() as u32));
        let gone = self.told.cut(whole, sizes);
        self.partners.cut(whole);
        cut_of(self.shape(name), &[self.bucket_column()], whole, gone)
    }

    fn hand_out(&mut self, name: &'static str, rows: usize) -> Result<Vec<TableChange>> {
        let mut batches = std::mem::take(&mut self.early);
        if batches.is_empty() {
            let came = self.told.next(rows).map(|(bucket, places)| (bucket, places.collect()));
            let Some((bucket, places)) = came.or_else(|| self.partners.next(rows)) else {
                return Ok(Vec::new());
            };
            let kept = self.buckets.get(&bucket);
            let kept = kept.ok_or_else(|| Error::internal("rows of a bucket that went"))?;
            batches = self.rows_at_cut(bucket, kept, &places)?;
        }
        if !self.outer {
            return Ok(vec![self.shape(name).changed(Change::Added(batches))]);
        }
        let bucket = self.bucket_column();
        let key: Vec<usize> =
            self.key_columns.iter().copied().chain([bucket, bucket + 1]).collect();
        Ok(replaced(self.shape(name), &key, batches))
    }

    fn load(&mut self, rows: &Batch) -> Result<()> {
        let (columns, mut more) = rows.columns().split_at(self.types.len());
        let batch = Batch::new(columns.to_vec(), rows.rows());
        let mut next = || -> Result<&ArrayRef> {
            let (first, rest) = more
                .split_first()
                .ok_or_else(|| Error::internal("rows of an interval join without their times"))?;
            more = rest;
            Ok(first)
        };
        let times = match self.time {
            TimeSource::EventTime { column } => times_ms(batch.column(column))?.into_owned(),
            TimeSource::ProcessingTime => next()?.as_primitive::<Int64Type>().values().to_vec(),
        };
        let matched = match self.outer {
            true => next()?.as_boolean().values().iter().collect(),
            false => vec![false; batch.rows()],
        };
        self.put(&Fresh { batch, times, matched })
    }

    /// Takes out the buckets that nobody in time can ask for any more.
    fn expired(&mut self, passed: i64) -> Result<Vec<Bucket>> {
        let mut out = Vec::new();
        while let Some((&first, _)) = self.buckets.first_key_value()
            && self.gone_at(first) <= passed
            && let Some(bucket) = self.buckets.remove(&first)
        {
            let came = self.told.goes(first).into_iter().flatten();
            let changed = self.partners.goes(first).into_iter().flatten();
            let mut left: Vec<u32> = came.chain(changed).collect();
            left.sort_unstable();
            let rows = self.rows_at_cut(first, &bucket, &left)?;
            self.early.extend(rows);
            out.push(bucket);
        }
        Ok(out)
    }

    /// The least time of a partner of a row of time `time`.
    fn from(&self, time: i64) -> i64 {
        time.saturating_sub(self.back_ms)
    }

    /// The greatest time of a partner of a row of time `time`.
    fn to(&self, time: i64) -> i64 {
        time.saturating_add(self.ahead_ms)
    }

    /// The watermark at which a bucket goes.
    fn gone_at(&self, bucket: i64) -> i64 {
        last_time(bucket, self.width_ms).saturating_add(self.ahead_ms)
    }
}

impl Fresh {
    fn take(&self, rows: Vec<u32>) -> Result<Self> {
        Ok(Self {
            times: rows.iter().map(|&row| self.times[row as usize]).collect(),
            matched: rows.iter().map(|&row| self.matched[row as usize]).collect(),
            batch: self.batch.take(&UInt32Array::from(rows))?,
        })
    }
}

/// Keeps the rows of both inputs by time.
pub(crate) struct IntervalJoin {
    kind: JoinKind,
    residual: Option<ExprRef>,
    sides: [Side; 2],
    processing_time: bool,
    hold_back_ms: i64,
}

impl IntervalJoin {
    pub(crate) fn new(plan: &IntervalJoinPlan) -> Result<Self> {
        let processing_time = match plan.times {
            [TimeSource::EventTime { .. }, TimeSource::EventTime { .. }] => false,
            [TimeSource::ProcessingTime, TimeSource::ProcessingTime] => true,
            _ => return Err(Error::internal("an interval join over two kinds of time")),
        };
        let (lower, upper) = (plan.lower_ms, plan.upper_ms);
        let width_ms = (upper.saturating_sub(lower) / 2).clamp(WIDTH_MS_MIN, i64::MAX / 4);
        let side = |at: usize, back_ms, ahead_ms, outer| Side {
            key_columns: plan.keys[at].clone(),
            key_types: plan.keys[at].iter().map(|&key| plan.inputs[at][key].clone()).collect(),
            time: plan.times[at],
            types: plan.inputs[at].clone(),
            back_ms,
            ahead_ms,
            outer,
            width_ms,
            buckets: BTreeMap::new(),
            told: BucketsTold::default(),
            partners: PartnersTold::default(),
            early: Vec::new(),
        };
        let left_outer = matches!(plan.kind, JoinKind::Left | JoinKind::Full);
        let right_outer = matches!(plan.kind, JoinKind::Right | JoinKind::Full);
        let lag = upper.max(lower.saturating_neg()).max(0);
        let for_buckets = if left_outer || right_outer { width_ms } else { 0 };
        Ok(Self {
            kind: plan.kind,
            residual: plan.residual.clone(),
            sides: [
                side(0, upper, lower.saturating_neg(), left_outer),
                side(1, lower.saturating_neg(), upper, right_outer),
            ],
            processing_time,
            hold_back_ms: if processing_time { 0 } else { lag.saturating_add(for_buckets) },
        })
    }

    fn absorb(
        &mut self,
        at: usize,
        batch: &Batch,
        passed: Watermark,
        cx: &StepContext,
        output: &mut Vec<Batch>,
    ) -> Result<()> {
        let (mut fresh, without) = self.sides[at].fresh(batch, cx.now_ms)?;
        if let Some(without) = without {
            self.pad(at, &without, output);
        }
        if fresh.batch.is_empty() {
            return Ok(());
        }
        self.ask(at, &mut fresh, cx, output)?;
        if let Some(late) = self.sides[at].keep(fresh, passed)? {
            self.pad(at, &unmatched(&late.batch, &late.matched)?, output);
        }
        Ok(())
    }

    /// Joins new rows of one side with what is kept of the other.
    fn ask(
        &mut self,
        at: usize,
        fresh: &mut Fresh,
        cx: &StepContext,
        output: &mut Vec<Batch>,
    ) -> Result<()> {
        let [left, right] = &mut self.sides;
        let (own, other) = if at == 0 { (left, right) } else { (right, left) };
        let probe = Probe { is_left: at == 0, residual: self.residual.as_ref(), eval: cx.eval() };
        let keys = fresh.batch.project(&own.key_columns);
        let width = own.width_ms;
        for (bucket, rows) in by_bucket(&fresh.times, width) {
            let first = own.from(bucket.saturating_mul(width)).div_euclid(width);
            let last = own.to(last_time(bucket, width)).div_euclid(width);
            if first > last {
                continue;
            }
            let keys = match rows.len() == fresh.times.len() {
                true => keys.clone(),
                false => keys.take(&UInt32Array::from(rows.clone()))?,
            };
            for (&bucket, kept) in other.buckets.range_mut(first..=last) {
                let mut found = |row| other.partners.found(bucket, row, &other.told);
                let mut ids = Vec::new();
                kept.keys.lookup(keys.columns(), keys.rows(), &mut ids)?;
                let mut pairs = Pairs::default();
                for (&row, &id) in rows.iter().zip(&ids).filter(|(_, id)| **id != ABSENT) {
                    let time = fresh.times[row as usize];
                    let (from, to) = (own.from(time), own.to(time));
                    let mut partner = kept.heads[id as usize];
                    while partner != NONE {
                        if (from..=to).contains(&kept.times[partner as usize]) {
                            pairs.push(row as usize, partner);
                        }
                        partner = kept.next[partner as usize];
                    }
                    if pairs.is_full() {
                        let full = std::mem::take(&mut pairs);
                        settle(&probe, fresh, kept, full, &mut found, output)?;
                    }
                }
                settle(&probe, fresh, kept, pairs, &mut found, output)?;
            }
        }
        Ok(())
    }

    fn pad(&self, at: usize, batch: &Batch, output: &mut Vec<Batch>) {
        if self.sides[at].outer && !batch.is_empty() {
            let columns = self.padded(at, batch.columns().to_vec(), batch.rows());
            output.push(Batch::new(columns, batch.rows()));
        }
    }

    fn padded(&self, at: usize, columns: Vec<ArrayRef>, rows: usize) -> Vec<ArrayRef> {
        pad(self.kind, at == 0, columns, &self.sides[1 - at].types, rows)
    }

    /// Frees what has passed; rows of it that never had a partner come out.
    fn expire(&mut self, passed: i64, output: &mut Vec<Batch>) -> Result<()> {
        for at in 0..2 {
            for bucket in self.sides[at].expired(passed)? {
                let alone: Vec<u32> = (0u32..)
                    .zip(&bucket.matched)
                    .filter(|(_, m)| !**m)
                    .map(|(row, _)| row)
                    .collect();
                if !alone.is_empty() {
                    let columns = self.padded(at, bucket.rows.gather(&alone)?, alone.len());
                    output.push(Batch::new(columns, alone.len()));
                }
            }
        }
        Ok(())
    }
}

/// Puts pairs out and notes that both rows had a partner; `found` hears of the kept ones that had none before.
fn settle(
    probe: &Probe<'_>,
    fresh: &mut Fresh,
    bucket: &mut Bucket,
    mut pairs: Pairs,
    found: &mut impl FnMut(u32),
    output: &mut Vec<Batch>,
) -> Result<()> {
    if pairs.rows.is_empty() {
        return Ok(());
    }
    let joined = probe.join(&fresh.batch, &mut pairs, &|rows| bucket.rows.gather(rows))?;
    if joined.is_empty() {
        return Ok(());
    }
    output.push(joined);
    pairs.rows.iter().for_each(|&row| fresh.matched[row as usize] = true);
    if !bucket.matched.is_empty() {
        for &row in &pairs.partners {
            if !std::mem::replace(&mut bucket.matched[row as usize], true) {
                found(row);
            }
        }
    }
    Ok(())
}

impl Operator for IntervalJoin {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let mut output = Vec::new();
        // The clock has passed all times before now; rows of this step are of now.
        let clock = if cx.end_of_input { i64::MAX } else { cx.now_ms - 1 };
        let before = if self.processing_time { None } else { cx.watermark_before };
        for (at, input) in inputs.into_iter().enumerate() {
            for batch in input.batches.into_iter().filter(|batch| !batch.is_empty()) {
                self.absorb(at, &batch, before, cx, &mut output)?;
            }
        }
        let passed = if self.processing_time { Some(clock) } else { cx.watermark };
        if let Some(passed) = passed {
            self.expire(passed, &mut output)?;
        }
        Ok(output)
    }

    fn output_watermark(&self, input: Watermark) -> Watermark {
        match input {
            Some(i64::MAX) => input,
            _ => input.map(|watermark| watermark.saturating_sub(self.hold_back_ms)),
        }
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let [left, right] = &self.sides;
        Ok(Some(vec![left.save(LEFT)?, right.save(RIGHT)?]))
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        let [left, right] = &mut self.sides;
        let mut changes = left.cut(LEFT, whole);
        changes.extend(right.cut(RIGHT, whole));
        Ok(Some(changes))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        let [left, right] = &mut self.sides;
        let changes = left.hand_out(LEFT, rows)?;
        if changes.is_empty() { right.hand_out(RIGHT, rows) } else { Ok(changes) }
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.sides[usize::from(table == RIGHT)].load(rows)
    }

    fn next_timer_ms(&self) -> Option<i64> {
        if !self.processing_time {
            return None;
        }
        let first = |side: &Side| side.buckets.keys().next().map(|&b| side.gone_at(b));
        self.sides.iter().filter_map(first).min().map(|time| time.saturating_add(1))
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        let mut buckets = self.sides.iter_mut().flat_map(|side| side.buckets.values_mut());
        buckets.try_for_each(|bucket| bucket.rows.put_aside(wanted))
    }

    fn state_rows(&self) -> usize {
        let buckets = self.sides.iter().flat_map(|side| side.buckets.values());
        buckets.map(|bucket| bucket.times.len()).sum()
    }

    fn state_bytes(&self) -> usize {
        let buckets = self.sides.iter().flat_map(|side| side.buckets.values());
        buckets.map(Bucket::size_bytes).sum()
    }
}
