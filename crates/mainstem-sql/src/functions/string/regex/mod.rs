//! Java's regular expressions over the regex crate, and Flink's functions that take one.
//! Invariant: a pattern matches what `java.util.regex` (17) matches, or is refused by name when it is bound; a pattern
//! that Java refuses too gives NULL (REGEXP: FALSE), as in Flink. Does not backtrack: look-around, back-references,
//! possessive quantifiers and atomic groups are refused.

mod direct;
pub(crate) mod functions;
mod pattern;
mod translate;

pub(crate) use pattern::{JavaRegex, Patterns};
