//! Random queries: relations over relations, each with what is known of it.
//! Invariant: the folded answer of a query follows from its tables alone. What depends on the order of arrival is asked of
//! single tables only; a rank is asked in an order without ties.

use std::fmt::Write as _;

use super::expression::Expressions;
use super::random::Random;
use super::table::{Column, Manner, Table, Type};

/// Joins do not go beyond this.
const ROWS_MAX: usize = 4000;

/// Something to select from.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// A query, or the name of a table or view.
    pub(super) sql: String,
    named: bool,
    pub(super) columns: Vec<Column>,
    /// Columns whose values together no two rows share; empty if there are none.
    unique: Vec<String>,
    /// A time attribute.
    time: Option<String>,
    append_only: bool,
    /// Rows are those of one table, in its order.
    in_order: bool,
    rows: usize,
}

impl Relation {
    fn from(&self, alias: &str) -> String {
        if self.named {
            format!("{} AS {alias}", self.sql)
        } else {
            format!("({}) AS {alias}", self.sql)
        }
    }

    /// A query over it of which only the columns are known.
    pub(super) fn derived(&self, sql: String, columns: Vec<Column>) -> Self {
        Self {
            sql,
            named: false,
            columns,
            unique: Vec::new(),
            time: None,
            append_only: false,
            in_order: false,
            rows: self.rows,
        }
    }

    fn column(&self, ty: Type, random: &mut Random) -> Option<String> {
        let fitting: Vec<&Column> = self.columns.iter().filter(|c| c.ty == ty).collect();
        (!fitting.is_empty()).then(|| random.pick(&fitting).name.clone())
    }

    /// Columns that have few values come first to mind as keys.
    pub(super) fn key(&self, random: &mut Random) -> Column {
        let discrete: Vec<&Column> =
            self.columns.iter().filter(|c| c.ty != Type::Double && c.ty != Type::Time).collect();
        match self.columns.iter().find(|c| c.name == "k" || c.name == "s") {
            Some(_) if random.chance(70) => {
                let name = random.of(&["k", "s"]);
                self.columns.iter().find(|c| c.name == name).unwrap_or(&self.columns[0]).clone()
            }
            _ if !discrete.is_empty() => (*random.pick(&discrete)).clone(),
            _ => self.columns[0].clone(),
        }
    }
}

