//! REGEXP, REGEXP_REPLACE, REGEXP_EXTRACT, REGEXP_EXTRACT_ALL, REGEXP_COUNT, REGEXP_INSTR, REGEXP_SUBSTR.
//! Invariant: a constant pattern is compiled when the call is bound, never in a row.

use std::fmt::Write;

use arrow_array::builder::{BooleanBuilder, Int32Builder, ListBuilder, StringBuilder};
use mainstem_core::{DataType, Result, TypeKind};

use super::pattern::{JavaRegex, Locations, Patterns, after};
use crate::functions::rowwise::{Long, Sink, Text, map2_with, map3_with, put};
use crate::functions::signature::{Want, expect, partial, strict};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

pub(crate) static REGEXP: ScalarFunction = ScalarFunction {
    name: "REGEXP",
    aliases: &[],
    usage: "REGEXP(string, pattern)",
    doc: "Whether a part of the string matches the Java regular expression.",
    bind: bind_regexp,
};

pub(crate) static REGEXP_REPLACE: ScalarFunction = ScalarFunction {
    name: "REGEXP_REPLACE",
    aliases: &[],
    usage: "REGEXP_REPLACE(string, pattern, replacement)",
    doc: "The string with every match of the pattern replaced; the replacement is taken literally.",
    bind: bind_replace,
};

pub(crate) static REGEXP_EXTRACT: ScalarFunction = ScalarFunction {
    name: "REGEXP_EXTRACT",
    aliases: &[],
    usage: "REGEXP_EXTRACT(string, pattern [, group])",
    doc: "A group (0: the whole match) of the first match of the pattern.",
    bind: bind_extract,
};

pub(crate) static REGEXP_EXTRACT_ALL: ScalarFunction = ScalarFunction {
    name: "REGEXP_EXTRACT_ALL",
    aliases: &[],
    usage: "REGEXP_EXTRACT_ALL(string, pattern [, group])",
    doc: "A group (by default the first) of every match of the pattern.",
    bind: bind_extract_all,
};

pub(crate) static REGEXP_COUNT: ScalarFunction = ScalarFunction {
    name: "REGEXP_COUNT",
    aliases: &[],
    usage: "REGEXP_COUNT(string, pattern)",
    doc: "How many times the pattern matches.",
    bind: |arguments, _| number(arguments, |regex, text| regex.find_all(text).count()),
};

pub(crate) static REGEXP_INSTR: ScalarFunction = ScalarFunction {
    name: "REGEXP_INSTR",
    aliases: &[],
    usage: "REGEXP_INSTR(string, pattern)",
    doc: "The position (from 1, in UTF-16 units) of the first match, 0 if there is none.",
    bind: |arguments, _| {
        number(arguments, |regex, text| {
            regex.find_at(text, 0).map_or(0, |(at, _)| text[..at].encode_utf16().count() + 1)
        })
    },
};

pub(crate) static REGEXP_SUBSTR: ScalarFunction = ScalarFunction {
    name: "REGEXP_SUBSTR",
    aliases: &[],
    usage: "REGEXP_SUBSTR(string, pattern)",
    doc: "The first part of the string that matches the pattern.",
    bind: bind_substr,
};

fn two_texts(arguments: &[Argument]) -> Result<(Vec<DataType>, Patterns)> {
    let types = expect(arguments, &[Want::Text, Want::Text], 2)?;
    Ok((types, Patterns::bind(&arguments[1])?))
}

fn bind_regexp(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let (types, patterns) = two_texts(arguments)?;
    let kernel = map2_with::<Text, Text, BooleanBuilder, Patterns>(
        move || patterns.clone(),
        |patterns: &mut Patterns, text: &str, pattern: &str, out: &mut BooleanBuilder| {
            let regex = patterns.get(pattern)?.filter(|_| !pattern.is_empty());
            out.append_value(regex.is_some_and(|regex| regex.find_at(text, 0).is_some()));
            Ok(())
        },
    );
    Ok(strict(TypeKind::Boolean, types, kernel))
}

fn number(arguments: &[Argument], count: fn(&JavaRegex, &str) -> usize) -> Result<Binding> {
    let (types, patterns) = two_texts(arguments)?;
    let kernel = map2_with::<Text, Text, Int32Builder, Patterns>(
        move || patterns.clone(),
        move |patterns: &mut Patterns, text: &str, pattern: &str, out: &mut Int32Builder| {
            out.append_option(patterns.get(pattern)?.map(|regex| count(regex, text) as i32));
            Ok(())
        },
    );
    Ok(partial(TypeKind::Int, types, kernel))
}

fn bind_substr(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let (types, patterns) = two_texts(arguments)?;
    let kernel = map2_with::<Text, Text, StringBuilder, Patterns>(
        move || patterns.clone(),
        |patterns: &mut Patterns, text: &str, pattern: &str, out: &mut StringBuilder| {
            let found = patterns.get(pattern)?.and_then(|regex| regex.find_at(text, 0));
            put(out, found.map(|(start, end)| &text[start..end]))
        },
    );
    Ok(partial(TypeKind::STRING, types, kernel))
}

