//! Flink's answer and ours in one form, and where they part.
//! Invariant: a changelog is folded: what counts is the multiset of rows in the end, and, where a file asks for it,
//! the order of rows that are only ever added. Flink gives a top-1 as upserts, without the rows that go, and does not
//! say by which key: they are folded by any key of few columns that makes our answer of it.

use std::collections::BTreeMap;

/// Rows with how often they are there.
type Rows = BTreeMap<String, i64>;

#[derive(Debug)]
pub(super) struct Table {
    /// Names of the columns: for Flink with the type behind each.
    pub(super) columns: Vec<String>,
    pub(super) rows: Rows,
    /// The rows as they came, if their order counts.
    pub(super) sequence: Vec<String>,
    /// The changes, if they are upserts: whether each one adds, and its values.
    upserts: Vec<(bool, Vec<String>)>,
}

#[derive(Debug)]
pub(super) enum Answer {
    Rows(Table),
    Refused(String),
}

/// Puts changes together.
struct Fold {
    table: Table,
    in_order: bool,
    /// A row came in the place of another one; and one went.
    updates: (bool, bool),
}

impl Fold {
    fn new(columns: Vec<String>, in_order: bool) -> Self {
        let table = Table { columns, rows: Rows::new(), sequence: Vec::new(), upserts: Vec::new() };
        Self { table, in_order, updates: (false, false) }
    }

    fn change<'a>(&mut self, kind: &str, values: impl Iterator<Item = &'a str>) {
        let values: Vec<String> = values.map(rounded).collect();
        let row = values.join(" | ");
        let weight = if matches!(kind, "+I" | "+U") { 1 } else { -1 };
        self.updates.0 |= kind == "+U";
        self.updates.1 |= kind == "-U";
        self.table.upserts.push((weight > 0, values));
        if self.in_order {
            self.table.sequence.push(row.clone());
        }
        *self.table.rows.entry(row).or_default() += weight;
    }

    fn answer(mut self) -> Answer {
        self.table.rows.retain(|_, count| *count != 0);
        if self.updates != (true, false) {
            self.table.upserts.clear();
        }
        Answer::Rows(self.table)
    }
}

/// A number with many digits behind the point, to 12 significant ones: the last digits of a sum of DOUBLEs depend on
/// the order of the rows, which neither engine promises.
fn rounded(value: &str) -> String {
    match (value.split_once('.'), value.parse::<f64>()) {
        (Some((_, fraction)), Ok(number)) if fraction.len() >= 6 => {
            let digits = format!("{number:.11e}");
            digits.parse().map_or(digits, |rounded: f64| rounded.to_string())
        }
        _ => value.to_owned(),
    }
}

/// What a golden file says.
pub(super) fn golden(text: &str, in_order: bool) -> Answer {
    let columns = text.lines().find_map(|line| line.strip_prefix("-- columns: "));
    let columns = columns.map(|line| line.split(" | ").map(str::to_owned).collect());
    let mut fold = Fold::new(columns.unwrap_or_default(), in_order);
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with("-- ")) {
        if let Some(error) = line.strip_prefix("error: ") {
            return Answer::Refused(error.to_owned());
        }
        let (kind, row) = line.split_once(' ').expect("a change and its values");
        fold.change(kind, row.split(" | "));
    }
    fold.answer()
}

/// What our program printed.
pub(super) fn printed(text: &str, in_order: bool) -> Answer {
    let mut lines = text.lines();
    let mut columns: Vec<String> =
        lines.next().unwrap_or_default().split('\t').map(str::to_owned).collect();
    let changelog = columns.first().is_some_and(|name| name == "op");
    if changelog {
        columns.remove(0);
    }
    let mut fold = Fold::new(columns, in_order);
    for line in lines {
        let (kind, row) =
            if changelog { line.split_once('\t').expect("op, then values") } else { ("+I", line) };
        fold.change(kind, row.split('\t').map(|v| if v == "\\N" { "NULL" } else { v }));
    }
    fold.answer()
}

impl Table {
    /// The rows that upserts leave, by the key of these columns.
    fn folded_by(&self, key: &[usize]) -> Rows {
        let mut last: BTreeMap<Vec<&str>, String> = BTreeMap::new();
        for (adds, values) in &self.upserts {
            let key = key.iter().map(|&column| values[column].as_str()).collect();
            match adds {
                true => drop(last.insert(key, values.join(" | "))),
                false => drop(last.remove(&key)),
            }
        }
        let mut rows = Rows::new();
        last.into_values().for_each(|row| *rows.entry(row).or_default() += 1);
        rows
    }