/// Makes one script.
pub(crate) struct Maker<'a> {
    pub(super) random: &'a mut Random,
    tables: Vec<Relation>,
    /// CREATE VIEW statements, before the query.
    views: String,
    names: usize,
    /// Only what says something about late rows.
    late: bool,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(random: &'a mut Random, tables: &[Table], late: bool) -> Self {
        let relation = |table: &Table| {
            let appends = table.manner != Manner::Changing;
            Relation {
                sql: table.name.clone(),
                named: true,
                columns: table.columns.clone(),
                unique: vec!["id".to_owned()],
                time: appends.then(|| "ts".to_owned()),
                append_only: appends,
                in_order: appends,
                rows: table.rows.lines().count(),
            }
        };
        let tables = tables.iter().map(relation).collect();
        Self { random, tables, views: String::new(), names: 0, late }
    }

    /// Views and one SELECT.
    pub(crate) fn script(mut self) -> String {
        let depth = *self.random.pick(&[1, 1, 2, 2, 3]);
        let relation = if self.late { self.about_lateness() } else { self.relation(depth) };
        let relation = if relation.named { self.project(&relation) } else { relation };
        format!("{}{};\n", self.views, relation.sql)
    }

    pub(super) fn fresh(&mut self) -> String {
        self.names += 1;
        format!("c{}", self.names)
    }

    fn about_lateness(&mut self) -> Relation {
        let table = self.table();
        match self.random.below(6) {
            0 | 1 => self.window(&table),
            2 => self.over(&table),
            3 => {
                let filtered = self.project(&table);
                self.window(&filtered)
            }
            4 => {
                let windowed = self.window(&table);
                self.group(&windowed)
            }
            _ => self.session(&table),
        }
    }

    fn table(&mut self) -> Relation {
        self.random.pick(&self.tables).clone()
    }

    /// A table that has a time attribute; the first one has.
    pub(super) fn stream(&mut self) -> Relation {
        let streams: Vec<&Relation> = self.tables.iter().filter(|t| t.append_only).collect();
        (*self.random.pick(&streams)).clone()
    }

    fn relation(&mut self, depth: usize) -> Relation {
        if depth == 0 {
            return self.table();
        }
        let input = self.relation(depth - 1);
        let timed = input.time.is_some() && input.append_only;
        let ranked = !input.unique.is_empty();
        match self.random.below(17) {
            0 | 1 => self.project(&input),
            2 | 3 => self.group(&input),
            4 if timed => self.window(&input),
            5 if timed => self.session(&input),
            6 | 7 => self.join(&input),
            8 => self.set_operation(&input),
            9 | 10 if ranked => self.top_n(&input),
            11 if timed && input.in_order => self.over(&input),
            12 if timed && input.in_order => self.deduplicate(&input),
            13 => self.sub_query(&input),
            14 => self.interval_join(),
            15 => self.distinct(&input),
            16 if depth == 1 => self.pattern(),
            _ => self.group(&input),
        }
    }

    fn expressions<'b>(&'b mut self, relation: &Relation, alias: &str) -> Expressions<'b> {
        Expressions::over(alias, &relation.columns, self.random)
    }

    fn where_clause(&mut self, relation: &Relation, alias: &str, percent: usize) -> String {
        if !self.random.chance(percent) {
            return String::new();
        }
        format!(" WHERE {}", self.expressions(relation, alias).condition(2))
    }

    fn project(&mut self, input: &Relation) -> Relation {
        let mut output = Relation { named: false, unique: Vec::new(), time: None, ..input.clone() };
        output.columns.clear();
        let mut items = Vec::new();
        let keep: Vec<Column> = input.columns.clone();
        for column in keep {
            let unique = input.unique.contains(&column.name);
            let time = input.time.as_ref() == Some(&column.name);
            if !(unique || time || self.random.chance(40)) {
                continue;
            }
            let name = self.fresh();
            if unique {
                output.unique.push(name.clone());
            }
            if time {
                output.time = Some(name.clone());
            }
            items.push(format!("a.{} AS {name}", column.name));
            output.columns.push(Column::new(name, column.ty));
        }
        for _ in 0..self.random.between(1, 3) {
            let name = self.fresh();
            let mut expressions = self.expressions(input, "a");
            let ty = expressions.some_type();
            items.push(format!("{} AS {name}", expressions.of(ty, 2)));
            output.columns.push(Column::new(name, ty));
        }
        let condition = self.where_clause(input, "a", 50);
        output.sql = format!("SELECT {} FROM {}{condition}", items.join(", "), input.from("a"));
        output
    }

    /// Aggregates as items, and their columns.
    fn aggregates(&mut self, input: &Relation) -> (Vec<String>, Vec<Column>) {
        let (mut items, mut columns) = (Vec::new(), Vec::new());
        for _ in 0..self.random.between(1, 3) {
            let (mut call, ty) = self.aggregate(input);
            if self.random.chance(15) {
                write!(call, " FILTER (WHERE {})", self.expressions(input, "a").condition(1))
                    .expect("a String takes all");
            }
            let name = self.fresh();
            items.push(format!("{call} AS {name}"));
            columns.push(Column::new(name, ty));
        }
        (items, columns)
    }

    fn aggregate(&mut self, input: &Relation) -> (String, Type) {
        let choice = self.random.below(10);
        let mut expressions = self.expressions(input, "a");
        let ty = expressions.some_type();
        let argument = expressions.of(ty, 1);
        match choice {
            0 => ("COUNT(*)".to_owned(), Type::BigInt),
            1 => (format!("COUNT({argument})"), Type::BigInt),
            2 => (format!("COUNT(DISTINCT {argument})"), Type::BigInt),
            3 | 4 if ty.is_number() => (format!("SUM({argument})"), ty),
            5 if matches!(ty, Type::Int | Type::BigInt | Type::Decimal) => {
                (format!("AVG({argument})"), ty)
            }
            6 if matches!(ty, Type::Int | Type::BigInt) => {
                (format!("SUM(DISTINCT {argument})"), ty)
            }
            7 if input.in_order => (format!("FIRST_VALUE({argument})"), ty),
            8 if input.in_order => (format!("LAST_VALUE({argument})"), ty),
            9 if input.in_order && ty == Type::Text => (format!("LISTAGG({argument})"), ty),
            _ if choice < 5 => (format!("MIN({argument})"), ty),
            _ => (format!("MAX({argument})"), ty),
        }
    }

    fn having(&mut self) -> &'static str {
        if self.random.chance(20) { " HAVING COUNT(*) > 1" } else { "" }
    }

    fn group(&mut self, input: &Relation) -> Relation {
        let mut keys: Vec<Column> =
            (0..self.random.below(3)).map(|_| input.key(self.random)).collect();
        keys.dedup_by(|one, other| one.name == other.name);
        let (mut items, mut columns, mut unique, mut by) = (vec![], vec![], vec![], vec![]);
        for key in &keys {
            let name = self.fresh();
            items.push(format!("a.{} AS {name}", key.name));
            by.push(format!("a.{}", key.name));
            columns.push(Column::new(name.clone(), key.ty));
            unique.push(name);
        }
        let (calls, results) = self.aggregates(input);
        items.extend(calls);
        columns.extend(results);
        let condition = self.where_clause(input, "a", 20);
        let having = self.having();
        let sets = if by.len() == 2 { self.random.below(12) } else { 9 };
        let by = match (by.is_empty(), sets) {
            (true, _) => String::new(),
            (_, 0) => format!(" GROUP BY ROLLUP ({})", by.join(", ")),
            (_, 1) => format!(" GROUP BY CUBE ({})", by.join(", ")),
            _ => format!(" GROUP BY {}", by.join(", ")),
        };
        if sets < 2 {
            unique.clear();
        }
        let sql =
            format!("SELECT {} FROM {}{condition}{by}{having}", items.join(", "), input.from("a"));
        Relation { unique, ..input.derived(sql, columns) }
    }

    /// The name of a view of it.
    fn view(&mut self, relation: &Relation) -> String {
        if relation.named {
            return relation.sql.clone();
        }
        self.names += 1;
        let name = format!("w{}", self.names);
        writeln!(self.views, "CREATE VIEW {name} AS {};", relation.sql)
            .expect("a String takes all");
        name
    }

    fn window(&mut self, input: &Relation) -> Relation {
        let (function, sizes) = *self.random.pick(&[
            ("TUMBLE(", "INTERVAL '10' SECOND)"),
            ("TUMBLE(", "INTERVAL '1' MINUTE, INTERVAL '7' SECOND)"),
            ("HOP(", "INTERVAL '5' SECOND, INTERVAL '20' SECOND)"),
            ("HOP(", "INTERVAL '20' SECOND, INTERVAL '60' SECOND)"),
            ("CUMULATE(", "INTERVAL '10' SECOND, INTERVAL '30' SECOND)"),
        ]);
        self.windowed(input, function, sizes, None)
    }

    fn session(&mut self, input: &Relation) -> Relation {
        let gap = self.random.of(&["INTERVAL '2' SECOND)", "INTERVAL '8' SECOND)"]);
        let key = self.random.chance(70).then(|| input.key(self.random));
        self.windowed(input, "SESSION(", gap, key)
    }

    fn windowed(
        &mut self,
        input: &Relation,
        function: &str,
        sizes: &str,
        partition: Option<Column>,
    ) -> Relation {
        let time = input.time.clone().expect("the input has a time attribute");
        let name = self.view(input);
        let key = match &partition {
            Some(key) => Some(key.clone()),
            None if function != "SESSION(" && self.random.chance(50) => {
                Some(input.key(self.random))
            }
            None => None,
        };
        let partition = partition.map_or_else(String::new, |k| format!(" PARTITION BY {}", k.name));
        let (start, end) = (self.fresh(), self.fresh());
        let mut items =
            vec![format!("a.window_start AS {start}"), format!("a.window_end AS {end}")];
        let mut columns =
            vec![Column::new(start.clone(), Type::Time), Column::new(end.clone(), Type::Time)];
        let mut unique = vec![start, end];
        let mut by = "a.window_start, a.window_end".to_owned();
        if let Some(key) = key {
            let name = self.fresh();
            write!(by, ", a.{}", key.name).expect("a String takes all");
            items.push(format!("a.{} AS {name}", key.name));
            columns.push(Column::new(name.clone(), key.ty));
            unique.push(name);
        }
        // Flink puts the slices of a window together in their order, we keep the order of arrival.
        let in_order = input.in_order && function == "TUMBLE(";
        let (calls, results) = self.aggregates(&Relation { in_order, ..input.clone() });
        items.extend(calls);
        columns.extend(results);
        let having = self.having();
        let sql = format!(
            "SELECT {} FROM TABLE({function}TABLE {name}{partition}, DESCRIPTOR({time}), {sizes}) AS a GROUP BY {by}{having}",
            items.join(", ")
        );
        Relation { unique, append_only: true, ..input.derived(sql, columns) }
    }

    /// All columns of two relations under new names.
    fn columns_of_both(
        &mut self,
        a: &Relation,
        b: &Relation,
    ) -> (String, Vec<Column>, Vec<String>) {
        let (mut items, mut columns, mut unique) = (Vec::new(), Vec::new(), Vec::new());
        for (alias, relation) in [("a", a), ("b", b)] {
            for column in &relation.columns {
                let name = self.fresh();
                items.push(format!("{alias}.{} AS {name}", column.name));
                if relation.unique.contains(&column.name) {
                    unique.push(name.clone());
                }
                columns.push(Column::new(name, column.ty));
            }
        }
        if a.unique.is_empty() || b.unique.is_empty() {
            unique.clear();
        }
        (items.join(", "), columns, unique)
    }

    fn join(&mut self, a: &Relation) -> Relation {
        let b = if self.random.chance(30) { self.relation(1) } else { self.table() };
        let key = a.key(self.random);
        let other = b.column(key.ty, self.random);
        let (Some(other), true) = (other, a.rows * b.rows / 3 < ROWS_MAX) else {
            return self.project(a);
        };
        let kind = self.random.of(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let mut on = format!("a.{} = b.{other}", key.name);
        if self.random.chance(40) {
            let both = (("a", a.columns.as_slice()), ("b", b.columns.as_slice()));
            let condition = Expressions::over_both(both.0, both.1, self.random).condition(1);
            write!(on, " AND {condition}").expect("a String takes all");
        }
        let (items, columns, unique) = self.columns_of_both(a, &b);
        Relation {
            sql: format!("SELECT {items} FROM {} {kind} {} ON {on}", a.from("a"), b.from("b")),
            named: false,
            columns,
            unique,
            time: None,
            append_only: false,
            in_order: false,
            rows: a.rows * b.rows / 3,
        }
    }

    fn interval_join(&mut self) -> Relation {
        let (a, b) = (self.stream(), self.stream());
        let kind = self.random.of(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let bounds = self.random.of(&[
            "b.ts BETWEEN a.ts AND a.ts + INTERVAL '5' SECOND",
            "b.ts BETWEEN a.ts - INTERVAL '3' SECOND AND a.ts + INTERVAL '1' SECOND",
            "a.ts > b.ts - INTERVAL '10' SECOND AND a.ts <= b.ts - INTERVAL '2' SECOND",
            "a.ts = b.ts",
        ]);
        let key = self.random.of(&["a.k = b.k", "a.s = b.s", "a.k = b.k AND a.id <> b.id"]);
        let (items, columns, unique) = self.columns_of_both(&a, &b);
        Relation {
            sql: format!(
                "SELECT {items} FROM {} {kind} {} ON {key} AND {bounds}",
                a.from("a"),
                b.from("b")
            ),
            named: false,
            columns,
            unique,
            time: None,
            append_only: true,
            in_order: false,
            rows: a.rows * b.rows / 3,
        }
    }

    fn set_operation(&mut self, a: &Relation) -> Relation {
        let b = if self.random.chance(50) { self.relation(1) } else { self.table() };
        let operation = self.random.of(&[
            "UNION ALL",
            "UNION",
            "INTERSECT",
            "INTERSECT ALL",
            "EXCEPT",
            "EXCEPT ALL",
        ]);
        let (mut left, mut right, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.random.between(1, 3) {
            let name = self.fresh();
            let key = a.key(self.random);
            left.push(format!("a.{} AS {name}", key.name));
            right.push(match b.column(key.ty, self.random) {
                Some(other) => format!("b.{other} AS {name}"),
                None => format!("{} AS {name}", self.expressions(&b, "b").of(key.ty, 1)),
            });
            columns.push(Column::new(name, key.ty));
        }
        let (one, other) = (self.where_clause(a, "a", 30), self.where_clause(&b, "b", 30));
        Relation {
            sql: format!(
                "SELECT {} FROM {}{one} {operation} SELECT {} FROM {}{other}",
                left.join(", "),
                a.from("a"),
                right.join(", "),
                b.from("b")
            ),
            named: false,
            columns,
            unique: Vec::new(),
            time: None,
            append_only: operation == "UNION ALL" && a.append_only && b.append_only,
            in_order: false,
            rows: a.rows + b.rows,
        }
    }

    fn top_n(&mut self, input: &Relation) -> Relation {
        let order = self.random.pick(&input.columns).name.clone();
        let direction = self.random.of(&["", " DESC", " ASC NULLS LAST", " DESC NULLS FIRST"]);
        let ties: String = input.unique.iter().map(|name| format!(", a.{name}")).collect();
        let partition = if self.random.chance(60) {
            format!("PARTITION BY a.{} ", input.key(self.random).name)
        } else {
            String::new()
        };
        let rank = self.fresh();
        // Flink goes wrong where the ranks begin after 1 and the input changes.
        let bound = match self.random.below(if input.append_only { 5 } else { 3 }) {
            0 => format!("{rank} = 1"),
            1 => format!("{rank} <= 1"),
            3 => format!("{rank} = 2"),
            4 => format!("{rank} BETWEEN 2 AND 4"),
            _ => format!("{rank} <= 3"),
        };
        let mut output = input.clone();
        let mut names: Vec<&str> = input.columns.iter().map(|c| c.name.as_str()).collect();
        if self.random.chance(50) {
            names.push(&rank);
            output.columns.push(Column::new(rank.clone(), Type::BigInt));
        }
        output.sql = format!(
            "SELECT {} FROM (SELECT a.*, ROW_NUMBER() OVER ({partition}ORDER BY a.{order}{direction}{ties}) AS {rank} FROM {}) WHERE {bound}",
            names.join(", "),
            input.from("a")
        );
        Relation { named: false, time: None, append_only: false, in_order: false, ..output }
    }

    fn over(&mut self, input: &Relation) -> Relation {
        let time = input.time.clone().expect("the input has a time attribute");
        let partition = if self.random.chance(60) {
            format!("PARTITION BY a.{} ", input.key(self.random).name)
        } else {
            String::new()
        };
        let frame = self.random.of(&[
            "",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
            " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " RANGE BETWEEN INTERVAL '4' SECOND PRECEDING AND CURRENT ROW",
        ]);
        let mut output = input.clone();
        let mut items: Vec<String> =
            input.columns.iter().map(|c| format!("a.{}", c.name)).collect();
        for _ in 0..self.random.between(1, 2) {
            let (call, ty) = loop {
                let (call, ty) = self.aggregate(input);
                // Equal times have no order that a RANGE would have to keep.
                let by_order = ["FIRST_VALUE", "LAST_VALUE", "LISTAGG"];
                if !by_order.iter().any(|name| call.starts_with(name)) {
                    break (call, ty);
                }
            };
            let name = self.fresh();
            items.push(format!("{call} OVER w AS {name}"));
            output.columns.push(Column::new(name, ty));
        }
        output.sql = format!(
            "SELECT {} FROM {} WINDOW w AS ({partition}ORDER BY a.{time}{frame})",
            items.join(", "),
            input.from("a")
        );
        Relation { named: false, in_order: false, ..output }
    }

    fn deduplicate(&mut self, input: &Relation) -> Relation {
        let time = input.time.clone().expect("the input has a time attribute");
        let key = input.key(self.random).name;
        let direction = self.random.of(&["ASC", "DESC"]);
        let rank = self.fresh();
        let names: Vec<&str> = input.columns.iter().map(|c| c.name.as_str()).collect();
        let sql = format!(
            "SELECT {} FROM (SELECT a.*, ROW_NUMBER() OVER (PARTITION BY a.{key} ORDER BY a.{time} {direction}) AS {rank} FROM {}) WHERE {rank} = 1",
            names.join(", "),
            input.from("a")
        );
        Relation {
            sql,
            named: false,
            time: None,
            append_only: false,
            in_order: false,
            ..input.clone()
        }
    }

    fn sub_query(&mut self, input: &Relation) -> Relation {
        let other = if self.random.chance(30) { self.relation(1) } else { self.table() };
        let key = input.key(self.random);
        let Some(column) = other.column(key.ty, self.random) else { return self.project(input) };
        let inner = self.where_clause(&other, "b", 40);
        let not = self.random.of(&["", "NOT "]);
        let condition = match self.random.below(3) {
            0 => format!(
                "a.{} {not}IN (SELECT b.{column} FROM {}{inner})",
                key.name,
                other.from("b")
            ),
            1 => {
                let also = inner.strip_prefix(" WHERE ").map(|c| format!(" AND {c}"));
                format!(
                    "{not}EXISTS (SELECT 1 FROM {} WHERE b.{column} = a.{}{})",
                    other.from("b"),
                    key.name,
                    also.unwrap_or_default()
                )
            }
            _ if key.ty != Type::Boolean => format!(
                "a.{} >= (SELECT MIN(b.{column}) FROM {}{inner})",
                key.name,
                other.from("b")
            ),
            _ => format!("a.{} IN (SELECT b.{column} FROM {})", key.name, other.from("b")),
        };
        Relation {
            sql: format!("SELECT a.* FROM {} WHERE {condition}", input.from("a")),
            named: false,
            time: None,
            append_only: false,
            in_order: false,
            ..input.clone()
        }
    }

    fn distinct(&mut self, input: &Relation) -> Relation {
        let (mut items, mut columns) = (Vec::new(), Vec::new());
        for _ in 0..self.random.between(1, 2) {
            let key = input.key(self.random);
            let name = self.fresh();
            items.push(format!("a.{} AS {name}", key.name));
            columns.push(Column::new(name, key.ty));
        }
        let unique = columns.iter().map(|c| c.name.clone()).collect();
        let sql = format!("SELECT DISTINCT {} FROM {}", items.join(", "), input.from("a"));
        Relation { unique, ..input.derived(sql, columns) }
    }
}
