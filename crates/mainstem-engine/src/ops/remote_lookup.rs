//! Joins of a stream with a table outside, which is asked for the keys of each row.
//! Invariant: rows come out in the order in which they came, each as soon as it and all before it are answered; the
//! watermark stays behind rows that wait. Answers come in any order. Nothing waits here: what is to be asked is given
//! out with the step, and what was answered comes in with a later one.

mod entries;
mod saved;

use std::collections::{BTreeMap, VecDeque};

use arrow_array::{ArrayRef, BooleanArray, UInt32Array};
use arrow_schema::DataType as ArrowType;
use arrow_select::take::take;
use mainstem_core::{Batch, Error, Result};

use self::entries::{Entries, NONE, Remember};
use self::saved::Restored;
use super::probe::split_nulls;
use crate::expr::ExprRef;
use crate::lookup::{Answer, CacheSpec, QUESTION_KEYS_MAX, QUESTIONS_MAX};
use crate::operator::{StepContext, Watermark};
use crate::plan::JoinKind;

/// So many joined rows are made at a time.
const PAIRS_MAX: usize = 1 << 16;
/// Batches that are smaller, on average, are put together.
const BATCH_ROWS_MIN: usize = 256;

/// What the plan says of a lookup outside.
#[derive(Debug, Clone)]
pub(crate) struct RemoteLookupPlan {
    pub(crate) kind: JoinKind,
    pub(crate) left_keys: Vec<usize>,
    /// Over the rows of answers.
    pub(crate) filter: Option<ExprRef>,
    /// The same.
    pub(crate) columns: Vec<ExprRef>,
    pub(crate) residual: Option<ExprRef>,
    pub(crate) cache: Option<CacheSpec>,
    /// The columns of input 0.
    pub(crate) left: Vec<ArrowType>,
    /// The types of `columns`.
    pub(crate) right: Vec<ArrowType>,
    /// The input takes rows back.
    pub(crate) changelog: bool,
}

/// Rows of one batch, of which those from `next` on wait.
#[derive(Debug)]
struct Waiting {
    batch: Batch,
    /// By row.
    entries: Vec<u32>,
    next: usize,
    /// The step, counted from 1, in which they came.
    since: u64,
    /// The watermark once all of them are out.
    then: Watermark,
}

/// Asks for keys and keeps rows until they are answered.
#[derive(Debug)]
pub(crate) struct RemoteLookup {
    plan: RemoteLookupPlan,
    entries: Entries,
    waiting: VecDeque<Waiting>,
    waiting_rows: usize,
    /// Entries that no question was about yet.
    unasked: VecDeque<u32>,
    /// By question.
    asked: BTreeMap<u64, Vec<u32>>,
    /// Questions that were open before a restart: entries and their keys.
    again: VecDeque<(Vec<u32>, Batch)>,
    /// Until the first step.
    restored: Option<Restored>,
    questions: u64,
    steps: u64,
    /// The watermark that all rows before it have left behind.
    passed: Watermark,
}

/// Rows, each with a row of an answer, or with none.
#[derive(Debug, Default)]
struct Joined {
    rows: Vec<u32>,
    partners: Vec<Option<u32>>,
}

impl Joined {
    fn push(&mut self, row: u32, partner: Option<u32>) {
        self.rows.push(row);
        self.partners.push(partner);
    }
}

impl RemoteLookup {
    pub(crate) fn new(plan: RemoteLookupPlan) -> Result<Self> {
        if !matches!(plan.kind, JoinKind::Inner | JoinKind::Left) {
            return Err(Error::internal("a lookup join is inner or left"));
        }
        let keys: Vec<_> = plan.left_keys.iter().map(|&key| plan.left[key].clone()).collect();
        let (keys, remember) = match (plan.changelog, plan.cache) {
            (true, _) => (plan.left.clone(), Remember::Live),
            (false, Some(cache)) => (keys, Remember::Cached(cache)),
            (false, None) => (keys, Remember::Unasked),
        };
        Ok(Self {
            entries: Entries::new(&keys, &plan.right, remember)?,
            plan,
            waiting: VecDeque::new(),
            waiting_rows: 0,
            unasked: VecDeque::new(),
            asked: BTreeMap::new(),
            again: VecDeque::new(),
            restored: None,
            questions: 0,
            steps: 0,
            passed: None,
        })
    }

