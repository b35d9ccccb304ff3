//! Random tables: a schema, rows as JSON lines, and the CREATE TABLE that reads them.
//! Invariant: `id` numbers the rows, `ts` is the time attribute, but of a changelog, which has none. Unless the table is to have late rows, no row is later than
//! the watermark allows, so that the answer does not depend on where steps are cut. DOUBLEs are multiples of a quarter:
//! their sums are exact in any order.

use std::fmt::Write as _;

use super::random::Random;

/// A type, as far as expressions care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Int,
    BigInt,
    Double,
    Decimal,
    Text,
    Boolean,
    Time,
}

impl Type {
    const OF_COLUMNS: [Self; 6] =
        [Self::Int, Self::BigInt, Self::Double, Self::Decimal, Self::Text, Self::Boolean];

    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Int => "INT",
            Self::BigInt => "BIGINT",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL(10, 2)",
            Self::Text => "STRING",
            Self::Boolean => "BOOLEAN",
            Self::Time => "TIMESTAMP(3)",
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::BigInt | Self::Double | Self::Decimal)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) ty: Type,
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, ty: Type) -> Self {
        Self { name: name.into(), ty }
    }
}

pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// One JSON object a line.
    pub(crate) rows: String,
    pub(crate) manner: Manner,
    delay_seconds: i64,
}

/// What the rows of a table are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Rows are added, none of them late.
    Punctual,
    /// Some rows come after the watermark has passed them.
    Late,
    /// Rows are added, updated and deleted.
    Changing,
}

impl Table {
    pub(crate) fn new(name: &str, random: &mut Random, manner: Manner) -> Self {
        let mut columns = vec![
            Column::new("id", Type::Int),
            Column::new("k", Type::Int),
            Column::new("s", Type::Text),
        ];
        for index in 0..random.between(1, 4) {
            columns.push(Column::new(format!("v{index}"), *random.pick(&Type::OF_COLUMNS)));
        }
        columns.push(Column::new("ts", Type::Time));
        let mut table = Self {
            name: name.to_owned(),
            columns,
            rows: String::new(),
            manner,
            delay_seconds: *random.pick(&[1, 5, 20]),
        };
        table.fill(random);
        table
    }

    fn fill(&mut self, random: &mut Random) {
        let count = *random.pick(&[0, 1, 7, 20, 40, 60]);
        let nulls = *random.pick(&[0, 10, 40]);
        let pace = *random.pick(&[0, 1, 3, 12]);
        let most = match self.manner {
            Manner::Late => 4 * self.delay_seconds,
            Manner::Punctual | Manner::Changing => self.delay_seconds - 1,
        };
        let mut now = 0;
        let mut last: Option<String> = None;
        let mut alive: Vec<String> = Vec::new();
        for id in 0..count {
            now += if random.chance(70) { random.between(0, pace) } else { 0 };
            let back = if random.chance(30) { random.between(0, most) } else { 0 };
            // Some rows differ from the one before in their number only.
            let values = match last.take() {
                Some(same) if random.chance(10) && self.manner != Manner::Late => same,
                _ => self.values(nulls, (now - back).max(0), random),
            };
            let row = format!("{{\"id\": {id}, {values}}}");
            last = Some(values);
            if self.manner == Manner::Changing {
                self.change(row, &mut alive, nulls, random);
            } else {
                writeln!(self.rows, "{row}").expect("a String takes all");
            }
        }
    }

    /// All fields of a row but its number.
    fn values(&self, nulls: usize, at: i64, random: &mut Random) -> String {
        let mut fields = String::new();
        for column in &self.columns[1..self.columns.len() - 1] {
            let null = random.chance(nulls);
            let value = if null { "null".to_owned() } else { value(column, random) };
            write!(fields, "\"{}\": {value}, ", column.name).expect("a String takes all");
        }
        let (hours, minutes, seconds) = (at / 3600, at / 60 % 60, at % 60);
        format!("{fields}\"ts\": \"2024-01-01 {hours:02}:{minutes:02}:{seconds:02}\"")
    }

    /// Adds a row, and perhaps changes or deletes one that is there.
    fn change(&mut self, row: String, alive: &mut Vec<String>, nulls: usize, random: &mut Random) {
        self.record("null", &row, "c");
        alive.push(row);
        let chosen = random.below(alive.len());
        match random.below(4) {
            0 => self.record(&alive.swap_remove(chosen), "null", "d"),
            1 => {
                let (id, _) = alive[chosen].split_once(',').expect("there are other fields");
                let seconds = random.between(0, 59);
                let after = format!("{id}, {}}}", self.values(nulls, seconds, random));
                self.record(&alive[chosen], &after, "u");
                alive[chosen] = after;
            }
            _ => {}
        }
    }

    fn record(&mut self, before: &str, after: &str, operation: &str) {
        let fields = format!("\"before\": {before}, \"after\": {after}, \"op\": \"{operation}\"");
        writeln!(self.rows, "{{{fields}}}").expect("a String takes all");
    }

    pub(crate) fn ddl(&self, file: &str) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|c| format!("{} {}", c.name, c.ty.sql())).collect();
        let (more, format) = match self.manner {
            Manner::Changing => ("PRIMARY KEY (id) NOT ENFORCED".to_owned(), "debezium-json"),
            _ => {
                let delay = self.delay_seconds;
                (format!("WATERMARK FOR ts AS ts - INTERVAL '{delay}' SECOND"), "json")
            }
        };
        format!(
            "CREATE TABLE {} ({}, {more})\nWITH ('connector' = 'filesystem', 'path' = '${{DIR}}/{file}', \
             'format' = '{format}');\n",
            self.name,
            columns.join(", "),
        )
    }
}

/// A value as JSON; `k` and `s` are keys, and have few values.
fn value(column: &Column, random: &mut Random) -> String {
    let of = |random: &mut Random, values: &[&str]| (*random.pick(values)).to_owned();
    match (column.name.as_str(), column.ty) {
        ("k", _) => random.between(0, 4).to_string(),
        ("s", _) => of(random, &["\"a\"", "\"b\"", "\"\"", "\"A\""]),
        (_, Type::Int) if random.chance(10) => of(random, &["2147483647", "-2147483648", "0"]),
        (_, Type::BigInt) if random.chance(10) => {
            of(random, &["9223372036854775807", "-9223372036854775808", "0"])
        }
        (_, Type::Int | Type::BigInt) => random.between(-20, 20).to_string(),
        (_, Type::Double) => (random.between(-400, 400) as f64 / 4.0).to_string(),
        (_, Type::Decimal) if random.chance(10) => of(random, &["99999999.99", "-0.01", "0"]),
        (_, Type::Decimal) => format!("{:.2}", random.between(-5000, 5000) as f64 / 100.0),
        (_, Type::Text) => of(random, &["\"x\"", "\"xy\"", "\"ü\"", "\" \"", "\"12\"", "\"a%b\""]),
        (_, Type::Boolean) => of(random, &["true", "false"]),
        (_, Type::Time) => "\"2024-01-01 00:00:00\"".to_owned(),
    }
}
