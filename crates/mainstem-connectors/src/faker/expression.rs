//! Reads an expression such as `#{Name.fullName} <#{Internet.emailAddress}>` into its parts.
//! Invariant: braces and commas inside quotes belong to the argument; what is outside `#{...}` is literal text.
//! Does not know what directives exist: that is `providers.rs`.

use mainstem_core::{Error, Result};

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Directive(Directive),
}

/// `#{name 'argument', ...}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
}

/// The parts of `text`, in order.
pub(super) fn parse(text: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("#{") {
        if start > 0 {
            parts.push(Part::Literal(rest[..start].to_owned()));
        }
        let mut reader = Reader { text, rest: &rest[start + 2..] };
        parts.push(Part::Directive(reader.directive()?));
        rest = reader.rest;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Ok(parts)
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn directive(&mut self) -> Result<Directive> {
        self.skip(&[]);
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
        if name.is_empty() {
            return Err(self.error("a directive has no name"));
        }
        let mut arguments = Vec::new();
        loop {
            // Parentheses are accepted because the documentation of flink-faker has a stray one.
            self.skip(&[',', '(', ')']);
            match self.rest.chars().next() {
                None => return Err(self.error("a directive is not closed by '}'")),
                Some('}') => {
                    self.rest = &self.rest[1..];
                    return Ok(Directive { name, arguments });
                }
                Some('\'') => {
                    self.rest = &self.rest[1..];
                    arguments.push(self.quoted()?);
                }
                Some(_) => {
                    let bare = self.take_while(|c| !matches!(c, ',' | '}' | ')' | '\''));
                    arguments.push(bare.trim_end().to_owned());
                }
            }
        }
    }

    /// The rest of a quoted argument; `''` and `\'` inside it are a quote.
    fn quoted(&mut self) -> Result<String> {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let next = chars.peek().map(|(_, c)| *c);
            match (c, next) {
                ('\\', Some('\'')) => {
                    chars.next();
                    out.push('\'');
                }
                ('\'', Some('\'')) if !out.is_empty() => {
                    chars.next();
                    out.push('\'');
                }
                ('\'', _) => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(out);
                }
                _ => out.push(c),
            }
        }
        Err(self.error("an argument is not closed by a quote"))
    }

    fn skip(&mut self, also: &[char]) {
        self.rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() || also.contains(&c));
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }

    fn error(&self, what: &str) -> Error {
        Error::user(format!("expression '{}': {what}", self.text))
            .with_hint("write #{Provider.method 'argument', 'argument'}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        let part = |p: Part| match p {
            Part::Literal(text) => format!("<{text}>"),
            Part::Directive(d) => format!("{}[{}]", d.name, d.arguments.join("|")),
        };
        match parse(text) {
            Ok(parts) => parts.into_iter().map(part).collect::<Vec<_>>().join(" "),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn expressions_are_read() {
        let rows = [
            ("plain", "<plain>"),
            ("", "<>"),
            ("#{Name.fullName}", "Name.fullName[]"),
            ("a #{x.y} b #{z.w}", "<a > x.y[] < b > z.w[]"),
            ("#{regexify '[a-z]{3}'}!", "regexify[[a-z]{3}] <!>"),
            ("#{number.numberBetween '1','100'}", "number.numberBetween[1|100]"),
            ("#{number.numberBetween 1, 100}", "number.numberBetween[1|100]"),
            ("#{date.past '30' , 'SECONDS'}", "date.past[30|SECONDS]"),
            ("#{Options.option 'RECEIVED','SHIPPED')}", "Options.option[RECEIVED|SHIPPED]"),
            ("#{Options.option('A','B')}", "Options.option[A|B]"),
            ("#{options.option '','it''s','a,b'}", "options.option[|it's|a,b]"),
            (r"#{regexify '\d\''}", r"regexify[\d']"),
            ("#{x.y", "error: expression '#{x.y': a directive is not closed by '}'"),
            ("#{x 'a}", "error: expression '#{x 'a}': an argument is not closed by a quote"),
            ("#{}", "error: expression '#{}': a directive has no name"),
        ];
        for (text, expected) in rows {
            assert_eq!(show(text), expected, "{text}");
        }
    }
}
