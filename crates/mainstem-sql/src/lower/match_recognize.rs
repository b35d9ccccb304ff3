//! MATCH_RECOGNIZE to plan nodes: rows of a key on one worker, then the pattern over them.
//! Invariant: the exchange goes by PARTITION BY; without it there is one worker.

use std::sync::Arc;

use mainstem_engine::match_recognize::{AfterMatch, MatchSpec, MatchVariable};
use mainstem_engine::plan::{NodeKind, TimeSource};

use super::Lowering;
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

impl Lowering<'_> {
    pub(super) fn match_recognize(&mut self, rel: &Rel) -> SqlResult<usize> {
        let RelKind::MatchRecognize { input, spec } = &rel.kind else {
            unreachable!("called for MATCH_RECOGNIZE only")
        };
        let node = self.rel(input)?;
        if self.changelog(node) {
            return Err(SqlError::new(
                "MATCH_RECOGNIZE takes rows that only come, its input changes rows",
                Span::default(),
            )
            .with_hint("match over the table itself, or over a window aggregation"));
        }
        let node = self.exchange(node, spec.keys.clone(), &input.types());
        let name = format!("MatchRecognize({})", text(spec, &input.fields, &rel.fields));
        let kind = NodeKind::MatchRecognize(Arc::clone(spec));
        Ok(self.push(kind, vec![node], name, &rel.types(), false))
    }
}

/// What EXPLAIN shows.
fn text(spec: &MatchSpec, input: &[RelField], output: &[RelField]) -> String {
    let list = |names: Vec<String>| names.join(", ");
    let mut parts = Vec::new();
    if !spec.keys.is_empty() {
        let keys = spec.keys.iter().map(|&k| input[k].name.clone()).collect();
        parts.push(format!("partition by [{}]", list(keys)));
    }
    let mut order = vec![match spec.time {
        TimeSource::EventTime { column } => input[column].name.clone(),
        TimeSource::ProcessingTime => "processing time".to_owned(),
    }];
    order.extend(spec.order.iter().map(|&(column, descending, _)| {
        format!("{}{}", input[column].name, if descending { " DESC" } else { "" })
    }));
    parts.push(format!("order by [{}]", list(order)));
    let pattern: Vec<String> = spec.variables.iter().map(variable).collect();
    parts.push(format!("pattern [{}]", pattern.join(" ")));
    let defined = spec.variables.iter().filter(|v| v.condition.is_some());
    parts.push(format!("define [{}]", list(defined.map(|v| v.name.clone()).collect())));
    if let Some(within) = spec.within_ms {
        parts.push(format!("within [{within} ms]"));
    }
    let name = |variable: usize| &spec.variables[variable].name;
    parts.push(match spec.skip {
        AfterMatch::PastLastRow => "skip past last row".to_owned(),
        AfterMatch::NextRow => "skip to next row".to_owned(),
        AfterMatch::ToFirst(variable) => format!("skip to first {}", name(variable)),
        AfterMatch::ToLast(variable) => format!("skip to last {}", name(variable)),
    });
    let measures = output[spec.keys.len()..].iter().map(|f| f.name.clone()).collect();
    parts.push(format!("measures [{}]", list(measures)));
    parts.join(", ")
}

/// A variable with its quantifier, as written.
fn variable(variable: &MatchVariable) -> String {
    let q = variable.quantifier;
    let repeat = match (q.min, q.max) {
        (1, Some(1)) => return variable.name.clone(),
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (0, Some(1)) => "?".to_owned(),
        (min, None) => format!("{{{min},}}"),
        (min, Some(max)) if min == max => format!("{{{min}}}"),
        (min, Some(max)) => format!("{{{min},{max}}}"),
    };
    format!("{}{repeat}{}", variable.name, if q.greedy { "" } else { "?" })
}