    /// Takes answers and new rows; gives the rows whose turn it is.
    pub(crate) fn step(
        &mut self,
        answers: Vec<Answer>,
        batches: Vec<Batch>,
        cx: &StepContext,
    ) -> Result<Vec<Batch>> {
        self.steps += 1;
        self.restored = None;
        for answer in answers {
            self.learn(answer, cx)?;
        }
        for batch in batches.into_iter().filter(|batch| !batch.is_empty()) {
            let entries = self.entries_of(&batch, cx.now_ms)?;
            self.waiting_rows += batch.rows();
            self.waiting.push_back(Waiting {
                batch,
                entries,
                next: 0,
                since: self.steps,
                then: None,
            });
        }
        let mut output = Vec::new();
        self.emit(cx, &mut output)?;
        match self.waiting.back_mut() {
            Some(last) => last.then = cx.watermark,
            None => self.passed = cx.watermark,
        }
        self.entries.tidy()?;
        let rows: usize = output.iter().map(Batch::rows).sum();
        if output.len() > 1 && rows < output.len() * BATCH_ROWS_MIN {
            output = Batch::concat(&output)?.into_iter().collect();
        }
        Ok(output)
    }

    /// The questions that may be asked now, with their numbers.
    pub(crate) fn ask(&mut self) -> Result<Vec<(u64, Batch)>> {
        let mut questions = Vec::new();
        while self.asked.len() < QUESTIONS_MAX {
            let (entries, keys) = match self.again.pop_front() {
                Some(question) => question,
                None if self.unasked.is_empty() => break,
                None => {
                    let count = self.unasked.len().min(QUESTION_KEYS_MAX);
                    let entries: Vec<u32> = self.unasked.drain(..count).collect();
                    let keys = Batch::new(self.entries.ask(&entries)?, count);
                    (entries, keys)
                }
            };
            let keys = if self.plan.changelog { keys.project(&self.plan.left_keys) } else { keys };
            self.asked.insert(self.questions, entries);
            questions.push((self.questions, keys));
            self.questions += 1;
        }
        Ok(questions)
    }

    /// How far time is for those who read its rows.
    pub(crate) fn output_watermark(&self, input: Watermark) -> Watermark {
        if self.waiting.is_empty() { input } else { self.passed }
    }

    /// Rows that wait for answers.
    pub(crate) fn waiting_rows(&self) -> usize {
        self.waiting_rows
    }

