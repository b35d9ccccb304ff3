//! JSON paths: `$.a`, `['a b']`, `[0]`, `[-1]`, `[1:3]`, `[0,2]`, `[*]`, `.*`, `..a`, and the modes lax and strict.
//! Invariant: a path finds what Jayway's JsonPath finds, which Flink runs. Filters (`[?(...)]`) and functions
//! (`.length()`) are refused when the path is bound.

use std::borrow::Cow;

use mainstem_core::{Error, Result};

use super::document::Node;

/// How a path treats what is not there. A path without a mode is strict, as in Flink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Lax,
    Strict,
}

/// A path, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) mode: Mode,
    /// `None` if the text is not a path: every value then meets the ON ERROR of its call.
    tokens: Option<Vec<Token>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Key(String),
    Keys(Vec<String>),
    Index(i64),
    Indexes(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    Wildcard,
    Deep,
}

/// What a path finds in a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found<'n, 'a> {
    /// The value at a definite path.
    One(Cow<'n, Node<'a>>),
    /// A definite path leads nowhere and the mode is lax.
    Nothing,
    /// A path error: nowhere in strict mode, or not a path.
    Fault,
}

impl Path {
    /// Takes a path apart. An error is about a path that Flink runs and we do not.
    pub(crate) fn parse(spec: &str) -> Result<Self> {
        let (mode, text) = split_mode(spec);
        let tokens = match Parser::new(text).and_then(|mut parser| parser.run()) {
            Ok(tokens) => Some(tokens),
            Err(Fault::Malformed) => None,
            Err(Fault::Unsupported(what)) => {
                return Err(Error::user(format!(
                    "the JSON path '{spec}' uses {what}, which is not supported"
                ))
                .with_hint("a path may have .key, ['key'], [n], [from:to], [*], .* and ..key"));
            }
        };
        Ok(Self { mode, tokens })
    }

    /// Follows the path from the root of a document.
    pub(crate) fn find<'n, 'a>(&self, root: &'n Node<'a>) -> Found<'n, 'a> {
        let Some(tokens) = &self.tokens else { return Found::Fault };
        if *root == Node::Null {
            return Found::Fault;
        }
        let lax = self.mode == Mode::Lax;
        let definite = tokens.iter().all(Token::is_definite);
        let mut found = Vec::new();
        let walked = walk(root, tokens, true, lax, &mut found);
        if !definite {
            let items = found.into_iter().map(Cow::into_owned).collect();
            return match walked {
                Ok(()) => Found::One(Cow::Owned(Node::Array(items))),
                Err(Missing) => Found::Fault,
            };
        }
        match found.pop() {
            Some(node) if *node == Node::Null => self.nowhere(),
            Some(node) => Found::One(node),
            None => self.nowhere(),
        }
    }

    fn nowhere<'n, 'a>(&self) -> Found<'n, 'a> {
        match self.mode {
            Mode::Lax => Found::Nothing,
            Mode::Strict => Found::Fault,
        }
    }
}

/// The mode before a path, in any case, with white space after it.
fn split_mode(spec: &str) -> (Mode, &str) {
    let text = spec.trim_start();
    for (word, mode) in [("strict", Mode::Strict), ("lax", Mode::Lax)] {
        let Some(head) = text.get(..word.len()) else { continue };
        let rest = &text[word.len()..];
        let path = rest.trim_start();
        if head.eq_ignore_ascii_case(word) && path.len() < rest.len() && !path.is_empty() {
            return (mode, path);
        }
    }
    (Mode::Strict, spec)
}

impl Token {
    fn is_definite(&self) -> bool {
        matches!(self, Token::Key(_) | Token::Keys(_) | Token::Index(_))
    }
}

struct Missing;

