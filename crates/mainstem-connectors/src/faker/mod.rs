//! `faker`: rows of realistic values from expressions such as `#{Name.fullName}`, in flink-faker's style.
//! Invariant: row `n` is a function of the seed, the column's path and `n`; only what is relative to now (`date.past`)
//! also depends on the time at which the row appears. Expressions are compiled when the table is read, never per row.
//! Beyond flink-faker: `seed`, `locale`, arrays and maps of rows (`fields.a.element.x.expression`), and the directives
//! `#{sequence.number}` and `#{sequence.timestamp}`.

mod checked;
mod data;
mod expression;
mod leaves;
mod maker;
mod methods;
mod moment;
mod nodes;
mod providers;
mod recipes;
mod regexify;

use std::sync::Arc;

use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatUse, OptionReader, OptionSpec, OptionType, Pushdown,
    SinkChangelog, optional,
};
use mainstem_core::{Error, Result};

use self::data::Locale;
use crate::api::{Connector, Source, SourceRequest};
use crate::generator::columns::{ColumnsDecoder, Node};
use crate::generator::fields::FieldOptions;
use crate::generator::{
    GeneratorSource, NUMBER_OF_ROWS, Pace, ROWS_PER_SECOND, refuse_unknown_options,
};

const OPTIONS: &[OptionSpec] = &[
    ROWS_PER_SECOND,
    NUMBER_OF_ROWS,
    optional(
        "fields.*",
        OptionType::String,
        None,
        "How a field is made: fields.NAME.expression, .null-rate, .length (collections); fields.NAME.FIELD. for ROWs, \
         .key. and .value. for maps, .element. for collections of ROWs.",
        "#{Name.fullName}",
    ),
    optional("seed", OptionType::Integer, Some("0"), "The same seed gives the same rows.", "42"),
    optional(
        "locale",
        OptionType::String,
        Some("en_US"),
        "Whose names, places and numbers: en_US, pt_BR or ro_RO.",
        "pt_BR",
    ),
];

static SPEC: ConnectorSpec = ConnectorSpec {
    name: "faker",
    doc: "Rows of realistic values: names, addresses, numbers, times.",
    source: Some(Delivery::ExactlyOnce),
    sink: None,
    sink_weaker: &[],
    formats: FormatUse::None,
    options: OPTIONS,
    metadata: &[],
    upsert_source: false,
    sink_changelog: SinkChangelog::ByFormat,
    pushdown: Pushdown::NONE,
};

/// The connector.
#[derive(Debug)]
pub struct Faker;

/// The registry's entry.
pub static FAKER: Faker = Faker;

impl Connector for Faker {
    fn spec(&self) -> &'static ConnectorSpec {
        &SPEC
    }

    fn source(&self, request: SourceRequest) -> Result<Box<dyn Source>> {
        refuse_unknown_options(&request, OPTIONS, SPEC.name)?;
        let options = OptionReader::new(&request.table.options, OPTIONS);
        let pace = Pace::read(options)?;
        let nodes = Arc::new(plan(&request, options)?);
        let make = move || Box::new(ColumnsDecoder::new(Arc::clone(&nodes))) as _;
        Ok(Box::new(GeneratorSource::new(pace, request.environment.clock, make)))
    }
}

/// The projected columns; all columns are checked.
fn plan(request: &SourceRequest, options: OptionReader<'_>) -> Result<Vec<Node>> {
    let settings = nodes::Settings {
        seed: options.integer("seed")?.unwrap_or(0).cast_unsigned(),
        locale: Locale::parse(options.required("locale")?)?,
        now_ms: request.environment.clock.now_ms(),
    };
    let fields = FieldOptions::new(&request.table.options);
    let mut columns = Vec::with_capacity(request.table.columns.len());
    let mut failed = None;
    for column in &request.table.columns {
        match nodes::node(&fields.column(&column.name), &column.data_type, settings, false) {
            Ok(node) => columns.push(Some(node)),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    // A misspelt option explains a missing expression better than the missing expression does.
    fields.refuse_unknown(&request.table)?;
    if let Some(error) = failed {
        return Err(error);
    }
    let projected = request
        .projection
        .iter()
        .map(|&i| columns[i].take().ok_or_else(|| Error::internal("a column is projected twice")));
    projected.collect()
}

#[cfg(test)]
mod tests;
