//! Top-N and deduplication: of each partition, the rows whose rank is wanted.
//! Invariant: what comes out, added up, does not depend on which of the operators here was chosen for a plan.
//! The special cases keep less than the general one: see each file.

mod arrival;
mod best;
mod contenders;
mod first_by_time;
mod order;
mod ordered;
mod partitions;
mod store;
mod top;
mod windowed;

pub(crate) use contenders::Contenders;

use arrow_schema::DataType as ArrowType;
use mainstem_core::{Error, Result};

use crate::operator::Operator;
use crate::rank::{RankEmit, RankEnd, RankFunction};

/// What the plan says of a rank.
#[derive(Debug, Clone)]
pub(crate) struct RankPlan {
    pub(crate) partition: Vec<usize>,
    pub(crate) order: Vec<(usize, bool, bool)>,
    pub(crate) latest_first: bool,
    pub(crate) function: RankFunction,
    pub(crate) from: u64,
    pub(crate) to: RankEnd,
    pub(crate) with_rank: bool,
    pub(crate) emit: RankEmit,
    pub(crate) input: Vec<ArrowType>,
    /// The input's rows may be taken back.
    pub(crate) changelog: bool,
    /// Only the new row of each rank is wanted, or the old one if there is no new one: where one row a partition is kept of
    /// append-only input, and where ranks are numbers that come out.
    pub(crate) upserts: bool,
    /// For the one row a partition that is kept of append-only input.
    pub(crate) ttl_ms: Option<i64>,
}

impl RankPlan {
    /// The first rank that is wanted, at least 1.
    fn first_rank(&self) -> usize {
        usize::try_from(self.from.max(1)).unwrap_or(usize::MAX)
    }

    /// The operator for it.
    pub(crate) fn operator(&self) -> Result<Box<dyn Operator>> {
        if self.changelog && !matches!(self.emit, RankEmit::Changes) {
            return Err(Error::internal(
                "a rank that is emitted once over rows that may be taken back",
            ));
        }
        let numbers = self.function == RankFunction::RowNumber && !self.changelog;
        Ok(match (&self.emit, self.to) {
            (RankEmit::Windows { end, processing_time, zone }, _) => {
                Box::new(windowed::Windowed::new(self, *end, *processing_time, zone.clone())?)
            }
            (RankEmit::FirstByTime { time }, _) => {
                Box::new(first_by_time::FirstByTime::new(self, *time)?)
            }
            (RankEmit::Changes, RankEnd::Constant(to))
                if numbers && self.order.is_empty() && !self.latest_first =>
            {
                Box::new(arrival::Arrival::new(self, to)?)
            }
            (RankEmit::Changes, RankEnd::Constant(1)) if numbers && self.first_rank() == 1 => {
                Box::new(best::Best::new(self)?)
            }
            (RankEmit::Changes, _) => Box::new(top::Top::new(self)?),
        })
    }
}
