//! Strings that match a regular expression: classes, ranges, quantifiers, groups, alternation and escapes.
//! Invariant: what is generated matches the expression. `*` and `+` repeat at most [`OPEN_REPEAT_MAX`] times, so that
//! strings stay short. Look-around, back-references and anchors inside an expression are refused.

use mainstem_core::clock::Rng;
use mainstem_core::{Error, Result};

/// How often `*`, `+` and `{n,}` repeat at most (above n).
const OPEN_REPEAT_MAX: u32 = 8;
const REPEAT_LIMIT: u32 = 10_000;
const DEPTH_LIMIT: usize = 64;

/// A compiled expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Regex {
    Literal(char),
    /// Any of these characters.
    Class(Vec<char>),
    Sequence(Vec<Regex>),
    Either(Vec<Regex>),
    Repeat(Box<Regex>, u32, u32),
}

impl Regex {
    /// Compiles `text`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut parser = Parser { text, chars: text.chars().collect(), at: 0, depth: 0 };
        let regex = parser.either()?;
        if parser.at < parser.chars.len() {
            return Err(parser.error("there is a ')' without '('"));
        }
        Ok(regex)
    }

    /// Appends a string that matches.
    pub(super) fn write(&self, rng: &mut Rng, out: &mut String) {
        match self {
            Regex::Literal(c) => out.push(*c),
            Regex::Class(chars) => out.push(chars[rng.below(chars.len() as u64) as usize]),
            Regex::Sequence(items) => items.iter().for_each(|item| item.write(rng, out)),
            Regex::Either(items) => items[rng.below(items.len() as u64) as usize].write(rng, out),
            Regex::Repeat(item, min, max) => {
                let times = if min == max {
                    *min
                } else {
                    *min + rng.below(u64::from(max - min) + 1) as u32
                };
                (0..times).for_each(|_| item.write(rng, out));
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        self.at += usize::from(is);
        is
    }

    fn either(&mut self) -> Result<Regex> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(self.error("groups are nested too deeply"));
        }
        let mut items = vec![self.sequence()?];
        while self.eat('|') {
            items.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(if items.len() == 1 { items.remove(0) } else { Regex::Either(items) })
    }

    fn sequence(&mut self) -> Result<Regex> {
        let mut items = Vec::new();
        while let Some(c) = self.peek() {
            if c == '|' || c == ')' {
                break;
            }
            let at_edge = self.at == 0 || self.at + 1 == self.chars.len();
            if (c == '^' || c == '$') && at_edge {
                self.at += 1;
                continue;
            }
            let atom = self.atom()?;
            items.push(self.quantified(atom)?);
        }
        Ok(if items.len() == 1 { items.remove(0) } else { Regex::Sequence(items) })
    }

    fn atom(&mut self) -> Result<Regex> {
        match self.next() {
            Some('(') => {
                if self.eat('?') && !self.eat(':') {
                    return Err(self.error("look-around and named groups are not supported"));
                }
                let inner = self.either()?;
                if !self.eat(')') {
                    return Err(self.error("a group is not closed by ')'"));
                }
                Ok(inner)
            }
            Some('[') => self.class(),
            Some('.') => Ok(Regex::Class(('!'..='~').collect())),
            Some('\\') => self.escape().map(|chars| match chars.as_slice() {
                [one] => Regex::Literal(*one),
                _ => Regex::Class(chars),
            }),
            Some(c @ ('*' | '+' | '?' | '{')) => Err(self.error(&format!("'{c}' repeats nothing"))),
            Some(c @ ('^' | '$')) => {
                Err(self.error(&format!("the anchor '{c}' is not at the edge")))
            }
            Some(c) => Ok(Regex::Literal(c)),
            None => Err(self.error("it ends too early")),
        }
    }

    fn quantified(&mut self, atom: Regex) -> Result<Regex> {
        let (min, max) = match self.peek() {
            Some('*') => (0, OPEN_REPEAT_MAX),
            Some('+') => (1, OPEN_REPEAT_MAX),
            Some('?') => (0, 1),
            Some('{') => {
                self.at += 1;
                let (min, max) = self.bounds()?;
                self.lazy();
                return Ok(Regex::Repeat(Box::new(atom), min, max));
            }
            _ => return Ok(atom),
        };
        self.at += 1;
        self.lazy();
        Ok(Regex::Repeat(Box::new(atom), min, max))
    }

    /// A lazy or possessive mark changes how one matches, not what matches.
    fn lazy(&mut self) {
        let _ = self.eat('?') || self.eat('+');
    }

    fn bounds(&mut self) -> Result<(u32, u32)> {
        let min = self.number()?;
        let max = if self.eat(',') {
            match self.peek() {
                Some('}') => min.unwrap_or(0) + OPEN_REPEAT_MAX,
                _ => self.number()?.ok_or_else(|| self.error("a repetition has no bound"))?,
            }
        } else {
            min.ok_or_else(|| self.error("a repetition has no bound"))?
        };
        let min = min.unwrap_or(0);
        if !self.eat('}') {
            return Err(self.error("a repetition is not closed by '}'"));
        }
        if min > max {
            return Err(self.error("a repetition's bounds are the wrong way round"));
        }
        Ok((min, max))
    }

    fn number(&mut self) -> Result<Option<u32>> {
        let mut value: Option<u32> = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            let next = value.unwrap_or(0) * 10 + digit;
            if next > REPEAT_LIMIT {
                return Err(self.error("a repetition is longer than 10000"));
            }
            value = Some(next);
        }
        Ok(value)
    }

    fn class(&mut self) -> Result<Regex> {
        let negated = self.eat('^');
        let mut chars = Vec::new();
        let mut first = true;
        loop {
            let c = match self.next() {
                None => return Err(self.error("a class is not closed by ']'")),
                Some(']') if !first => break,
                Some('\\') => {
                    let escaped = self.escape()?;
                    match escaped.as_slice() {
                        [one] => *one,
                        _ => {
                            chars.extend(escaped);
                            first = false;
                            continue;
                        }
                    }
                }
                Some(c) => c,
            };
            first = false;
            let is_range = self.peek() == Some('-') && self.chars.get(self.at + 1) != Some(&']');
            if !is_range {
                chars.push(c);
                continue;
            }
            self.at += 1;
            let end = match self.next() {
                Some('\\') => self.escape()?[0],
                Some(end) => end,
                None => return Err(self.error("a class is not closed by ']'")),
            };
            if end < c {
                return Err(self.error(&format!("the range {c}-{end} is empty")));
            }
            chars.extend(c..=end);
        }
        chars.sort_unstable();
        chars.dedup();
        if negated {
            chars = (' '..='~').filter(|c| chars.binary_search(c).is_err()).collect();
        }
        if chars.is_empty() {
            return Err(self.error("a class has no characters"));
        }
        Ok(Regex::Class(chars))
    }

    fn escape(&mut self) -> Result<Vec<char>> {
        let word = || ('0'..='9').chain('A'..='Z').chain(['_']).chain('a'..='z');
        let printable = ' '..='~';
        Ok(match self.next() {
            Some('d') => ('0'..='9').collect(),
            Some('w') => word().collect(),
            Some('s') => vec![' '],
            Some('D') => printable.filter(|c| !c.is_ascii_digit()).collect(),
            Some('W') => printable.filter(|c| !word().any(|w| w == *c)).collect(),
            Some('S') => ('!'..='~').collect(),
            Some('n') => vec!['\n'],
            Some('t') => vec!['\t'],
            Some('r') => vec!['\r'],
            Some(c) if c.is_ascii_alphanumeric() => {
                return Err(self.error(&format!("the escape \\{c} is not supported")));
            }
            Some(c) => vec![c],
            None => return Err(self.error("it ends with a backslash")),
        })
    }

    fn error(&self, what: &str) -> Error {
        Error::user(format!("regular expression '{}': {what}", self.text))
            .with_hint("classes, groups, |, *, +, ?, {n,m}, \\d, \\w and \\s are supported")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_matches() {
        let rows = [
            "[a-z]{3}",
            "[A-Z]{2}[0-9]{4,6}",
            r"\d{3}-\d{2}",
            r"\w+@\w+\.com",
            "(abc|de|f)?x*",
            "(?:a|b){2,3}[^a-z]",
            r"[\d\-_]{5}",
            "a.c",
            "^[0-9a-f]{8}-[0-9a-f]{4}$",
            "[]a]{3}",
            r"(Jan|Feb) [1-9]\s\S\D\W",
            "ă{2}[șț]",
            "",
            "a{0}b{2,}?",
        ];
        for text in rows {
            let made = Regex::parse(text).unwrap();
            let check =
                regex::Regex::new(&format!("^(?:{text})$").replace("[]a]", r"[\]a]")).unwrap();
            let mut rng = Rng::new(7);
            for _ in 0..200 {
                let mut out = String::new();
                made.write(&mut rng, &mut out);
                assert!(check.is_match(&out), "{text} made {out:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        let rows = [
            ("[a-z", "not closed by ']'"),
            ("(a", "not closed by ')'"),
            ("a)", "a ')' without '('"),
            ("a{2", "not closed by '}'"),
            ("a{3,2}", "wrong way round"),
            ("a{99999}", "longer than 10000"),
            ("*a", "repeats nothing"),
            ("[z-a]", "the range z-a is empty"),
            ("(?=a)", "look-around"),
            (r"\b", r"the escape \b"),
            ("a^b", "anchor"),
        ];
        for (text, expected) in rows {
            let error = Regex::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
