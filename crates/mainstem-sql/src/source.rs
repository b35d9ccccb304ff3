//! The text of a SQL file with `${NAME}` filled in, and the way back from an offset to line and column.
//! Invariant: every offset the parser knows is an offset into `text`; `position` maps it to the file as written, so
//! that an error inside a filled-in value points at its `${`.

use std::collections::BTreeMap;

use crate::error::{SqlError, SqlResult};

/// A half-open range of byte offsets in the filled-in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// From `start` to `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The span that covers both.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A SQL file.
#[derive(Debug, Clone)]
pub struct SourceText {
    /// Its name in messages.
    pub name: String,
    /// What is parsed.
    pub text: String,
    original: String,
    /// (offset in text, offset in original, true if the piece is as written), ascending.
    segments: Vec<(usize, usize, bool)>,
}

/// A place in a file as people count: line and column from 1, and the line itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The text of the line.
    pub line_text: String,
}

impl SourceText {
    /// Fills `${NAME}` and `${NAME:-default}` from `variables`. A name without value or default is an error.
    pub fn new(
        name: impl Into<String>,
        original: impl Into<String>,
        variables: &BTreeMap<String, String>,
    ) -> SqlResult<Self> {
        let (name, original) = (name.into(), original.into());
        let mut source = Self { name, text: String::new(), original, segments: Vec::new() };
        let mut at = 0;
        while let Some(found) = source.original[at..].find("${") {
            let open = at + found;
            let Some((variable, default, end)) = parse_reference(&source.original, open) else {
                source.push_verbatim(at, open + 2);
                at = open + 2;
                continue;
            };
            let value = match (variables.get(variable), default) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => default.to_owned(),
                (None, None) => {
                    let message = format!("variable '{variable}' has no value");
                    let hint = format!(
                        "give it with --var {variable}=..., in the environment, or write \
                         ${{{variable}:-default}}"
                    );
                    source.push_verbatim(at, source.original.len());
                    let span = Span::new(
                        source.text.len() - (source.original.len() - open),
                        source.text.len() - (source.original.len() - end),
                    );
                    return Err(SqlError::new(message, span).with_hint(hint).located(&source));
                }
            };
            source.push_verbatim(at, open);
            source.segments.push((source.text.len(), open, false));
            source.text.push_str(&value);
            at = end;
        }
        source.push_verbatim(at, source.original.len());
        Ok(source)
    }

    fn push_verbatim(&mut self, from: usize, to: usize) {
        self.segments.push((self.text.len(), from, true));
        let piece = self.original[from..to].to_owned();
        self.text.push_str(&piece);
    }

    /// Where `offset` of the filled-in text stands in the file as written.
    pub fn position(&self, offset: usize) -> Position {
        let index = self.segments.partition_point(|s| s.0 <= offset).saturating_sub(1);
        let mapped = self.segments.get(index).map_or(0, |&(text, original, verbatim)| {
            if verbatim { original + (offset - text) } else { original }
        });
        let mapped = mapped.min(self.original.len());
        let line_start = self.original[..mapped].rfind('\n').map_or(0, |i| i + 1);
        let line_end =
            self.original[mapped..].find('\n').map_or(self.original.len(), |i| mapped + i);
        Position {
            line: self.original[..mapped].matches('\n').count() + 1,
            column: self.original[line_start..mapped].chars().count() + 1,
            line_text: self.original[line_start..line_end].trim_end().to_owned(),
        }
    }
}

/// `${NAME}` or `${NAME:-default}` at `open`: the name, the default, and the offset behind the brace.
fn parse_reference(text: &str, open: usize) -> Option<(&str, Option<&str>, usize)> {
    let rest = &text[open + 2..];
    let close = rest.find('}')?;
    let inside = &rest[..close];
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let valid = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    valid.then_some((name, default, open + 2 + close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn fills_in_values_and_defaults() {
        let source =
            SourceText::new("f", "a ${X} ${Y:-z} $ ${", &vars(&[("X", "long value")])).unwrap();
        assert_eq!(source.text, "a long value z $ ${");
    }

    #[test]
    fn positions_point_into_the_file_as_written() {
        let source = SourceText::new("f", "a\n${X} b", &vars(&[("X", "12345")])).unwrap();
        let b = source.text.find('b').unwrap();
        assert_eq!(source.position(b).line, 2);
        assert_eq!(source.position(b).column, 6);
        assert_eq!(source.position(4).column, 1, "inside the value: at its ${{");
    }

    #[test]
    fn a_variable_without_value_is_an_error_with_its_place() {
        let error = SourceText::new("f", "x\n  ${NAME}", &vars(&[])).unwrap_err();
        assert!(error.to_string().contains("'NAME' has no value"));
        assert_eq!(error.position().map(|p| (p.line, p.column)), Some((2, 3)));
    }
}