/// Collects what the tokens lead to. Where a definite way ends before its last token, that is [`Missing`].
fn walk<'n, 'a>(
    node: &'n Node<'a>,
    tokens: &[Token],
    definite: bool,
    lax: bool,
    found: &mut Vec<Cow<'n, Node<'a>>>,
) -> Result<(), Missing> {
    let Some((token, rest)) = tokens.split_first() else {
        found.push(Cow::Borrowed(node));
        return Ok(());
    };
    let missing = || if definite && !lax { Err(Missing) } else { Ok(()) };
    let onwards = definite && token.is_definite();
    match (token, node) {
        (Token::Key(key), Node::Object(entries)) => match entries.iter().find(|(k, _)| k == key) {
            Some((_, value)) => walk(value, rest, onwards, lax, found),
            None if rest.is_empty() => Ok(()),
            None => missing(),
        },
        (Token::Keys(keys), Node::Object(entries)) => {
            let picked = keys.iter().filter_map(|key| entries.iter().find(|(k, _)| k == key));
            found.push(Cow::Owned(Node::Object(picked.cloned().collect())));
            Ok(())
        }
        (Token::Index(index), Node::Array(items)) => match place(*index, items.len()) {
            Some(place) => walk(&items[place], rest, onwards, lax, found),
            None => Ok(()),
        },
        (Token::Indexes(indexes), Node::Array(items)) => indexes
            .iter()
            .filter_map(|index| place(*index, items.len()))
            .try_for_each(|place| walk(&items[place], rest, false, lax, found)),
        (Token::Slice(from, to), Node::Array(items)) => items
            .get(slice(*from, *to, items.len()))
            .unwrap_or_default()
            .iter()
            .try_for_each(|item| walk(item, rest, false, lax, found)),
        (Token::Wildcard, Node::Array(items)) => {
            items.iter().try_for_each(|item| walk(item, rest, false, lax, found))
        }
        (Token::Wildcard, Node::Object(entries)) => {
            entries.iter().try_for_each(|(_, value)| walk(value, rest, false, lax, found))
        }
        (Token::Deep, _) => deep(node, rest, lax, found),
        (Token::Wildcard, _) => Ok(()),
        _ => missing(),
    }
}

/// The rest of the path from here and from everything below, parents first.
fn deep<'n, 'a>(
    node: &'n Node<'a>,
    rest: &[Token],
    lax: bool,
    found: &mut Vec<Cow<'n, Node<'a>>>,
) -> Result<(), Missing> {
    let fits = match rest.first() {
        Some(Token::Key(_) | Token::Keys(_)) => matches!(node, Node::Object(_)),
        Some(Token::Wildcard) => !node.is_scalar(),
        _ => matches!(node, Node::Array(_)),
    };
    if fits {
        walk(node, rest, false, lax, found)?;
    }
    match node {
        Node::Array(items) => items.iter().try_for_each(|item| deep(item, rest, lax, found)),
        Node::Object(entries) => entries.iter().try_for_each(|(_, v)| deep(v, rest, lax, found)),
        _ => Ok(()),
    }
}

fn place(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index + length as i64 } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

/// `[from:to]`: negative bounds count from the end, but a negative `to` with a `from` finds nothing, as in Jayway.
fn slice(from: Option<i64>, to: Option<i64>, length: usize) -> std::ops::Range<usize> {
    let size = length as i64;
    let (start, end) = match (from, to) {
        (Some(from), None) if from < 0 => ((size + from).max(0), size),
        (Some(from), None) => (from, size),
        (None, Some(to)) if to < 0 => (0, size + to),
        (None, Some(to)) => (0, to.min(size)),
        (Some(from), Some(to)) => (from.max(0), to.min(size)),
        (None, None) => (0, 0),
    };
    if start >= end { 0..0 } else { start as usize..end as usize }
}

