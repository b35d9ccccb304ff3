//! All that the runs of a pass may become, worked out generation by generation.
//! Invariant: what becomes of a run by its next row depends on the run alone; so the runs of all keys and all rows
//! that may start one are advanced together, and each condition is evaluated once a generation over a whole column.
//! Which of the runs live that long is decided afterwards, by `matcher`; an error counts only if one of them meets it.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use mainstem_core::{Error, Result};

use super::super::rows::Rows;
use super::automaton::{Automaton, FINAL, Next};
use super::queue::Queue;
use super::running::Running;
use super::slots::{Held, UNSET, View, evaluate};
use crate::expr::EvalContext;
use crate::match_recognize::{MatchExpr, MatchSpec, Slot};

/// No variable.
pub(super) const NOBODY: u16 = u16::MAX;

/// The rows and runs of one key in one pass.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// The key's id.
    pub(super) key: u32,
    /// Those kept, then the new ones.
    pub(super) rows: Vec<Held>,
    /// The position of the first new row.
    pub(super) first_new: u32,
    /// The node of a run that starts with the first new row; the next row's is behind it.
    pub(super) start_node: u32,
    pub(super) partial: Queue,
    pub(super) done: Queue,
    /// No more rows of this key in the step.
    pub(super) is_last: bool,
}

/// A run that has taken all rows up to `next`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    item: u32,
    pub(super) state: u16,
    /// The variable that took the row before `next`.
    pub(super) made_by: u16,
    /// The group of that variable's aggregates, if it has any.
    pub(super) group: u32,
    children: u16,
    /// The position of the row that comes next.
    pub(super) next: u32,
    first_child: u32,
    /// Which of `errors` it meets there.
    error: u32,
}

impl Node {
    /// True if the variable took the row before `next`.
    fn is_by(&self, variable: usize) -> bool {
        usize::from(self.made_by) == variable
    }
}

#[derive(Debug)]
pub(super) struct Arena {
    width: usize,
    nodes: Vec<Node>,
    begins: Vec<u32>,
    errors: Vec<Option<Error>>,
    /// By variable, for conditions over the row alone: the answer for every new row.
    by_row: Vec<Option<BooleanArray>>,
}

/// What a pass needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) spec: &'a MatchSpec,
    pub(super) automaton: &'a Automaton,
    pub(super) store: &'a Rows,
    pub(super) cx: &'a EvalContext,
}

impl Arena {
    pub(super) fn new(width: usize) -> Self {
        let (nodes, begins, errors) = (Vec::new(), Vec::new(), Vec::new());
        Self { width, nodes, begins, errors, by_row: Vec::new() }
    }

    pub(super) fn node(&self, node: u32) -> Node {
        self.nodes[node as usize]
    }

    pub(super) fn begins(&self, node: u32) -> &[u32] {
        &self.begins[node as usize * self.width..][..self.width]
    }

    /// What the run becomes by its next row.
    pub(super) fn children(&mut self, node: u32) -> Result<std::ops::Range<u32>> {
        let node = self.node(node);
        match self.errors.get_mut(node.error as usize).and_then(Option::take) {
            Some(error) => Err(error),
            None => Ok(node.first_child..node.first_child + u32::from(node.children)),
        }
    }

    pub(super) fn add(&mut self, item: u32, state: u16, next: u32, begins: &[u32]) -> u32 {
        self.nodes.push(Node {
            item,
            state,
            made_by: NOBODY,
            group: UNSET,
            children: 0,
            next,
            first_child: 0,
            error: UNSET,
        });
        self.begins.extend_from_slice(begins);
        (self.nodes.len() - 1) as u32
    }

    /// A run of the step before goes on with the group that it had.
    pub(super) fn set_group(&mut self, node: u32, made_by: u16, group: u32) {
        let node = &mut self.nodes[node as usize];
        (node.made_by, node.group) = (made_by, group);
    }

    /// A run for every new row that starts with it. The first nodes of all.
    pub(super) fn add_starts(&mut self, items: &mut [Item], automaton: &Automaton) {
        let begins = vec![UNSET; self.width];
        for (index, item) in items.iter_mut().enumerate() {
            item.start_node = self.nodes.len() as u32;
            for position in item.first_new..item.rows.len() as u32 {
                self.add(index as u32, automaton.start, position, &begins);
            }
        }
    }

    /// Works out the children of all nodes there are, and theirs.
    pub(super) fn grow(&mut self, items: &[Item], running: &mut Running, around: &Around<'_>) {
        let new_rows: usize = items.iter().map(|i| i.rows.len() - i.first_new as usize).sum();
        self.answer_by_row(items, new_rows, around);
        let mut frontier: Vec<u32> = (0..self.nodes.len() as u32).collect();
        loop {
            frontier.retain(|&node| self.is_open(node, items, around.spec.within_ms));
            if frontier.is_empty() {
                return;
            }
            let (answers, groups) = self.answers(&frontier, items, running, around);
            let first = self.nodes.len() as u32;
            for (at, &node) in frontier.iter().enumerate() {
                let own = at * self.width..(at + 1) * self.width;
                let answers = &answers[own.clone()];
                self.advance(node, answers, groups.get(own), around.automaton);
            }
            frontier = (first..self.nodes.len() as u32).collect();
        }
    }

    /// True if there is a row for the run to take.
    fn is_open(&self, node: u32, items: &[Item], within_ms: Option<i64>) -> bool {
        let (begin, node) = (self.begins(node)[0], self.node(node));
        let rows = &items[node.item as usize].rows;
        let Some(row) = rows.get(node.next as usize).filter(|_| node.state != FINAL) else {
            return false;
        };
        let in_time = |within: i64| row.time.saturating_sub(rows[begin as usize].time) < within;
        begin == UNSET || within_ms.is_none_or(in_time)
    }

