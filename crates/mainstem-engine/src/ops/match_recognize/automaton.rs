//! The pattern as an automaton, state by state as Flink's compiler makes it.
//! Invariant: a state has at most one edge that takes no row, so the states that a row can be offered to from one
//! state form a chain. State 0 is the end; state numbers fall towards it.

use crate::match_recognize::MatchVariable;

/// The state in which a match is complete.
pub(super) const FINAL: u16 = 0;

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    /// Takes the row for this state's variable, if it satisfies its condition; otherwise takes no row.
    pub(super) takes: bool,
    /// Where to.
    pub(super) target: u16,
    /// Greedy variables before it that must refuse the row.
    pub(super) unless: Vec<u16>,
}

/// A state of the pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The variable that takes a row here.
    pub(super) variable: u16,
    /// In Flink's order.
    pub(super) edges: Vec<Edge>,
    /// The variables whose conditions decide what happens to a row in this state.
    pub(super) asks: Vec<u16>,
}

#[derive(Debug, Clone)]
pub(super) struct Automaton {
    pub(super) states: Vec<State>,
    /// Where every row may start a match.
    pub(super) start: u16,
    width: usize,
}

/// What happens to one run when a row comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    /// The state it is in then.
    pub(super) state: u16,
    /// The variable that took the row.
    pub(super) variable: u16,
}

impl Automaton {
    pub(super) fn new(variables: &[MatchVariable]) -> Self {
        let mut this =
            Self { states: vec![State::default()], start: FINAL, width: variables.len() };
        let mut sink = FINAL;
        for (variable, v) in variables.iter().enumerate().rev() {
            let variable = variable as u16;
            let q = v.quantifier;
            let optional = q.min == 0;
            let (mut state, from) = match q.max {
                None => (this.looping(variable, sink), q.min.max(1)),
                Some(max) => {
                    let from = q.min.max(1);
                    if q.keeps_rows() && from != max {
                        this.refuse(sink, variable);
                    }
                    let more =
                        (from..max).fold(sink, |to, _| this.single(variable, to, Some(sink)));
                    (more, from)
                }
            };
            if q.max.is_none() && q.keeps_rows() {
                this.refuse(sink, variable);
            }
            state = (1..from).fold(state, |to, _| this.single(variable, to, None));
            sink = this.single(variable, state, optional.then_some(sink));
        }
        this.start = sink;
        for state in 0..this.states.len() as u16 {
            let mut asks = Vec::new();
            this.collect_asks(state, true, &mut asks);
            asks.sort_unstable();
            asks.dedup();
            this.states[usize::from(state)].asks = asks;
        }
        this
    }

    /// How many variables there are.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// A state that takes a row and goes on to `to`, or goes to `without` and takes none.
    fn single(&mut self, variable: u16, to: u16, without: Option<u16>) -> u16 {
        let edge = |takes, target| Edge { takes, target, unless: Vec::new() };
        let edges = std::iter::once(edge(true, to)).chain(without.map(|to| edge(false, to)));
        self.states.push(State { variable, edges: edges.collect(), asks: Vec::new() });
        (self.states.len() - 1) as u16
    }

    /// A state that takes rows and stays.
    fn looping(&mut self, variable: u16, sink: u16) -> u16 {
        let own = self.states.len() as u16;
        let edge = |takes, target| Edge { takes, target, unless: Vec::new() };
        let edges = vec![edge(false, sink), edge(true, own)];
        self.states.push(State { variable, edges, asks: Vec::new() });
        own
    }

    /// What a greedy variable would take passes no edge of the state behind it.
    fn refuse(&mut self, state: u16, variable: u16) {
        for edge in &mut self.states[usize::from(state)].edges {
            edge.unless.push(variable);
        }
    }

    fn collect_asks(&self, state: u16, follow: bool, asks: &mut Vec<u16>) {
        let state = &self.states[usize::from(state)];
        for edge in &state.edges {
            if edge.takes {
                if follow {
                    asks.extend(&edge.unless);
                    asks.push(state.variable);
                    self.collect_asks(edge.target, false, asks);
                }
            } else {
                asks.extend(&edge.unless);
                self.collect_asks(edge.target, follow, asks);
            }
        }
    }

    /// Calls `next` for everything a run in `state` becomes by a row, in Flink's order; `holds` tells whether the row
    /// satisfies the condition of a variable.
    pub(super) fn advance(
        &self,
        state: u16,
        holds: &dyn Fn(u16) -> bool,
        next: &mut dyn FnMut(Next),
    ) {
        let passes = |edge: &Edge| edge.unless.iter().all(|&greedy| !holds(greedy));
        let mut at = Some(state);
        while let Some(current) = at.take() {
            let state = &self.states[usize::from(current)];
            for edge in &state.edges {
                let ok = (!edge.takes || holds(state.variable)) && passes(edge);
                match (ok, edge.takes) {
                    (false, _) => {}
                    (true, false) => at = Some(edge.target),
                    (true, true) => {
                        next(Next { state: edge.target, variable: state.variable });
                        if edge.target != FINAL && self.may_end(edge.target, &passes) {
                            next(Next { state: FINAL, variable: state.variable });
                        }
                    }
                }
            }
        }
    }

    /// True if the end can be reached without another row.
    fn may_end(&self, state: u16, passes: &dyn Fn(&Edge) -> bool) -> bool {
        let mut at = state;
        while at != FINAL {
            let edges = &self.states[usize::from(at)].edges;
            match edges.iter().find(|edge| !edge.takes && passes(edge)) {
                Some(edge) => at = edge.target,
                None => return false,
            }
        }
        true
    }
}
