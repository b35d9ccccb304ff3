//! The `fields.NAME...` options of generators, looked up by path.
//! Invariant: every key that was looked for is remembered, so that a key which nothing looks for can be refused with
//! the nearest one that something does.

use std::cell::RefCell;
use std::collections::BTreeSet;

use mainstem_core::options::nearest;
use mainstem_core::table::{Options, TableSpec};
use mainstem_core::{Error, Result};

const PREFIX: &str = "fields.";

/// The options of one table.
#[derive(Debug)]
pub(crate) struct FieldOptions<'a> {
    options: &'a Options,
    known: RefCell<BTreeSet<String>>,
}

/// The options below one path: a column, or what is nested in it.
#[derive(Debug, Clone)]
pub(crate) struct FieldPath<'a> {
    all: &'a FieldOptions<'a>,
    path: String,
}

impl<'a> FieldOptions<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, known: RefCell::default() }
    }

    /// The options of a column.
    pub(crate) fn column(&'a self, name: &str) -> FieldPath<'a> {
        FieldPath { all: self, path: name.to_owned() }
    }

    /// Refuses what nobody looked for.
    pub(crate) fn refuse_unknown(&self, table: &TableSpec) -> Result<()> {
        let known = self.known.borrow();
        for key in self.options.keys() {
            let Some(rest) = key.strip_prefix(PREFIX) else { continue };
            if known.contains(rest) {
                continue;
            }
            let columns = || table.columns.iter().map(|c| c.name.as_str());
            let belongs = |c: &str| rest.strip_prefix(c).is_some_and(|r| r.starts_with('.'));
            if !columns().any(belongs) {
                let name = rest.split('.').next().unwrap_or(rest);
                let error = Error::user(format!("option '{key}': the table has no field '{name}'"));
                return Err(match nearest(name, columns()) {
                    Some(column) => error.with_hint(format!("did you mean '{PREFIX}{column}'?")),
                    None => error.with_hint(format!(
                        "its fields are {}",
                        columns().collect::<Vec<_>>().join(", ")
                    )),
                });
            }
            let error = Error::user(format!("option '{key}' is not known"));
            return Err(match nearest(rest, known.iter().map(String::as_str)) {
                Some(other) => error.with_hint(format!("did you mean '{PREFIX}{other}'?")),
                None => error.with_hint("the option does not exist for the field's type"),
            });
        }
        Ok(())
    }
}

impl<'a> FieldPath<'a> {
    /// What is nested in this field under `name`.
    pub(crate) fn nested(&self, name: &str) -> Self {
        Self { all: self.all, path: format!("{}.{name}", self.path) }
    }

    /// The path, `address.city`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The full key of an option of this field.
    pub(crate) fn key(&self, option: &str) -> String {
        format!("{PREFIX}{}.{option}", self.path)
    }

    /// The text of an option of this field.
    pub(crate) fn text(&self, option: &str) -> Option<&'a str> {
        let key = format!("{}.{option}", self.path);
        let value = self.all.options.get(&format!("{PREFIX}{key}"));
        self.all.known.borrow_mut().insert(key);
        value.map(String::as_str)
    }

    /// An option that is parsed with `FromStr`; `wanted` says what would do.
    pub(crate) fn parsed<T: std::str::FromStr>(
        &self,
        option: &str,
        wanted: &str,
    ) -> Result<Option<T>> {
        let Some(text) = self.text(option) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| self.invalid(option, text, wanted))
    }

    /// `null-rate`, 0 if it is not given.
    pub(crate) fn null_rate(&self) -> Result<f64> {
        let wanted = "a number from 0 to 1";
        let rate = self.parsed("null-rate", wanted)?.unwrap_or(0.0);
        if (0.0..=1.0).contains(&rate) {
            Ok(rate)
        } else {
            Err(self.invalid("null-rate", &rate.to_string(), wanted))
        }
    }

    /// The error for a value that cannot be used.
    pub(crate) fn invalid(&self, option: &str, value: &str, wanted: &str) -> Error {
        Error::user(format!(
            "option '{}' has the value '{value}', which is not {wanted}",
            self.key(option)
        ))
    }
}