enum Fault {
    Malformed,
    Unsupported(&'static str),
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    /// A path that does not start at the root is read as if it did.
    fn new(text: &'t str) -> Result<Self, Fault> {
        match text.strip_prefix('$') {
            Some(rest) if rest.is_empty() || rest.starts_with(['.', '[']) => Ok(Self { rest }),
            Some(_) => Err(Fault::Malformed),
            None if text.is_empty() || text.starts_with('@') => Err(Fault::Malformed),
            None => Ok(Self { rest: text }),
        }
    }

    fn run(&mut self) -> Result<Vec<Token>, Fault> {
        let mut tokens = Vec::new();
        if !self.rest.is_empty() && !self.rest.starts_with(['.', '[']) {
            tokens.push(self.property()?);
        }
        while !self.rest.is_empty() {
            if let Some(rest) = self.rest.strip_prefix("..") {
                self.rest = rest;
                tokens.push(Token::Deep);
                if !self.rest.starts_with('[') {
                    tokens.push(self.property()?);
                }
            } else if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                if !self.rest.starts_with('[') {
                    tokens.push(self.property()?);
                }
            } else if let Some(rest) = self.rest.strip_prefix('[') {
                self.rest = rest.trim_start();
                tokens.push(self.bracket()?);
            } else {
                return Err(Fault::Malformed);
            }
        }
        let last = tokens.len().saturating_sub(1);
        if tokens.iter().take(last).any(|token| matches!(token, Token::Keys(_))) {
            return Err(Fault::Unsupported("several keys before its end"));
        }
        match tokens.last() {
            Some(Token::Deep) => Err(Fault::Malformed),
            _ => Ok(tokens),
        }
    }

    fn property(&mut self) -> Result<Token, Fault> {
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            return Ok(Token::Wildcard);
        }
        let end = self.rest.find(['.', '[', '(', ' ']).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if rest.starts_with('(') {
            return Err(Fault::Unsupported("a function"));
        }
        if name.is_empty() || rest.starts_with(' ') {
            return Err(Fault::Malformed);
        }
        self.rest = rest;
        Ok(Token::Key(name.to_string()))
    }

    fn bracket(&mut self) -> Result<Token, Fault> {
        if self.rest.starts_with('?') {
            return Err(Fault::Unsupported("a filter"));
        }
        if self.rest.starts_with(['\'', '"']) {
            return self.quoted();
        }
        let (body, rest) = self.rest.split_once(']').ok_or(Fault::Malformed)?;
        self.rest = rest;
        let number = |text: &str| text.trim().parse::<i64>().map_err(|_| Fault::Malformed);
        let body = body.trim();
        if body == "*" {
            return Ok(Token::Wildcard);
        }
        if let Some((from, to)) = body.split_once(':') {
            let bound = |text: &str| match text.trim() {
                "" => Ok(None),
                text => number(text).map(Some),
            };
            return match (bound(from)?, bound(to)?) {
                (None, None) => Err(Fault::Malformed),
                (from, to) => Ok(Token::Slice(from, to)),
            };
        }
        let indexes: Vec<i64> = body.split(',').map(number).collect::<Result<_, _>>()?;
        Ok(match indexes[..] {
            [index] => Token::Index(index),
            _ => Token::Indexes(indexes),
        })
    }

    /// `'key'` or `'key', 'key'` and the closing bracket.
    fn quoted(&mut self) -> Result<Token, Fault> {
        let mut keys = Vec::new();
        loop {
            keys.push(self.quoted_key()?);
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix(']') {
                self.rest = rest;
                break;
            }
            self.rest = self.rest.strip_prefix(',').ok_or(Fault::Malformed)?.trim_start();
        }
        Ok(match keys.len() {
            1 => Token::Key(keys.remove(0)),
            _ => Token::Keys(keys),
        })
    }

    fn quoted_key(&mut self) -> Result<String, Fault> {
        let mut chars = self.rest.chars();
        let quote = chars.next().filter(|c| matches!(c, '\'' | '"')).ok_or(Fault::Malformed)?;
        let mut key = String::new();
        loop {
            match chars.next().ok_or(Fault::Malformed)? {
                '\\' => key.push(chars.next().ok_or(Fault::Malformed)?),
                c if c == quote => break,
                c => key.push(c),
            }
        }
        self.rest = chars.as_str();
        Ok(key)
    }
}
