//! The calls of an OVER node sorted by how they are computed in the order of time.
//! Invariant: calls over equal frames share one frame; every column that a bounded frame reads is kept once.

use mainstem_core::{Error, Result};

use super::OverPlan;
use super::frame_rows::{FrameRows, NONE};
use super::script::FramedCalls;
use crate::aggregate::{AggregateCall, first_value, last_value};
use crate::over::{Frame, OverFunction};
use crate::plan::TimeSource;

/// FIRST_VALUE and LAST_VALUE calls of bounded frames that one node can have.
const EDGES_MAX: usize = 64;

/// A bounded frame that ends at the current row, and the aggregates over it.
pub(super) struct RowsFrame {
    /// How many rows it has; `None` for RANGE.
    pub(super) rows: Option<u32>,
    /// How far RANGE reaches back.
    pub(super) reach_ms: i64,
    /// Their columns are those that are kept.
    pub(super) calls: FramedCalls,
    has_calls: bool,
}

impl RowsFrame {
    pub(super) fn enter(&mut self, partition: u32) {
        self.calls.script.group(partition);
    }

    pub(super) fn comes(&mut self, row: u32) {
        if self.has_calls {
            self.calls.script.add(row);
        }
    }

    pub(super) fn leaves(&mut self, row: u32) {
        if self.has_calls {
            self.calls.script.take_back(row);
        }
    }

    pub(super) fn read(&mut self) {
        if self.has_calls {
            self.calls.script.mark();
        }
    }
}

/// Aggregates from the partition's start to the current row.
pub(super) struct RunningFrame {
    /// ROWS: each row has its own result.
    pub(super) rows: bool,
    /// The input columns that its calls read.
    pub(super) columns: Vec<usize>,
    pub(super) calls: FramedCalls,
}

/// A call that is the value of another row.
pub(super) struct Pick {
    pub(super) kind: PickKind,
    /// Among the kept columns.
    pub(super) column: usize,
    /// Its frame.
    pub(super) frame: usize,
    /// By row of the step: where its value is.
    pub(super) found: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum PickKind {
    Edge { edge: usize, last: bool, ignore_nulls: bool, filter: Option<usize> },
    Shift { default: Option<usize> },
}

impl Pick {
    pub(super) fn read(&mut self, store: &FrameRows, partition: u32, limit: Option<u32>) {
        self.found.push(match self.kind {
            PickKind::Edge { edge, .. } => store.found(partition, edge),
            PickKind::Shift { .. } => {
                let full = Some(store.length(partition, self.frame)) == limit;
                let first = store.first(partition, self.frame).filter(|_| full);
                first.map_or(NONE, |(row, _)| row)
            }
        });
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum RankKind {
    RowNumber,
    Rank,
    DenseRank,
}

/// Where the column of a call comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Output {
    Framed { frame: usize, call: usize },
    Running { frame: usize, call: usize },
    Pick(usize),
    Rank(usize),
}

pub(super) struct Layout {
    pub(super) frames: Vec<RowsFrame>,
    pub(super) running: Vec<RunningFrame>,
    pub(super) picks: Vec<Pick>,
    /// With their values for the rows of the step.
    pub(super) ranks: Vec<(RankKind, Vec<i64>)>,
    pub(super) outputs: Vec<Output>,
    /// The input columns that bounded frames keep.
    pub(super) kept: Vec<usize>,
    /// How long a row matters, if RANGE bounds every call.
    pub(super) reach_ms: Option<i64>,
    /// Every frame is bounded: what is late is decided partition by partition.
    pub(super) late_by_partition: bool,
}

impl Layout {
    pub(super) fn new(plan: &OverPlan, time: TimeSource) -> Result<Self> {
        let mut builder = Builder::default();
        let outputs = plan
            .calls
            .iter()
            .map(|call| builder.place(plan, time, &call.function))
            .collect::<Result<Vec<_>>>()?;
        let Builder { frames, running, picks, ranks, kept, edges } = builder;
        if edges > EDGES_MAX {
            return Err(Error::user(format!(
                "more than {EDGES_MAX} FIRST_VALUE and LAST_VALUE calls over one window"
            ))
            .with_hint("spread them over several queries"));
        }
        let shifts = picks.iter().any(|p| matches!(p.kind, PickKind::Shift { .. }));
        let sliding = running.is_empty() && ranks.is_empty() && !shifts;
        let ranges = sliding && frames.iter().all(|(spec, _)| spec.0.is_none());
        let reach_ms = frames.iter().map(|(spec, _)| spec.1).max().filter(|_| ranges);
        let frames = frames
            .into_iter()
            .map(|((rows, reach_ms), calls)| RowsFrame {
                rows,
                reach_ms,
                has_calls: !calls.is_empty(),
                calls: FramedCalls::new(calls, true),
            })
            .collect();
        let running = running
            .into_iter()
            .map(|(rows, mut calls)| {
                let mut columns = Vec::new();
                for column in calls.iter_mut().flat_map(columns_of) {
                    *column = place(&mut columns, *column);
                }
                RunningFrame { rows, columns, calls: FramedCalls::new(calls, false) }
            })
            .collect();
        let event_time = matches!(time, TimeSource::EventTime { .. });
        let late_by_partition = event_time && sliding;
        let ranks = ranks.into_iter().map(|kind| (kind, Vec::new())).collect();
        Ok(Self { frames, running, picks, ranks, outputs, kept, reach_ms, late_by_partition })
    }

