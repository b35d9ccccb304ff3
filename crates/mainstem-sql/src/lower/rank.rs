//! Top-N, deduplication, ORDER BY and LIMIT.
//! Invariant: a rank over rows that may be taken back is a changelog, whatever windows or times it goes by, as in Flink;
//! what is sorted at the end of input reads only inputs that end.

use mainstem_engine::plan::{NodeKind, TimeSource};
use mainstem_engine::rank::{RankEmit, RankEnd, RankFunction};

use super::over::order_text;
use super::{Lowering, list};
use crate::catalog::ConnectorCatalog;
use crate::error::{SqlError, SqlResult};
use crate::optimize::bounded::may_not_end;
use crate::rel::{Rel, RelKind, TimeAttribute};
use crate::source::Span;

/// The time that ORDER BY goes by, if its input may not end.
pub(super) fn sort_time(rel: &Rel, connectors: &ConnectorCatalog) -> Option<TimeSource> {
    let RelKind::Sort { input, keys, limit: None } = &rel.kind else { return None };
    let &(column, descending, _) = keys.first()?;
    if descending || !may_not_end(input, connectors) {
        return None;
    }
    Some(match input.fields[column].time? {
        TimeAttribute::Event => TimeSource::EventTime { column },
        TimeAttribute::Processing => TimeSource::ProcessingTime,
    })
}

impl Lowering<'_> {
    pub(super) fn rank(&mut self, rel: &Rel) -> SqlResult<usize> {
        let RelKind::Rank {
            input,
            partition,
            order,
            latest_first,
            function,
            from,
            to,
            with_rank,
            emit,
        } = &rel.kind
        else {
            unreachable!("called for ranks only")
        };
        let node = self.rel(input)?;
        let node = self.exchange(node, partition.clone(), &input.types());
        let changes = self.changelog(node);
        let emit = if changes { RankEmit::Changes } else { emit.clone() };
        // The last of equal rows comes first where only the time of rows that only come counts.
        let latest_first = *latest_first && (!changes || order.is_empty());
        let in_order_of_arrival =
            order.is_empty() && !latest_first && *function == RankFunction::RowNumber;
        let changelog = match emit {
            RankEmit::Changes => changes || !in_order_of_arrival,
            RankEmit::FirstByTime { .. } | RankEmit::Windows { .. } => false,
        };
        let order_text: Vec<String> =
            order.iter().map(|key| order_text(key, &input.fields)).collect();
        let how = match (&emit, latest_first) {
            (RankEmit::FirstByTime { .. }, _) => ", emitted by the watermark",
            (RankEmit::Windows { .. }, true) => ", last of equals first, windows of the input",
            (RankEmit::Windows { .. }, false) => ", windows of the input",
            (RankEmit::Changes, true) => ", last of equals first",
            (RankEmit::Changes, false) => "",
        };
        let to_text = match to {
            RankEnd::Constant(to) => to.to_string(),
            RankEnd::Column(column) => input.fields[*column].name.clone(),
        };
        let name = format!(
            "Rank({} {from}..{to_text}, partition by [{}], order by [{}]{}{how})",
            function.name(),
            partition.iter().map(|&c| input.fields[c].name.as_str()).collect::<Vec<_>>().join(", "),
            if order.is_empty() { "arrival".to_owned() } else { order_text.join(", ") },
            if *with_rank { ", with the rank" } else { "" },
        );
        let kind = NodeKind::Rank {
            partition: partition.clone(),
            order: order.clone(),
            latest_first,
            function: *function,
            from: *from,
            to: *to,
            with_rank: *with_rank,
            emit,
        };
        Ok(self.push(kind, vec![node], name, &rel.types(), changelog))
    }

    pub(super) fn sort(&mut self, rel: &Rel) -> SqlResult<usize> {
        let RelKind::Sort { input, keys, limit } = &rel.kind else {
            unreachable!("called for sorts only")
        };
        let types = rel.types();
        let node = self.rel(input)?;
        let node = self.exchange(node, Vec::new(), &types);
        let columns = list(&keys.iter().map(|k| k.0).collect::<Vec<_>>());
        if let Some(time) = sort_time(rel, self.connectors)
            && !self.changelog(node)
        {
            let keys = match time {
                TimeSource::EventTime { .. } => keys.clone(),
                TimeSource::ProcessingTime => keys[1..].to_vec(),
            };
            let kind = NodeKind::TemporalSort { time, keys };
            return Ok(self.push(
                kind,
                vec![node],
                format!("TemporalSort({columns})"),
                &types,
                false,
            ));
        }
        if may_not_end(input, self.connectors) {
            let message = "ORDER BY over rows without end is supported only by a time attribute first, ascending, or \
                           with LIMIT";
            return Err(SqlError::new(message, Span::default()).with_hint(
                "add LIMIT, order by the time attribute, or sort where the result is read",
            ));
        }
        let kind = NodeKind::Sort { keys: keys.clone(), limit: *limit };
        Ok(self.push(kind, vec![node], format!("Sort({columns})"), &types, false))
    }

    pub(super) fn limit(&mut self, rel: &Rel) -> SqlResult<usize> {
        let RelKind::Limit { input, offset, count } = &rel.kind else {
            unreachable!("called for limits only")
        };
        let types = rel.types();
        let node = self.rel(input)?;
        let changes = self.changelog(node);
        let node = self.exchange(node, Vec::new(), &types);
        if !changes {
            let kind = NodeKind::Limit { offset: *offset, count: *count };
            return Ok(self.push(kind, vec![node], "Limit".to_owned(), &types, false));
        }
        let Some(count) = count else {
            return Err(SqlError::unsupported(
                "OFFSET without LIMIT over a result that changes",
                Span::default(),
            )
            .with_hint("add a LIMIT"));
        };
        let kind = NodeKind::Rank {
            partition: Vec::new(),
            order: Vec::new(),
            latest_first: false,
            function: RankFunction::RowNumber,
            from: offset.saturating_add(1),
            to: RankEnd::Constant(offset.saturating_add(*count)),
            with_rank: false,
            emit: RankEmit::Changes,
        };
        let name = format!("Limit({count} from {offset}, over changing rows)");
        Ok(self.push(kind, vec![node], name, &types, true))
    }
}