    /// The first step, counted from 1, of which rows wait.
    pub(crate) fn waiting_since(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.since)
    }

    pub(crate) fn state_rows(&self) -> usize {
        self.waiting_rows + self.entries.cached_rows().max(self.entries.len())
    }

    pub(crate) fn state_bytes(&self) -> usize {
        let waiting = self.waiting.iter().map(|w| w.batch.size_bytes() + w.entries.capacity() * 4);
        self.entries.size_bytes() + waiting.sum::<usize>()
    }

    /// The entry each row waits for.
    fn entries_of(&mut self, batch: &Batch, now_ms: i64) -> Result<Vec<u32>> {
        let (with_keys, without) = split_nulls(batch, &self.plan.left_keys)?;
        let keys = match self.plan.changelog {
            true => with_keys,
            false => with_keys.project(&self.plan.left_keys),
        };
        let entries = self.entries.wait(&keys, now_ms, &mut self.unasked)?;
        if without.is_none() {
            return Ok(entries);
        }
        let mut entries = entries.into_iter();
        let keys: Vec<&ArrayRef> = self.plan.left_keys.iter().map(|&k| batch.column(k)).collect();
        let has_key = |row: usize| keys.iter().all(|key| arrow_array::Array::is_valid(key, row));
        let of_row = |row| if has_key(row) { entries.next().unwrap_or(NONE) } else { NONE };
        Ok((0..batch.rows()).map(of_row).collect())
    }

    /// Keeps what is wanted of an answer.
    fn learn(&mut self, answer: Answer, cx: &StepContext) -> Result<()> {
        let Answer { ticket, mut keys, mut rows } = answer;
        let entries = self.asked.remove(&ticket.number);
        let entries = entries.ok_or_else(|| Error::internal("an answer came twice"))?;
        if let Some(filter) = &self.plan.filter
            && !rows.is_empty()
        {
            let mask = filter.eval_filter(&rows, &cx.eval())?;
            keys = kept(&keys, &mask);
            rows = rows.filter(&mask)?;
        }
        if !keys.is_sorted() {
            let mut order: Vec<u32> = (0..keys.len() as u32).collect();
            order.sort_by_key(|&row| keys[row as usize]);
            keys = order.iter().map(|&row| keys[row as usize]).collect();
            rows = rows.take(&UInt32Array::from(order))?;
        }
        let count = rows.rows();
        let column = |expr: &ExprRef| expr.eval(&rows, &cx.eval())?.into_array(count);
        let columns: Vec<ArrayRef> = self.plan.columns.iter().map(column).collect::<Result<_>>()?;
        self.entries.answer(&entries, &keys, &Batch::new(columns, count), cx.now_ms)
    }

    /// Lets out the rows before the first that is not answered.
    fn emit(&mut self, cx: &StepContext, output: &mut Vec<Batch>) -> Result<()> {
        while let Some(front) = self.waiting.front_mut() {
            let rest = &front.entries[front.next..];
            let count = rest.iter().take_while(|&&entry| self.entries.is_known(entry)).count();
            let (batch, entries) = (front.batch.slice(front.next, count), rest[..count].to_vec());
            front.next += count;
            let is_out = front.next == front.entries.len();
            let then = front.then;
            self.join(&batch, &entries, cx, output)?;
            self.waiting_rows -= count;
            self.entries.done(&entries);
            if !is_out {
                break;
            }
            self.passed = self.passed.max(then);
            self.waiting.pop_front();
        }
        Ok(())
    }

    fn join(
        &self,
        batch: &Batch,
        entries: &[u32],
        cx: &StepContext,
        output: &mut Vec<Batch>,
    ) -> Result<()> {
        let mut pairs = Joined::default();
        for (row, &entry) in (0..).zip(entries) {
            let partners = self.entries.rows_of(entry);
            if partners.is_empty() && self.plan.kind == JoinKind::Left {
                pairs.push(row, None);
            }
            partners.for_each(|partner| pairs.push(row, Some(partner)));
            if pairs.rows.len() >= PAIRS_MAX {
                self.settle(batch, std::mem::take(&mut pairs), cx, output)?;
            }
        }
        self.settle(batch, pairs, cx, output)
    }

    /// The joined rows of `pairs`, which hold all partners of their rows.
    fn settle(
        &self,
        batch: &Batch,
        pairs: Joined,
        cx: &StepContext,
        output: &mut Vec<Batch>,
    ) -> Result<()> {
        if pairs.rows.is_empty() {
            return Ok(());
        }
        let Some(residual) = &self.plan.residual else {
            output.push(self.columns(batch, &pairs)?);
            return Ok(());
        };
        // The condition is about rows that have met, and must not fail over others.
        let mut met = Joined::default();
        for (&row, &partner) in pairs.rows.iter().zip(&pairs.partners) {
            if partner.is_some() {
                met.push(row, partner);
            }
        }
        let joined = self.columns(batch, &met)?;
        let mask = residual.eval_filter(&joined, &cx.eval())?;
        if self.plan.kind == JoinKind::Inner {
            output.push(joined.filter(&mask)?);
            return Ok(());
        }
        let mut left = Joined::default();
        let mut accepted = mask.iter();
        for (at, (&row, &partner)) in pairs.rows.iter().zip(&pairs.partners).enumerate() {
            if partner.is_some() && accepted.next().flatten() == Some(true) {
                left.push(row, partner);
            } else if pairs.rows.get(at + 1) != Some(&row) && left.rows.last() != Some(&row) {
                left.push(row, None);
            }
        }
        output.push(self.columns(batch, &left)?);
        Ok(())
    }

    fn columns(&self, batch: &Batch, pairs: &Joined) -> Result<Batch> {
        let every_row_once = pairs.rows.len() == batch.rows()
            && pairs.rows.iter().zip(0..).all(|(&row, at)| row == at);
        let own = match every_row_once {
            true => batch.clone(),
            false => batch.take(&UInt32Array::from(pairs.rows.clone()))?,
        };
        let partners: Vec<u32> = pairs.partners.iter().copied().flatten().collect();
        let mut others = self.entries.gather(&partners)?;
        if partners.len() < pairs.partners.len() {
            let mut next = 0..;
            let places = pairs.partners.iter().map(|partner| partner.and_then(|_| next.next()));
            let places: UInt32Array = places.collect();
            let padded = others.iter().map(|column| Ok(take(column, &places, None)?));
            others = padded.collect::<Result<_>>()?;
        }
        let (rows, weights) = (own.rows(), own.weights().cloned());
        let columns = own.into_columns().into_iter().chain(others).collect();
        Ok(Batch::with_weights(columns, rows, weights))
    }
}

fn kept(keys: &[u32], mask: &BooleanArray) -> Vec<u32> {
    keys.iter().zip(mask).filter(|(_, keep)| *keep == Some(true)).map(|(key, _)| *key).collect()
}
