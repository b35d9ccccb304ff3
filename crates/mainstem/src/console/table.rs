//! Rows as an aligned table, as Flink's SQL client shows them.
//! Invariant: nothing is cut: a column is as wide as its type usually needs and its first rows do, and grows when a
//! longer value comes. Numbers stand to the right.

use arrow_array::StringArray;
use arrow_array::cast::AsArray;
use mainstem_core::{Batch, Field, Result, TypeKind};

use super::text::escaped;

const NULL: &str = "<NULL>";

#[derive(Debug)]
pub(super) struct TableLayout {
    columns: Vec<ColumnLayout>,
    started: bool,
    rows: u64,
}

#[derive(Debug)]
struct ColumnLayout {
    name: String,
    right: bool,
    width: usize,
}

impl TableLayout {
    pub(super) fn new(columns: &[Field]) -> Self {
        let column = |field: &Field| {
            let name = escaped(&field.name);
            let width = name.chars().count().max(usual_width(&field.data_type.kind));
            ColumnLayout { name, right: field.data_type.kind.is_numeric(), width }
        };
        Self { columns: columns.iter().map(column).collect(), started: false, rows: 0 }
    }

    /// The lines of a batch of texts, with the head of the table before the first.
    pub(super) fn rows(&mut self, batch: &Batch) -> Result<String> {
        let texts: Vec<&StringArray> =
            batch.columns().iter().map(|c| c.as_string::<i32>()).collect();
        let cells: Vec<Vec<String>> = texts
            .iter()
            .map(|text| {
                let cell = |v: Option<&str>| v.map_or_else(|| NULL.to_owned(), shown);
                text.iter().map(cell).collect()
            })
            .collect();
        let mut out = String::new();
        for (column, cells) in self.columns.iter_mut().zip(&cells) {
            let widest = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
            column.width = column.width.max(widest);
        }
        if !self.started {
            out.push_str(&self.head());
            self.started = true;
        }
        for row in 0..batch.rows() {
            for (column, cells) in self.columns.iter().zip(&cells) {
                out.push_str("| ");
                column.push(&mut out, &cells[row]);
                out.push(' ');
            }
            out.push_str("|\n");
        }
        self.rows += batch.rows() as u64;
        Ok(out)
    }

    /// The end of the table.
    pub(super) fn end(&mut self) -> String {
        if self.started {
            return self.rule();
        }
        self.started = true;
        self.head()
    }

    fn head(&self) -> String {
        let mut out = self.rule();
        for column in &self.columns {
            out.push_str("| ");
            column.push(&mut out, &column.name);
            out.push(' ');
        }
        out.push_str("|\n");
        out.push_str(&self.rule());
        out
    }

    fn rule(&self) -> String {
        let mut out = String::new();
        for column in &self.columns {
            out.push('+');
            out.push_str(&"-".repeat(column.width + 2));
        }
        out.push_str("+\n");
        out
    }
}

impl ColumnLayout {
    fn push(&self, out: &mut String, text: &str) {
        let room = self.width.saturating_sub(text.chars().count());
        if self.right {
            out.push_str(&" ".repeat(room));
        }
        out.push_str(text);
        if !self.right {
            out.push_str(&" ".repeat(room));
        }
    }
}

/// A backslash stays one here: the table is for people.
fn shown(text: &str) -> String {
    if text.chars().any(|c| c.is_ascii_control()) { escaped(text) } else { text.to_owned() }
}

fn usual_width(kind: &TypeKind) -> usize {
    match kind {
        TypeKind::Boolean => 5,
        TypeKind::TinyInt | TypeKind::SmallInt => 6,
        TypeKind::Date => 10,
        TypeKind::Time { .. } => 8,
        TypeKind::Timestamp { precision: 0 } | TypeKind::TimestampLtz { precision: 0 } => 19,
        TypeKind::Timestamp { precision } | TypeKind::TimestampLtz { precision } => {
            20 + usize::from(*precision)
        }
        TypeKind::Char { length } if *length <= 10 => *length as usize,
        _ => 8,
    }
}