    /// Whether these upserts, by some key of at most two columns, leave these rows.
    fn leaves(&self, rows: &Rows) -> bool {
        let width = self.upserts.first().map_or(0, |(_, values)| values.len());
        let one = (0..width).map(|column| vec![column]);
        let two = (0..width).flat_map(|a| (a + 1..width).map(move |b| vec![a, b]));
        width > 0
            && [vec![]].into_iter().chain(one).chain(two).any(|key| self.folded_by(&key) == *rows)
    }
}

/// How the answers differ, in a few lines.
pub(super) fn difference(expected: &Answer, ours: &Answer) -> Option<String> {
    let (expected, ours) = match (expected, ours) {
        (Answer::Refused(_), Answer::Refused(_)) => return None,
        (Answer::Refused(error), Answer::Rows(_)) => {
            return Some(format!("Flink refuses: {error}"));
        }
        (Answer::Rows(_), Answer::Refused(error)) => return Some(format!("we refuse: {error}")),
        (Answer::Rows(expected), Answer::Rows(ours)) => (expected, ours),
    };
    let same_names = expected.columns.len() == ours.columns.len()
        && expected.columns.iter().zip(&ours.columns).all(|(with_type, name)| {
            with_type
                .strip_prefix(name.as_str())
                .is_some_and(|t| t.is_empty() || t.starts_with(' '))
        });
    if !same_names {
        return Some(format!("  columns {:?}\n  ours    {:?}", expected.columns, ours.columns));
    }
    if expected.leaves(&ours.rows) {
        return None;
    }
    let only = |these: &Rows, others: &Rows, who: &str| -> Vec<String> {
        let differ = these.iter().filter(|(row, n)| others.get(*row) != Some(n));
        differ.take(4).map(|(row, n)| format!("  {who} {n} x {row}")).collect()
    };
    let mut shown = only(&expected.rows, &ours.rows, "expected");
    shown.extend(only(&ours.rows, &expected.rows, "ours    "));
    let parts = expected.sequence.iter().zip(&ours.sequence).position(|(a, b)| a != b);
    if let (true, Some(at)) = (shown.is_empty(), parts) {
        let (row, other) = (&expected.sequence[at], &ours.sequence[at]);
        shown.push(format!("  expected row {at}: {row}\n  ours     row {at}: {other}"));
    }
    (!shown.is_empty()).then(|| shown.join("\n"))
}

#[test]
fn answers_are_compared_folded() {
    let flink =
        |lines: &str| golden(&format!("-- query 1\n-- columns: a INT | b STRING\n{lines}"), false);
    let rows = [
        ("+I 1 | x\n", "a\tb\n1\tx\n", None),
        ("+I 1 | x\n-U 1 | x\n+U 1 | y\n", "a\tb\n1\ty\n", None),
        ("+I 1 | NULL\n", "op\ta\tb\n+I\t2\t\\N\n-U\t2\t\\N\n+U\t1\t\\N\n", None),
        (
            "+I 1 | x\n+I 1 | x\n",
            "a\tb\n1\tx\n",
            Some("  expected 2 x 1 | x\n  ours     1 x 1 | x"),
        ),
        ("+I 1 | x\n", "a\tb\n", Some("  expected 1 x 1 | x")),
        ("", "a\tc\n", Some("  columns [\"a INT\", \"b STRING\"]\n  ours    [\"a\", \"c\"]")),
        ("error: A: no\n", "a\tb\n", Some("Flink refuses: A: no")),
        ("+I 1 | x\n+U 1 | y\n", "a\tb\n1\ty\n", None),
        ("+I 1 | x\n+U 1 | y\n", "a\tb\n1\tx\n", Some("  expected 1 x 1 | y")),
        ("+I 24.407999999999998 | x\n", "a\tb\n24.408\tx\n", None),
        ("+I 0.1234567890123 | x\n", "a\tb\n0.1234567890124\tx\n", None),
    ];
    for (expected, ours, difference_) in rows {
        let found = difference(&flink(expected), &printed(ours, false));
        assert_eq!(found.as_deref(), difference_, "{expected} against {ours}");
    }
    let ordered = |lines: &str| golden(&format!("-- columns: a INT\n{lines}"), true);
    let found = difference(&ordered("+I 1\n+I 2\n"), &printed("a\n2\n1\n", true));
    assert_eq!(found.as_deref(), Some("  expected row 0: 1\n  ours     row 0: 2"));
}
