//! SQL text to tokens.
//! Invariant: every token has the span it stands in; comments vanish, hints (`/*+ ... */`) do not. The only errors
//! here are unterminated quotes and comments and characters SQL does not know.

use crate::error::{SqlError, SqlResult};
use crate::source::Span;

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where.
    pub span: Span,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// An unquoted word, as written.
    Word(String),
    /// A word in backticks.
    Quoted(String),
    /// Digits, with fraction and exponent if any, as written.
    Number(String),
    /// 'text', quotes taken off.
    String(String),
    /// x'0a', the bytes.
    Binary(Vec<u8>),
    /// An operator or a punctuation mark.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

/// Longest first, so that the first match is the right one.
const SYMBOLS: &[&str] = &[
    "<=>", "<>", "!=", "<=", ">=", "=>", "->", "||", "::", "(", ")", "[", "]", "{", "}", ",", ";",
    ".", "+", "-", "*", "/", "%", "=", "<", ">", ":", "?", "^", "|",
];

/// All tokens of `text`, with `End` as the last.
pub fn tokenize(text: &str) -> SqlResult<Vec<Token>> {
    let mut lexer = Lexer { text, at: 0, in_hint: false };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let end = token.kind == TokenKind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    in_hint: bool,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn token(&mut self, kind: TokenKind, length: usize) -> Token {
        let span = Span::new(self.at, self.at + length);
        self.at += length;
        Token { kind, span }
    }

    fn next(&mut self) -> SqlResult<Token> {
        self.skip_blank()?;
        let Some(first) = self.rest().chars().next() else {
            return Ok(self.token(TokenKind::End, 0));
        };
        if self.in_hint && self.rest().starts_with("*/") {
            self.in_hint = false;
            return Ok(self.token(TokenKind::Symbol("*/"), 2));
        }
        if self.rest().starts_with("/*+") {
            self.in_hint = true;
            return Ok(self.token(TokenKind::Symbol("/*+"), 3));
        }
        match first {
            '\'' => {
                let (value, length) = self.quoted('\'')?;
                Ok(self.token(TokenKind::String(value), length))
            }
            '`' => {
                let (value, length) = self.quoted('`')?;
                Ok(self.token(TokenKind::Quoted(value), length))
            }
            'u' | 'U' if self.rest()[1..].starts_with("&'") => self.unicode(),
            'x' | 'X' if self.rest()[1..].starts_with('\'') => self.binary(),
            '0'..='9' => Ok(self.number()),
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => Ok(self.number()),
            c if c.is_alphabetic() || c == '_' || c == '$' => {
                let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                let length = self.rest().find(|c| !word(c)).unwrap_or(self.rest().len());
                let text = self.rest()[..length].to_owned();
                Ok(self.token(TokenKind::Word(text), length))
            }
            _ => match SYMBOLS.iter().find(|s| self.rest().starts_with(**s)) {
                Some(symbol) => Ok(self.token(TokenKind::Symbol(symbol), symbol.len())),
                None => {
                    let span = Span::new(self.at, self.at + first.len_utf8());
                    let mut error = SqlError::new(format!("unexpected character '{first}'"), span);
                    if first == '"' {
                        error = error.with_hint(
                            "identifiers are quoted with backticks, strings with single quotes",
                        );
                    }
                    Err(error)
                }
            },
        }
    }

    fn skip_blank(&mut self) -> SqlResult<()> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            if blank > 0 {
                self.at += blank;
            } else if rest.starts_with("--") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") && !rest.starts_with("/*+") {
                match rest.find("*/") {
                    Some(end) => self.at += end + 2,
                    None => {
                        let span = Span::new(self.at, self.at + 2);
                        return Err(SqlError::new("this comment has no end", span)
                            .with_hint("close it with */"));
                    }
                }
            } else {
                return Ok(());
            }
        }
    }

    /// The text between quotes, doubled quotes undone, and the length with the quotes.
    fn quoted(&self, quote: char) -> SqlResult<(String, usize)> {
        let mut value = String::new();
        let mut rest = self.rest()[1..].char_indices().peekable();
        while let Some((i, c)) = rest.next() {
            if c != quote {
                value.push(c);
            } else if rest.peek().is_some_and(|(_, next)| *next == quote) {
                rest.next();
                value.push(quote);
            } else {
                return Ok((value, i + 2));
            }
        }
        let what = if quote == '`' { "identifier" } else { "string" };
        Err(SqlError::new(format!("this {what} has no end"), Span::new(self.at, self.at + 1))
            .with_hint(format!("close it with {quote}; a {quote} inside is written twice")))
    }

    /// U&'...' with \\XXXX and \\+XXXXXX escapes.
    fn unicode(&mut self) -> SqlResult<Token> {
        let start = self.at;
        self.at += 2;
        let (text, length) = self.quoted('\'')?;
        self.at = start;
        let mut value = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find('\\') {
            value.push_str(&rest[..at]);
            let escape = &rest[at + 1..];
            let (digits, skip) = match escape.as_bytes().first() {
                Some(b'\\') => (None, 1),
                Some(b'+') => (escape.get(1..7), 7),
                _ => (escape.get(..4), 4),
            };
            let decoded = match digits {
                None if skip == 1 => Some('\\'),
                None => None,
                Some(digits) => u32::from_str_radix(digits, 16).ok().and_then(char::from_u32),
            };
            let Some(decoded) = decoded else {
                let span = Span::new(start, start + length + 2);
                return Err(SqlError::new("a unicode escape is \\XXXX or \\+XXXXXX", span));
            };
            value.push(decoded);
            rest = &escape[skip..];
        }
        value.push_str(rest);
        Ok(self.token(TokenKind::String(value), length + 2))
    }

    fn binary(&mut self) -> SqlResult<Token> {
        let start = self.at;
        self.at += 1;
        let (digits, length) = self.quoted('\'')?;
        self.at = start;
        let bytes = (digits.len() % 2 == 0)
            .then(|| {
                (0..digits.len())
                    .step_by(2)
                    .map(|i| digits.get(i..i + 2).and_then(|d| u8::from_str_radix(d, 16).ok()))
                    .collect::<Option<Vec<u8>>>()
            })
            .flatten();
        match bytes {
            Some(bytes) => Ok(self.token(TokenKind::Binary(bytes), length + 1)),
            None => Err(SqlError::new(
                "a binary literal holds an even number of hexadecimal digits",
                Span::new(start, start + length + 1),
            )),
        }
    }

    fn number(&mut self) -> Token {
        let bytes = self.rest().as_bytes();
        let digits = |mut i: usize| {
            while bytes.get(i).is_some_and(u8::is_ascii_digit) {
                i += 1;
            }
            i
        };
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') && bytes.get(end + 1) != Some(&b'.') {
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        let text = self.rest()[..end].to_owned();
        self.token(TokenKind::Number(text), end)
    }
}
