//! Finds what a directive means and compiles it.
//! Invariant: names are compared without case and underscores, as datafaker does; a name that is not known is an
//! error that names the nearest known one. Everything is resolved here, once, never while rows are made.

use mainstem_core::options::nearest;
use mainstem_core::{Error, Result};

use super::data::Locale;
use super::expression::{Directive, Part, parse};
use super::maker::Maker;
use super::methods::METHODS;

/// How a method makes its values.
pub(super) enum Recipe {
    /// One word of the locale's list of this name.
    Local(&'static str),
    /// One of the locale's expressions of this name (separated by `|`).
    Template(&'static str),
    /// One word of this list (separated by `|`), in every locale.
    Words(&'static str),
    /// An expression in terms of other methods.
    As(&'static str),
    /// Looks at its arguments or its locale.
    Make(fn(&Call<'_>) -> Result<Maker>),
}

/// A directive with the locale that it is compiled for.
pub(super) struct Call<'a> {
    pub(super) directive: &'a Directive,
    pub(super) locale: Locale,
}

/// Compiles an expression.
pub(super) fn compile(expression: &str, locale: Locale) -> Result<Maker> {
    let mut makers = Vec::new();
    for part in parse(expression)? {
        match part {
            Part::Literal(text) => makers.push(Maker::Text(text.into())),
            Part::Directive(directive) => {
                makers.push(make(&Call { directive: &directive, locale })?)
            }
        }
    }
    Ok(if makers.len() == 1 { makers.remove(0) } else { Maker::Sequence(makers.into()) })
}

/// Any of the locale's expressions of this name.
pub(super) fn template(name: &str, locale: Locale) -> Result<Maker> {
    let makers = locale.text(name)?.split('|').map(|e| compile(e, locale));
    let mut makers = makers.collect::<Result<Vec<_>>>()?;
    Ok(if makers.len() == 1 { makers.remove(0) } else { Maker::OneOf(makers.into()) })
}

fn make(call: &Call<'_>) -> Result<Maker> {
    let name = plain(&call.directive.name);
    let Some((_, recipe)) = METHODS.iter().find(|(known, _)| plain(known) == name) else {
        return Err(unknown(&call.directive.name));
    };
    if !matches!(recipe, Recipe::Make(_)) {
        call.at_most(0)?;
    }
    match recipe {
        Recipe::Local(list) => Ok(Maker::words(call.locale.text(list)?)),
        Recipe::Template(list) => template(list, call.locale),
        Recipe::Words(list) => Ok(Maker::words(list)),
        Recipe::As(expression) => compile(expression, call.locale),
        Recipe::Make(make) => make(call),
    }
}

/// Without case and underscores.
fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

fn unknown(name: &str) -> Error {
    let error = Error::user(format!("there is no directive '#{{{name}}}'"));
    let lower = plain(name);
    let provider = lower.split_once('.').map(|(provider, _)| provider);
    let of = |wanted: &str| {
        METHODS
            .iter()
            .map(|(known, _)| *known)
            .filter(|k| k.split_once('.').is_some_and(|(p, _)| plain(p) == wanted))
            .collect::<Vec<_>>()
    };
    let methods = provider.map(of).unwrap_or_default();
    if let Some(known) = nearest(&lower, methods.iter().copied()) {
        return error.with_hint(format!("did you mean '#{{{known}}}'?"));
    }
    if !methods.is_empty() {
        return error.with_hint(format!("known are {}", methods.join(", ")));
    }
    if let Some(known) = nearest(&lower, METHODS.iter().map(|(known, _)| *known)) {
        return error.with_hint(format!("did you mean '#{{{known}}}'?"));
    }
    let mut providers: Vec<&str> =
        METHODS.iter().filter_map(|(known, _)| Some(known.split_once('.')?.0)).collect();
    providers.sort_unstable();
    providers.dedup();
    match provider.and_then(|p| nearest(p, providers.iter().copied())) {
        Some(known) => error.with_hint(format!("did you mean '#{{{known}...}}'?")),
        None => error.with_hint(format!("the providers are {}", providers.join(", "))),
    }
}

impl Call<'_> {
    /// An argument's text, or the default.
    pub(super) fn text<'b>(&'b self, index: usize, default: &'b str) -> &'b str {
        self.directive.arguments.get(index).map_or(default, String::as_str)
    }

    /// How many arguments there are.
    pub(super) fn count(&self) -> usize {
        self.directive.arguments.len()
    }

    /// A whole number, or the default.
    pub(super) fn whole(&self, index: usize, default: i64) -> Result<i64> {
        match self.directive.arguments.get(index) {
            None => Ok(default),
            Some(text) => text.trim().parse().map_err(|_| self.wrong(text, "a whole number")),
        }
    }

    /// A count from 0 to a limit, or the default.
    pub(super) fn size(&self, index: usize, default: u32) -> Result<u32> {
        const LIMIT: i64 = 100_000;
        let value = self.whole(index, i64::from(default))?;
        u32::try_from(value)
            .ok()
            .filter(|v| i64::from(*v) <= LIMIT)
            .ok_or_else(|| self.wrong(&value.to_string(), "a length from 0 to 100000"))
    }

    /// A fraction, or the default.
    pub(super) fn fraction(&self, index: usize, default: f64) -> Result<f64> {
        match self.directive.arguments.get(index) {
            None => Ok(default),
            Some(text) => text
                .trim()
                .parse()
                .ok()
                .filter(|v: &f64| v.is_finite())
                .ok_or_else(|| self.wrong(text, "a number")),
        }
    }

    /// A boolean, or the default.
    pub(super) fn boolean(&self, index: usize, default: bool) -> Result<bool> {
        match self.directive.arguments.get(index).map(|t| t.trim().to_ascii_lowercase()) {
            None => Ok(default),
            Some(text) if text == "true" => Ok(true),
            Some(text) if text == "false" => Ok(false),
            Some(text) => Err(self.wrong(&text, "true or false")),
        }
    }

    /// Refuses more arguments than this.
    pub(super) fn at_most(&self, count: usize) -> Result<()> {
        if self.count() <= count {
            return Ok(());
        }
        let takes =
            if count == 0 { "no arguments".into() } else { format!("at most {count} arguments") };
        Err(Error::user(format!("'#{{{}}}' takes {takes}", self.directive.name)))
    }

    /// Refuses fewer arguments than this.
    pub(super) fn at_least(&self, count: usize, example: &str) -> Result<()> {
        if self.count() >= count {
            return Ok(());
        }
        Err(Error::user(format!("'#{{{}}}' needs {count} argument(s)", self.directive.name))
            .with_hint(format!("for example {example}")))
    }

    /// The error for an argument that cannot be used.
    pub(super) fn wrong(&self, text: &str, wanted: &str) -> Error {
        Error::user(format!(
            "'#{{{}}}' has the argument '{text}', which is not {wanted}",
            self.directive.name
        ))
    }
}
