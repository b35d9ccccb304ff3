//! Aligned columns for people: a head in capitals, two spaces between columns, numbers to the right.
//! Invariant: nothing is cut, no line ends in spaces, and control characters never reach the terminal.

use std::fmt::Write as _;

/// Where a column's texts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under a head.
#[derive(Debug)]
pub(crate) struct Columns {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    pub(crate) fn new(head: &[(&'static str, Align)]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// One text a column.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        let row: Vec<String> = row.into_iter().map(|cell| visible(&cell)).collect();
        assert_eq!(row.len(), self.head.len(), "a row has one text a column");
        self.rows.push(row);
    }

    /// The lines, each after `indent`.
    pub(crate) fn text(&self, indent: &str) -> String {
        let head: Vec<String> = self.head.iter().map(|(name, _)| (*name).to_owned()).collect();
        let lines = || std::iter::once(&head).chain(&self.rows);
        let width = |nth: usize| lines().map(|row| row[nth].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut text = String::new();
        for row in lines() {
            let mut line = indent.to_owned();
            for (nth, cell) in row.iter().enumerate() {
                let gap = if nth == 0 { "" } else { "  " };
                let width = widths[nth];
                match self.head[nth].1 {
                    Align::Left => write!(line, "{gap}{cell:width$}"),
                    Align::Right => write!(line, "{gap}{cell:>width$}"),
                }
                .expect("a String takes all");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Names come from others: what could steer a terminal is escaped.
fn visible(text: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().collect::<String>(),
        false => c.to_string(),
    };
    if text.chars().any(char::is_control) {
        text.chars().map(escape).collect()
    } else {
        text.into()
    }
}

/// `2 partitions`, `1 partition`.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// A number, or a dash for none.
pub(crate) fn or_dash(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_owned(), |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut columns =
            Columns::new(&[("NAME", Align::Left), ("N", Align::Right), ("X", Align::Left)]);
        columns.push(["a\u{1b}[31m".to_owned(), "5".to_owned(), String::new()]);
        columns.push(["b".to_owned(), "1000".to_owned(), "y".to_owned()]);
        assert_eq!(
            columns.text("  "),
            "  NAME            N  X\n  a\\u{1b}[31m     5\n  b            1000  y\n"
        );
    }

    #[test]
    fn counts_have_a_number() {
        assert_eq!(
            (count(1, "record").as_str(), count(0, "record").as_str()),
            ("1 record", "0 records")
        );
    }
}