    /// By edge call: its frame and whether it is LAST_VALUE.
    pub(super) fn edges(&self) -> Vec<(usize, bool)> {
        let edge = |pick: &Pick| match pick.kind {
            PickKind::Edge { last, .. } => Some((pick.frame, last)),
            PickKind::Shift { .. } => None,
        };
        self.picks.iter().filter_map(edge).collect()
    }

    pub(super) fn size_bytes(&self) -> usize {
        let frames = self.frames.iter().map(|f| f.calls.size_bytes()).sum::<usize>();
        frames + self.running.iter().map(|f| f.calls.size_bytes()).sum::<usize>()
    }
}

#[derive(Default)]
struct Builder {
    /// Rows and reach, calls.
    frames: Vec<((Option<u32>, i64), Vec<AggregateCall>)>,
    running: Vec<(bool, Vec<AggregateCall>)>,
    picks: Vec<Pick>,
    ranks: Vec<RankKind>,
    kept: Vec<usize>,
    edges: usize,
}

impl Builder {
    fn place(
        &mut self,
        plan: &OverPlan,
        time: TimeSource,
        function: &OverFunction,
    ) -> Result<Output> {
        Ok(match function {
            OverFunction::RowNumber => self.rank(RankKind::RowNumber),
            OverFunction::Rank => self.rank(RankKind::Rank),
            OverFunction::DenseRank => self.rank(RankKind::DenseRank),
            OverFunction::Shift { column, rows, default } if *rows <= 0 => {
                let frame = self.frame(Frame { rows: true, start: Some(*rows), end: Some(0) });
                let kind = PickKind::Shift { default: *default };
                self.pick(kind, *column, frame)
            }
            OverFunction::Edge { column, last, ignore_nulls, filter, frame } => {
                check(frame)?;
                if frame.start.is_some() {
                    let edge = self.edges;
                    self.edges += 1;
                    let (last, ignore_nulls, filter) = (*last, *ignore_nulls, *filter);
                    let kind = PickKind::Edge { edge, last, ignore_nulls, filter };
                    let frame = self.frame(*frame);
                    return Ok(self.pick(kind, *column, frame));
                }
                let input = &plan.input[*column];
                let makes = if *last { last_value } else { first_value };
                let function = makes(input, !ignore_nulls);
                let function = function.ok_or_else(|| {
                    Error::user("FIRST_VALUE or LAST_VALUE of a type that cannot be kept")
                })?;
                let (args, filter) = (vec![*column], *filter);
                let call = AggregateCall { function, args, filter, distinct: false };
                self.running(*frame, time, call)
            }
            OverFunction::Aggregate { call, frame } => {
                check(frame)?;
                if frame.start.is_none() {
                    return Ok(self.running(*frame, time, call.clone()));
                }
                let mut call = call.clone();
                for column in columns_of(&mut call) {
                    *column = place(&mut self.kept, *column);
                }
                let frame = self.frame(*frame);
                self.frames[frame].1.push(call);
                Output::Framed { frame, call: self.frames[frame].1.len() - 1 }
            }
            other => {
                return Err(Error::internal(format!("{} in the order of time", other.name())));
            }
        })
    }

    fn rank(&mut self, kind: RankKind) -> Output {
        self.ranks.push(kind);
        Output::Rank(self.ranks.len() - 1)
    }

    fn pick(&mut self, kind: PickKind, column: usize, frame: usize) -> Output {
        let column = place(&mut self.kept, column);
        self.picks.push(Pick { kind, column, frame, found: Vec::new() });
        Output::Pick(self.picks.len() - 1)
    }

    /// A bounded frame that ends at the current row.
    fn frame(&mut self, frame: Frame) -> usize {
        let reach = frame.start.unwrap_or(0).saturating_neg();
        let spec = if frame.rows {
            (Some(u32::try_from(reach).unwrap_or(u32::MAX - 1) + 1), 0)
        } else {
            (None, reach)
        };
        let known = self.frames.iter().position(|(s, _)| *s == spec);
        known.unwrap_or_else(|| {
            self.frames.push((spec, Vec::new()));
            self.frames.len() - 1
        })
    }

    /// In processing time, each row comes at its own time, so RANGE is ROWS.
    fn running(&mut self, frame: Frame, time: TimeSource, call: AggregateCall) -> Output {
        let rows = frame.rows || time == TimeSource::ProcessingTime;
        let known = self.running.iter().position(|(r, _)| *r == rows);
        let frame = known.unwrap_or_else(|| {
            self.running.push((rows, Vec::new()));
            self.running.len() - 1
        });
        self.running[frame].1.push(call);
        Output::Running { frame, call: self.running[frame].1.len() - 1 }
    }
}

fn check(frame: &Frame) -> Result<()> {
    if frame.end == Some(0) {
        return Ok(());
    }
    Err(Error::internal("a frame that does not end at the current row, in the order of time"))
}

fn columns_of(call: &mut AggregateCall) -> impl Iterator<Item = &mut usize> {
    call.args.iter_mut().chain(&mut call.filter)
}

/// Where `column` stands in `columns`, which it is added to if it is not there.
fn place(columns: &mut Vec<usize>, column: usize) -> usize {
    columns.iter().position(|c| *c == column).unwrap_or_else(|| {
        columns.push(column);
        columns.len() - 1
    })
}
