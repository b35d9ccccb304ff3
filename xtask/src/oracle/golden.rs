//! The text of a golden file, read and compared.
//!
//! For a SQL file: sections, with an empty line between them. `-- query N` opens the N-th query, `-- statement N` any other
//! statement (N counts all) that has rows, as DESCRIBE has, or that fails; `-- columns: a INT | b ...` follows where there are
//! columns; then one line per change, `+I`, `-U`, `+U` or `-D` and the values with ` | ` between, or one line
//! `error: Class: message`. For a list of expressions: `expression => TYPE => value` or `expression => error: ...` per line;
//! an expression may be a whole SELECT: `query => TYPE | ... => row; ...` are the rows that it leaves in the end, sorted, or `no row`.
//!
//! Invariant: the order of lines counts; whether it has to is a question for the reader, who knows the query.

use std::fmt;

/// A golden file in its sections; lines before the first title are a section without one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Golden {
    pub(crate) sections: Vec<Section>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

/// One place where two goldens part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) section: String,
    pub(crate) expected: Option<String>,
    pub(crate) actual: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |line: &Option<String>| line.clone().unwrap_or_else(|| "(nothing)".to_owned());
        let title = if self.section.is_empty() { "expressions" } else { &self.section };
        write!(f, "{title}\n  - {}\n  + {}", text(&self.expected), text(&self.actual))
    }
}

impl Golden {
    pub(crate) fn parse(text: &str) -> Self {
        let mut sections = vec![Section::default()];
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(title) = line.strip_prefix("-- ").filter(|rest| is_title(rest)) {
                sections.push(Section { title: title.to_owned(), lines: Vec::new() });
            } else if let Some(section) = sections.last_mut() {
                section.lines.push(line.to_owned());
            }
        }
        sections.retain(|section| !section.title.is_empty() || !section.lines.is_empty());
        Self { sections }
    }

    /// The first line that differs of each section, in the order of `self`, then the sections that only `actual` has.
    pub(crate) fn differences(&self, actual: &Self) -> Vec<Difference> {
        let find = |golden: &Self, title: &str| {
            golden.sections.iter().position(|section| section.title == title)
        };
        let mut differences = Vec::new();
        for section in &self.sections {
            let lines = find(actual, &section.title).map(|i| actual.sections[i].lines.as_slice());
            differences.extend(section.first_difference(lines.unwrap_or_default()));
        }
        for section in &actual.sections {
            if find(self, &section.title).is_none() {
                let nothing = Section { title: section.title.clone(), lines: Vec::new() };
                differences.extend(nothing.first_difference(&section.lines));
            }
        }
        differences
    }
}

fn is_title(rest: &str) -> bool {
    let number = rest.strip_prefix("query ").or_else(|| rest.strip_prefix("statement "));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Section {
    fn first_difference(&self, actual: &[String]) -> Option<Difference> {
        let length = self.lines.len().max(actual.len());
        let first = (0..length).find(|&i| self.lines.get(i) != actual.get(i))?;
        Some(Difference {
            section: self.title.clone(),
            expected: self.lines.get(first).cloned(),
            actual: actual.get(first).cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found_per_section() {
        let rows: &[(&str, &str, &[&str])] = &[
            ("-- query 1\n+I 1\n", "-- query 1\n+I 1\n", &[]),
            ("-- query 1\n+I 1\n", "-- query 1\n+I 2\n", &["query 1: +I 1 / +I 2"]),
            ("-- query 1\n+I 1\n+I 2\n", "-- query 1\n+I 1\n", &["query 1: +I 2 / -"]),
            ("-- query 1\n+I 1\n", "", &["query 1: +I 1 / -"]),
            ("", "-- statement 3\nerror: A: b\n", &["statement 3: - / error: A: b"]),
            ("1 => INT => 1\n", "1 => INT => 2\n", &[": 1 => INT => 1 / 1 => INT => 2"]),
            (
                "-- query 1\n-- columns: a INT\n+I 1\n\n-- query 2\n+I 5\n",
                "-- query 1\n-- columns: a BIGINT\n+I 1\n\n-- query 2\n+I 5\n",
                &["query 1: -- columns: a INT / -- columns: a BIGINT"],
            ),
        ];
        for (expected, actual, want) in rows {
            let found = Golden::parse(expected).differences(&Golden::parse(actual));
            let show = |line: &Option<String>| line.clone().unwrap_or_else(|| "-".to_owned());
            let found: Vec<String> = found
                .iter()
                .map(|d| format!("{}: {} / {}", d.section, show(&d.expected), show(&d.actual)))
                .collect();
            assert_eq!(found, *want, "{expected:?} against {actual:?}");
        }
    }
}
