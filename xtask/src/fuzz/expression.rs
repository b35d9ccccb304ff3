//! Random expressions of a type over the columns of a relation.
//! Invariant: no expression ends the query (a division is by a constant that is not 0, a cast always succeeds), so that an
//! error of either engine is a difference.

use super::random::Random;
use super::table::{Column, Type};

pub(crate) struct Expressions<'a> {
    columns: Vec<(String, Type)>,
    random: &'a mut Random,
}

impl<'a> Expressions<'a> {
    /// Over these columns, with the alias of their relation before them.
    pub(crate) fn over(alias: &str, columns: &[Column], random: &'a mut Random) -> Self {
        let names = columns.iter().map(|c| (format!("{alias}.{}", c.name), c.ty));
        Self { columns: names.collect(), random }
    }

    /// Over the columns of two relations.
    pub(crate) fn over_both(
        one: (&str, &[Column]),
        other: (&str, &[Column]),
        random: &'a mut Random,
    ) -> Self {
        let named = |(alias, columns): (&str, &[Column])| -> Vec<(String, Type)> {
            columns.iter().map(|c| (format!("{alias}.{}", c.name), c.ty)).collect()
        };
        Self { columns: [named(one), named(other)].concat(), random }
    }

    /// A type that some column has.
    pub(crate) fn some_type(&mut self) -> Type {
        self.random.pick(&self.columns).1
    }

    fn column(&mut self, ty: Type) -> Option<String> {
        let fitting: Vec<&(String, Type)> = self.columns.iter().filter(|c| c.1 == ty).collect();
        (!fitting.is_empty()).then(|| fitting[self.random.below(fitting.len())].0.clone())
    }

    fn literal(&mut self, ty: Type) -> String {
        let choices: &[&str] = match ty {
            Type::Int => &["0", "1", "-3", "7", "CAST(NULL AS INT)"],
            Type::BigInt => &["CAST(0 AS BIGINT)", "CAST(12 AS BIGINT)", "CAST(NULL AS BIGINT)"],
            Type::Double => &["CAST(0.5 AS DOUBLE)", "CAST(-2 AS DOUBLE)", "CAST(NULL AS DOUBLE)"],
            Type::Decimal => &["1.50", "-0.25", "CAST(NULL AS DECIMAL(10, 2))"],
            Type::Text => &["'a'", "''", "'xy'", "CAST(NULL AS STRING)"],
            Type::Boolean => &["TRUE", "FALSE", "CAST(NULL AS BOOLEAN)"],
            Type::Time => &["TIMESTAMP '2024-01-01 00:00:20'", "TIMESTAMP '2024-01-01 00:01:00'"],
        };
        (*self.random.pick(choices)).to_owned()
    }

    fn leaf(&mut self, ty: Type) -> String {
        let column = if self.random.chance(85) { self.column(ty) } else { None };
        column.unwrap_or_else(|| self.literal(ty))
    }

    pub(crate) fn of(&mut self, ty: Type, depth: usize) -> String {
        if depth == 0 || self.random.chance(35) {
            return self.leaf(ty);
        }
        if self.random.chance(15) {
            let (condition, yes, no) =
                (self.of(Type::Boolean, depth - 1), self.of(ty, depth - 1), self.of(ty, depth - 1));
            return match self.random.below(3) {
                0 => format!("CASE WHEN {condition} THEN {yes} ELSE {no} END"),
                1 => format!("COALESCE({yes}, {no})"),
                _ => format!("NULLIF({yes}, {no})"),
            };
        }
        match ty {
            Type::Boolean => self.condition(depth),
            Type::Text => self.text(depth),
            Type::Time => {
                let interval = self.random.of(&["'1' SECOND", "'3' MINUTE", "'1' DAY"]);
                format!("({} + INTERVAL {interval})", self.of(ty, depth - 1))
            }
            Type::Decimal => {
                let operator = self.random.of(&["+", "-"]);
                let sum = format!("{} {operator} {}", self.leaf(ty), self.leaf(ty));
                format!("CAST({sum} AS DECIMAL(20, 2))")
            }
            Type::Int | Type::BigInt | Type::Double => self.number(ty, depth),
        }
    }

    fn number(&mut self, ty: Type, depth: usize) -> String {
        if ty == Type::Int && self.random.chance(15) {
            return format!("CHAR_LENGTH({})", self.of(Type::Text, depth - 1));
        }
        let left = self.of(ty, depth - 1);
        match self.random.below(6) {
            0 => format!("({left} + {})", self.of(ty, depth - 1)),
            1 => format!("({left} - {})", self.of(ty, depth - 1)),
            2 => format!("({left} * 2)"),
            3 => format!("({left} / {})", self.random.of(&["2", "-4"])),
            4 if ty != Type::Double => format!("({left} % {})", self.random.of(&["3", "-5"])),
            _ => format!("(-{left})"),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let inner = self.of(Type::Text, depth - 1);
        match self.random.below(6) {
            0 => format!("UPPER({inner})"),
            1 => format!("({inner} || {})", self.of(Type::Text, depth - 1)),
            2 => format!("SUBSTRING({inner}, {})", self.random.between(1, 3)),
            3 => format!("TRIM({inner})"),
            4 => format!("REPLACE({inner}, 'a', 'bb')"),
            _ => format!("CAST({} AS STRING)", self.of(Type::Int, depth - 1)),
        }
    }

    /// A condition.
    pub(crate) fn condition(&mut self, depth: usize) -> String {
        let depth = depth.max(1);
        if depth > 1 && self.random.chance(30) {
            let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
            return match self.random.below(3) {
                0 => format!("({a} AND {b})"),
                1 => format!("({a} OR {b})"),
                _ => format!("(NOT {a})"),
            };
        }
        let ty = self.some_type();
        let left = self.of(ty, depth - 1);
        match self.random.below(10) {
            0 => format!("({left} IS NULL)"),
            1 => format!("({left} IS NOT NULL)"),
            2 => format!("({left} IS DISTINCT FROM {})", self.of(ty, depth - 1)),
            3 if ty == Type::Text => {
                format!("({left} LIKE '{}')", self.random.of(&["a%", "%y", "_", "%"]))
            }
            4 if ty != Type::Boolean => {
                format!("({left} IN ({}, {}))", self.literal(ty), self.literal(ty))
            }
            5 if ty != Type::Boolean => {
                let (low, high) = (self.of(ty, depth - 1), self.of(ty, depth - 1));
                format!("({left} BETWEEN {low} AND {high})")
            }
            6 if ty == Type::Boolean => format!("({left} IS NOT TRUE)"),
            _ => {
                let all = ["=", "<>", "<", ">=", ">", "<="];
                let operators = if ty == Type::Boolean { &all[..2] } else { &all };
                format!("({left} {} {})", self.random.pick(operators), self.of(ty, depth - 1))
            }
        }
    }
}
