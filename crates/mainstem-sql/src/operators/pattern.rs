//! LIKE and SIMILAR TO.
//! Invariant: a constant pattern is compiled once, at bind time, and the common shapes (`abc`, `abc%`, `%abc`,
//! `%abc%`) never reach the general matcher. `%` matches anything, `_` any character that does not end a line, as in
//! Flink, whose patterns become Java regular expressions.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use mainstem_core::{DataType, Error, Result, TypeKind};
use memchr::memmem;
use regex::Regex;

use super::{BinaryOp, binding};
use crate::functions::{Argument, Binding};
use crate::lift;

/// The characters that a `.` of a Java regular expression passes over.
const LINE_ENDS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// A compiled pattern.
#[derive(Debug)]
enum Matcher {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(Box<memmem::Finder<'static>>),
    Wildcards(Vec<Wildcard>),
    Expression(Regex),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wildcard {
    Character(char),
    AnyOne,
    AnyMany,
}

pub(super) fn bind(
    op: BinaryOp,
    value: &Argument,
    pattern: &Argument,
    escape: Option<&Argument>,
) -> Result<Binding> {
    let operands = [Some(value), Some(pattern), escape];
    let types: Vec<&DataType> = operands.iter().flatten().map(|a| &a.data_type).collect();
    let is_text = |t: &DataType| t.kind.is_string() || t.kind == TypeKind::Null;
    if let Some(other) = types.iter().find(|t| !is_text(t)) {
        return Err(Error::user(format!("cannot apply {op} to {}", other.kind)));
    }
    let nullable = types.iter().any(|t| t.nullable || t.kind == TypeKind::Null);
    let arguments = types
        .iter()
        .map(|t| if t.kind == TypeKind::Null { DataType::string() } else { (*t).clone() })
        .collect();
    let similar = matches!(op, BinaryOp::SimilarTo | BinaryOp::NotSimilarTo);
    let negated = matches!(op, BinaryOp::NotLike | BinaryOp::NotSimilarTo);
    let escaped = escape.map_or(Some(None), |escape| constant(escape).map(Some));
    let kernel = match (constant(pattern), escaped) {
        (Some(pattern), Some(escape)) => {
            let matcher = compile(&pattern, escape.as_deref(), similar)?;
            let fixed = lift::unary(move |array| Ok(match_all(&matcher, array, negated)));
            // The other operands are constants: only the first decides whether the result is one value.
            Arc::new(move |arguments: &[_], rows, cx: &_| fixed(&arguments[..1], rows, cx))
        }
        _ => lift::zipped(move |arguments| match_each(arguments, similar, negated)),
    };
    Ok(binding(DataType { kind: TypeKind::Boolean, nullable }, arguments, kernel))
}

/// `text LIKE pattern`, outside of any query.
pub(crate) fn like_matches(text: &str, pattern: &str) -> Result<bool> {
    Ok(compile(pattern, None, false)?.matches(text))
}

/// The text of a constant that is not NULL.
fn constant(argument: &Argument) -> Option<String> {
    let literal = argument.literal.as_ref()?;
    let text = literal.as_any().downcast_ref::<StringArray>()?;
    text.is_valid(0).then(|| text.value(0).to_owned())
}

fn match_all(matcher: &Matcher, array: &ArrayRef, negated: bool) -> ArrayRef {
    let texts = array.as_string::<i32>();
    let answers = BooleanBuffer::collect_bool(texts.len(), |row| {
        matcher.matches(texts.value(row)) != negated
    });
    Arc::new(BooleanArray::new(answers, texts.nulls().cloned()))
}

/// A pattern per row; equal neighbours are compiled once.
fn match_each(arguments: &[ArrayRef], similar: bool, negated: bool) -> Result<ArrayRef> {
    let texts: Vec<&StringArray> = arguments.iter().map(|a| a.as_string::<i32>()).collect();
    let nulls = texts.iter().fold(None, |nulls: Option<NullBuffer>, column| {
        NullBuffer::union(nulls.as_ref(), column.nulls())
    });
    let mut compiled: Option<((&str, Option<&str>), Matcher)> = None;
    let mut answers = Vec::with_capacity(texts[0].len());
    for row in 0..texts[0].len() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            answers.push(false);
            continue;
        }
        let key = (texts[1].value(row), texts.get(2).map(|escapes| escapes.value(row)));
        let matcher = match compiled.take() {
            Some((last, matcher)) if last == key => matcher,
            _ => compile(key.0, key.1, similar)?,
        };
        answers.push(matcher.matches(texts[0].value(row)) != negated);
        compiled = Some((key, matcher));
    }
    Ok(Arc::new(BooleanArray::new(answers.into(), nulls)))
}

fn compile(pattern: &str, escape: Option<&str>, similar: bool) -> Result<Matcher> {
    let escape = match escape.map(|e| (e, e.chars().next(), e.chars().count())) {
        None => None,
        Some((_, Some(one), 1)) => Some(one),
        Some((text, ..)) => {
            return Err(Error::user(format!("invalid escape character '{text}'"))
                .with_hint("an escape is exactly one character"));
        }
    };
    if similar {
        return similar_to(pattern, escape);
    }
    Ok(Matcher::of(wildcards(pattern, escape)?))
}