    fn view<'a>(&'a self, node: u32, asked: u16, items: &'a [Item]) -> View<'a> {
        let of = self.node(node);
        View {
            rows: &items[of.item as usize].rows,
            begins: self.begins(node),
            at: of.next,
            asked: Some(asked),
            time: 0,
        }
    }

    /// Evaluates the conditions over the row alone for every new row. One that fails for some row is evaluated again
    /// where it is asked for.
    fn answer_by_row(&mut self, items: &[Item], new_rows: usize, around: &Around<'_>) {
        let only_current =
            |e: &MatchExpr| e.slots.iter().all(|slot| matches!(slot, Slot::Current(_)));
        self.by_row = (around.spec.variables.iter().enumerate())
            .map(|(variable, v)| {
                let condition = v.condition.as_ref().filter(|e| only_current(e))?;
                let views: Vec<View<'_>> =
                    (0..new_rows as u32).map(|n| self.view(n, variable as u16, items)).collect();
                truth(condition, &views, &[], around).ok()
            })
            .collect();
    }

    /// For each node of the frontier and each variable that its state asks: does its next row satisfy the condition?
    /// And the groups of aggregates, with that row; empty if there are none.
    fn answers(
        &mut self,
        frontier: &[u32],
        items: &[Item],
        running: &mut Running,
        around: &Around<'_>,
    ) -> (Vec<bool>, Vec<u32>) {
        let mut answers = vec![false; frontier.len() * self.width];
        let mut handed_on = Vec::new();
        for (variable, v) in around.spec.variables.iter().enumerate() {
            let asks = |node: &u32| {
                let state = &around.automaton.states[usize::from(self.node(*node).state)];
                state.asks.contains(&(variable as u16))
            };
            let asking: Vec<usize> =
                (0..frontier.len()).filter(|&at| asks(&frontier[at])).collect();
            let Some(condition) = v.condition.as_ref().filter(|_| !asking.is_empty()) else {
                asking.iter().for_each(|at| answers[at * self.width + variable] = true);
                continue;
            };
            if let Some(by_row) = &self.by_row[variable] {
                for at in asking {
                    let node = self.node(frontier[at]);
                    let item = &items[node.item as usize];
                    let row = item.start_node + (node.next - item.first_new);
                    answers[at * self.width + variable] = by_row.value(row as usize);
                }
                continue;
            }
            let views: Vec<View<'_>> =
                asking.iter().map(|&at| self.view(frontier[at], variable as u16, items)).collect();
            let mut groups = Vec::new();
            let given = if running.has_groups(variable as u16) {
                let own = |&at: &usize| Some(self.node(frontier[at])).filter(|n| n.is_by(variable));
                groups.extend(asking.iter().map(|at| own(at).map_or(UNSET, |node| node.group)));
                running.values(variable as u16, &views, &mut groups, around.store)
            } else {
                Ok(Vec::new())
            };
            match given.and_then(|given| truth(condition, &views, &given, around)) {
                Ok(values) => {
                    if !groups.is_empty() {
                        handed_on.resize(answers.len(), UNSET);
                    }
                    for (index, at) in asking.into_iter().enumerate() {
                        answers[at * self.width + variable] = values.value(index);
                        if let Some(&group) = groups.get(index) {
                            handed_on[at * self.width + variable] = group;
                        }
                    }
                }
                Err(_) => {
                    let one_by_one: Vec<Result<bool>> = views
                        .chunks(1)
                        .map(|view| truth(condition, view, &[], around).map(|v| v.value(0)))
                        .collect();
                    for (at, answer) in asking.into_iter().zip(one_by_one) {
                        match answer {
                            Ok(answer) => answers[at * self.width + variable] = answer,
                            Err(error) => {
                                self.nodes[frontier[at] as usize].error = self.errors.len() as u32;
                                self.errors.push(Some(error));
                            }
                        }
                    }
                }
            }
        }
        (answers, handed_on)
    }

    fn advance(
        &mut self,
        node: u32,
        answers: &[bool],
        groups: Option<&[u32]>,
        automaton: &Automaton,
    ) {
        let of = self.node(node);
        let first_child = self.nodes.len() as u32;
        let holds = |variable: u16| answers[usize::from(variable)];
        automaton.advance(of.state, &holds, &mut |Next { state, variable }| {
            let from = node as usize * self.width;
            self.begins.extend_from_within(from..from + self.width);
            let own = self.begins.len() - self.width;
            for begin in &mut self.begins[own..=own + usize::from(variable)] {
                if *begin == UNSET {
                    *begin = of.next;
                }
            }
            let group = groups.map_or(UNSET, |groups| groups[usize::from(variable)]);
            let (made_by, next) = (variable, of.next + 1);
            self.nodes.push(Node { state, made_by, group, next, children: 0, ..of });
        });
        let children = (self.nodes.len() as u32 - first_child) as u16;
        let of = &mut self.nodes[node as usize];
        (of.first_child, of.children) = (first_child, children);
    }
}

fn truth(
    condition: &MatchExpr,
    views: &[View<'_>],
    given: &[(usize, ArrayRef)],
    around: &Around<'_>,
) -> Result<BooleanArray> {
    let values = evaluate(condition, views, given, around.store, around.cx)?;
    let values = values
        .as_boolean_opt()
        .ok_or_else(|| Error::internal("a condition of DEFINE is not boolean"))?;
    // NULL is not true.
    Ok(match values.nulls() {
        None => values.clone(),
        Some(nulls) => BooleanArray::new(values.values() & nulls.inner(), None),
    })
}