fn bind_replace(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text; 3], 3)?;
    let patterns = Patterns::bind(&arguments[1])?;
    let always = patterns.is_valid_constant();
    let kernel = map3_with::<Text, Text, Text, StringBuilder, Patterns>(
        move || patterns.clone(),
        |patterns: &mut Patterns, text: &str, pattern: &str, new: &str, out: &mut StringBuilder| {
            let Some(regex) = patterns.get(pattern)? else {
                Sink::null(out);
                return Ok(());
            };
            let mut from = 0;
            for (start, end) in regex.find_all(text) {
                // Writing into a builder cannot fail.
                let _ = out.write_str(&text[from..start]);
                let _ = out.write_str(new);
                from = end;
            }
            out.append_value(&text[from..]);
            Ok(())
        },
    );
    let mut binding = strict(TypeKind::STRING, types, kernel);
    binding.returns.nullable |= !always;
    Ok(binding)
}

/// What a batch keeps of a pattern with groups.
struct Groups {
    patterns: Patterns,
    /// Room for the groups of the current pattern.
    locations: Option<Locations>,
}

impl Groups {
    fn new(patterns: &Patterns) -> Self {
        Self { patterns: patterns.clone(), locations: None }
    }

    /// The pattern and room for its groups, if it has the group that is asked for.
    fn get(&mut self, pattern: &str, group: i64) -> Result<Option<Search<'_>>> {
        if self.patterns.turn_to(pattern)? {
            self.locations = None;
        }
        let Some(regex) = self.patterns.current() else { return Ok(None) };
        let Some(group) = usize::try_from(group).ok().filter(|g| *g <= regex.groups()) else {
            return Ok(None);
        };
        let locations = self.locations.get_or_insert_with(|| regex.locations());
        Ok(Some(Search { regex, group, locations }))
    }
}

struct Search<'a> {
    regex: &'a JavaRegex,
    group: usize,
    locations: &'a mut Locations,
}

impl Search<'_> {
    /// The next match at or after `from`, and the text of the group in it.
    fn next<'t>(
        &mut self,
        text: &'t str,
        from: usize,
    ) -> Option<((usize, usize), Option<&'t str>)> {
        if self.group == 0 {
            let found = self.regex.find_at(text, from)?;
            return Some((found, Some(&text[found.0..found.1])));
        }
        let (found, group) = self.regex.group_at(self.locations, text, from, self.group)?;
        Some((found, group.map(|(start, end)| &text[start..end])))
    }
}

fn group_types(arguments: &[Argument]) -> Result<(Vec<DataType>, Patterns)> {
    let types = expect(arguments, &[Want::Text, Want::Text, Want::Integer], 2)?;
    Ok((types, Patterns::bind(&arguments[1])?))
}

fn bind_extract(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let (types, patterns) = group_types(arguments)?;
    let batch = move || Groups::new(&patterns);
    let row =
        |groups: &mut Groups, text: &str, pattern: &str, group: i64, out: &mut StringBuilder| {
            let search = groups.get(pattern, group)?;
            put(out, search.and_then(|mut search| search.next(text, 0)?.1))
        };
    let kernel = if types.len() == 2 {
        map2_with::<Text, Text, StringBuilder, Groups>(
            batch,
            move |groups: &mut Groups, text: &str, pattern: &str, out: &mut StringBuilder| {
                row(groups, text, pattern, 0, out)
            },
        )
    } else {
        map3_with::<Text, Text, Long, StringBuilder, Groups>(batch, row)
    };
    Ok(partial(TypeKind::STRING, types, kernel))
}

fn bind_extract_all(arguments: &[Argument], _: &Session) -> Result<Binding> {
    type Lists = ListBuilder<StringBuilder>;
    let (types, patterns) = group_types(arguments)?;
    let batch = move || Groups::new(&patterns);
    let row = |groups: &mut Groups, text: &str, pattern: &str, group: i64, out: &mut Lists| {
        let Some(mut search) = groups.get(pattern, group)? else {
            Sink::null(out);
            return Ok(());
        };
        let mut from = Some(0);
        while let Some((found, group)) = from.and_then(|from| search.next(text, from)) {
            out.values().append_option(group);
            from = after(text, found);
        }
        out.append(true);
        Ok(())
    };
    let kernel = if types.len() == 2 {
        map2_with::<Text, Text, Lists, Groups>(
            batch,
            move |groups: &mut Groups, text: &str, pattern: &str, out: &mut Lists| {
                row(groups, text, pattern, 1, out)
            },
        )
    } else {
        map3_with::<Text, Text, Long, Lists, Groups>(batch, row)
    };
    Ok(partial(TypeKind::Array(Box::new(DataType::string())), types, kernel))
}
