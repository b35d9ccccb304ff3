//! Random MATCH_RECOGNIZE over a single table.
//! Invariant: rows have an order without ties, and the last variable takes one row, as Flink demands of greedy ones.

use super::expression::Expressions;
use super::query::{Maker, Relation};
use super::table::{Column, Type};

const VARIABLES: [&str; 4] = ["A", "B", "C", "D"];
const QUANTIFIERS: [&str; 9] = ["", "", "+", "*", "?", "{2}", "{1,2}", "+?", "*?"];

impl Maker<'_> {
    /// A table, matched.
    pub(super) fn pattern(&mut self) -> Relation {
        let table = self.stream();
        let count = 2 + self.random.below(3);
        let variables = &VARIABLES[..count];
        let (mut pattern, mut define, mut measures) = (Vec::new(), Vec::new(), Vec::new());
        let mut columns = Vec::new();
        for (index, variable) in variables.iter().enumerate() {
            let last = index + 1 == count;
            let quantifier = if last { "" } else { *self.random.pick(&QUANTIFIERS) };
            pattern.push(format!("{variable}{quantifier}"));
            if index > 0 || self.random.chance(50) {
                define
                    .push(format!("{variable} AS {}", self.condition_of(&table, variables, index)));
            }
            let (call, ty) = match self.random.below(4) {
                0 => (format!("COUNT({variable}.id)"), Type::BigInt),
                1 => (format!("FIRST({variable}.id)"), Type::Int),
                2 => (format!("SUM({variable}.id)"), Type::Int),
                _ => (format!("LAST({variable}.id)"), Type::Int),
            };
            let name = self.fresh();
            measures.push(format!("{call} AS {name}"));
            columns.push(Column::new(name, ty));
        }
        if define.is_empty() {
            define.push("B AS B.id >= 0".to_owned());
        }
        let partition = match self.random.below(3) {
            0 => String::new(),
            _ => {
                let key = table.key(self.random);
                let text = format!("PARTITION BY {} ", key.name);
                columns.insert(0, key);
                text
            }
        };
        let within = self.random.of(&["", "", " WITHIN INTERVAL '9' SECOND"]);
        let skip = self.random.of(&["PAST LAST ROW", "TO NEXT ROW"]);
        let sql = format!(
            "SELECT * FROM {} MATCH_RECOGNIZE ({partition}ORDER BY ts, id MEASURES {} ONE ROW PER MATCH AFTER MATCH SKIP {skip} \
             PATTERN ({}){within} DEFINE {}) AS m",
            table.sql,
            measures.join(", "),
            pattern.join(" "),
            define.join(", ")
        );
        table.derived(sql, columns)
    }

    /// A condition on a row, or on it and one before it.
    fn condition_of(&mut self, table: &Relation, variables: &[&str], index: usize) -> String {
        let variable = variables[index];
        let before = self.random.pick(&variables[..=index]);
        match self.random.below(4) {
            0 => format!("{variable}.k >= LAST({before}.k, 1) OR LAST({before}.k, 1) IS NULL"),
            1 if index > 0 => format!("{variable}.k <> LAST({}.k)", variables[index - 1]),
            2 if index > 0 => {
                format!("{variable}.id - FIRST(A.id) < {}", self.random.between(1, 9))
            }
            _ => Expressions::over(variable, &table.columns, self.random).condition(1),
        }
    }
}