fn wildcards(pattern: &str, escape: Option<char>) -> Result<Vec<Wildcard>> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        out.push(if Some(character) == escape {
            match characters.next() {
                Some(next) if next == '%' || next == '_' || Some(next) == escape => {
                    Wildcard::Character(next)
                }
                _ => return Err(invalid_escape(pattern)),
            }
        } else {
            match character {
                '%' => Wildcard::AnyMany,
                '_' => Wildcard::AnyOne,
                other => Wildcard::Character(other),
            }
        });
    }
    Ok(out)
}

fn invalid_escape(pattern: &str) -> Error {
    Error::user(format!("invalid escape sequence in the pattern '{pattern}'"))
        .with_hint("an escape stands before %, _ or itself")
}

impl Matcher {
    fn of(wildcards: Vec<Wildcard>) -> Self {
        let literal = |part: &[Wildcard]| -> Option<String> {
            part.iter()
                .map(|w| if let Wildcard::Character(c) = w { Some(*c) } else { None })
                .collect()
        };
        let many = Wildcard::AnyMany;
        let shape = match wildcards.as_slice() {
            [first, inner @ .., last] if *first == many && *last == many => literal(inner)
                .map(|text| Self::Contains(Box::new(memmem::Finder::new(&text).into_owned()))),
            [first, rest @ ..] if *first == many => literal(rest).map(Self::EndsWith),
            [rest @ .., last] if *last == many => literal(rest).map(Self::StartsWith),
            all => literal(all).map(Self::Equals),
        };
        shape.unwrap_or(Self::Wildcards(wildcards))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Equals(whole) => text == whole,
            Self::StartsWith(start) => text.starts_with(start.as_str()),
            Self::EndsWith(end) => text.ends_with(end.as_str()),
            Self::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Self::Wildcards(wildcards) => match_wildcards(wildcards, text),
            Self::Expression(expression) => expression.is_match(text),
        }
    }
}

/// Tries the shortest stretch for each `%`, and comes back to the last one only.
fn match_wildcards(wildcards: &[Wildcard], text: &str) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let mut ahead = rest.clone();
        let next = ahead.next();
        let steps = match (wildcards.get(at), next) {
            (Some(Wildcard::AnyMany), _) => {
                retry = Some((at + 1, rest.clone()));
                at += 1;
                continue;
            }
            (Some(Wildcard::Character(wanted)), Some(given)) => *wanted == given,
            (Some(Wildcard::AnyOne), Some(given)) => !LINE_ENDS.contains(&given),
            (None, None) => return true,
            (Some(_), None) => return false,
            (None, Some(_)) => false,
        };
        if steps {
            rest = ahead;
            at += 1;
            continue;
        }
        let Some((after, mut from)) = retry.take() else { return false };
        from.next();
        rest = from.clone();
        at = after;
        retry = Some((after, from));
    }
}

/// SQL's regular expressions, written in the `regex` crate's.
fn similar_to(pattern: &str, escape: Option<char>) -> Result<Matcher> {
    let mut out = String::from("^(?:");
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            c if Some(c) == escape => {
                let next = characters.next().ok_or_else(|| invalid_escape(pattern))?;
                out.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
            }
            '%' => out.push_str("(?s:.*)"),
            '_' | '.' => out.push_str("[^\\n\\r\\x{85}\\x{2028}\\x{2029}]"),
            '[' => push_set(&mut out, &mut characters, pattern)?,
            '(' | ')' | '|' | '*' | '+' | '?' | '{' | '}' => out.push(character),
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str(")$");
    let expression = Regex::new(&out).map_err(|e| {
        Error::user(format!("invalid regular expression '{pattern}'")).with_source(e)
    })?;
    Ok(Matcher::Expression(expression))
}

/// `[abc]`, `[^a-z]`, `[[:DIGIT:]]`: what follows the opening bracket, up to the closing one.
fn push_set(
    out: &mut String,
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    pattern: &str,
) -> Result<()> {
    out.push('[');
    while let Some(character) = characters.next() {
        match character {
            ']' => {
                out.push(']');
                return Ok(());
            }
            '[' if characters.peek() == Some(&':') => {
                let name: String =
                    characters.by_ref().take_while(|c| *c != ']').collect::<String>();
                let class = match name.trim_matches(':').to_ascii_uppercase().as_str() {
                    "ALPHA" => "[:alpha:]",
                    "UPPER" => "[:upper:]",
                    "LOWER" => "[:lower:]",
                    "DIGIT" => "[:digit:]",
                    "SPACE" => " ",
                    "WHITESPACE" => "[:space:]",
                    "ALNUM" => "[:alnum:]",
                    _ => {
                        return Err(Error::user(format!(
                            "invalid regular expression '{pattern}': unknown class [{name}]"
                        )));
                    }
                };
                out.push_str(class);
            }
            '^' | '-' => out.push(character),
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    Err(Error::user(format!("invalid regular expression '{pattern}': a [ is not closed")))
}
