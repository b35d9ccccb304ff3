//! Tables that read the same on a terminal and in Markdown, and how numbers stand in them.

use std::fmt::Write as _;

/// Rows under a head; the first columns are texts, the others are numbers.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    texts: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The head; so many columns from the left are texts.
    pub(crate) fn new(texts: usize, head: &[impl AsRef<str>]) -> Self {
        let head = head.iter().map(|name| name.as_ref().to_owned()).collect();
        Self { head, texts, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.head.len(), "a row has a cell for each column");
        self.rows.push(row);
    }

    /// Markdown, its columns aligned.
    pub(crate) fn text(&self) -> String {
        let mut widths: Vec<usize> =
            self.head.iter().map(|name| name.chars().count().max(3)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = String::new();
        self.line(&mut out, &self.head, &widths);
        let rules: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(i, &width)| match i < self.texts {
                true => "-".repeat(width),
                false => format!("{}:", "-".repeat(width - 1)),
            })
            .collect();
        self.line(&mut out, &rules, &widths);
        for row in &self.rows {
            self.line(&mut out, row, &widths);
        }
        out
    }

    fn line(&self, out: &mut String, cells: &[String], widths: &[usize]) {
        for (i, (cell, &width)) in cells.iter().zip(widths).enumerate() {
            let written = match i < self.texts {
                true => write!(out, "| {cell:width$} "),
                false => write!(out, "| {cell:>width$} "),
            };
            written.expect("a String takes every text");
        }
        out.push_str("|\n");
    }
}

/// Events a second: `3.07 M`, `375 k`, `-` where there is no answer.
pub(crate) fn per_second(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(rate) if rate >= 999_500.0 => format!("{:.2} M", rate / 1e6),
        Some(rate) if rate >= 999.5 => format!("{:.0} k", rate / 1e3),
        Some(rate) => format!("{rate:.0}"),
    }
}

/// How many times: two digits that mean something.
pub(crate) fn times(ratio: Option<f64>) -> String {
    match ratio {
        None => "-".to_owned(),
        Some(ratio) if ratio >= 9.95 => format!("{ratio:.0}"),
        Some(ratio) if ratio >= 0.995 => format!("{ratio:.1}"),
        Some(ratio) => format!("{ratio:.2}"),
    }
}

pub(crate) fn seconds(value: f64) -> String {
    format!("{value:.2}")
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(1, &["q", "events"]);
        table.push(vec!["q12".to_owned(), "7".to_owned()]);
        assert_eq!(table.text(), "| q   | events |\n| --- | -----: |\n| q12 |      7 |\n");
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        let rates =
            [None, Some(12.4), Some(999.6), Some(375_400.0), Some(999_600.0), Some(3_071_000.0)];
        let rates = rates.map(per_second);
        assert_eq!(rates, ["-", "12", "1 k", "375 k", "1.00 M", "3.07 M"]);
        let ratios = [None, Some(0.8412), Some(1.0), Some(6.04), Some(12.3)].map(times);
        assert_eq!(ratios, ["-", "0.84", "1.0", "6.0", "12"]);
    }
}
