//! `datagen`: random and sequential rows with Flink's options.
//! Invariant: row `n` of a table is a function of the seed, the column's path and `n` (timestamps also of the time at
//! which the row appears). A table whose columns have an end, as sequences do, ends with the first of them.

mod leaves;
mod nodes;

use std::sync::Arc;

use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatUse, OptionReader, OptionSpec, OptionType, Pushdown,
    SinkChangelog, optional,
};
use mainstem_core::{Error, Result};

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
        "How a field is made: fields.NAME.kind (random or sequence), .min, .max, .max-past, .length, .var-len, \
         .start, .end, .null-rate; fields.NAME.element., .key., .value. and .FIELD. for what is nested.",
        "sequence",
    ),
    optional("seed", OptionType::Integer, Some("0"), "The same seed gives the same rows.", "42"),
    optional(
        "scan.parallelism",
        OptionType::Integer,
        None,
        "Taken from Flink's files and of no effect: all workers make rows.",
        "4",
    ),
];

static SPEC: ConnectorSpec = ConnectorSpec {
    name: "datagen",
    doc: "Random and sequential rows of any type.",
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
pub struct Datagen;

/// The registry's entry.
pub static DATAGEN: Datagen = Datagen;

impl Connector for Datagen {
    fn spec(&self) -> &'static ConnectorSpec {
        &SPEC
    }

    fn source(&self, request: SourceRequest) -> Result<Box<dyn Source>> {
        refuse_unknown_options(&request, OPTIONS, SPEC.name)?;
        let options = OptionReader::new(&request.table.options, OPTIONS);
        let pace = Pace::read(options)?;
        let seed = options.integer("seed")?.unwrap_or(0).cast_unsigned();
        let (nodes, rows_max) = plan(&request, seed)?;
        let pace = rows_max.map_or(pace, |rows| pace.limited_to(rows));
        let nodes = Arc::new(nodes);
        let make = move || Box::new(ColumnsDecoder::new(Arc::clone(&nodes))) as _;
        Ok(Box::new(GeneratorSource::new(pace, request.environment.clock, make)))
    }
}

/// The projected columns, and how many rows the shortest sequence of the table has.
fn plan(request: &SourceRequest, seed: u64) -> Result<(Vec<Node>, Option<u64>)> {
    let fields = FieldOptions::new(&request.table.options);
    let mut rows_max = None;
    let mut columns = Vec::with_capacity(request.table.columns.len());
    for column in &request.table.columns {
        let path = fields.column(&column.name);
        columns.push(Some(nodes::node(&path, &column.data_type, seed, &mut rows_max)?));
    }
    fields.refuse_unknown(&request.table)?;
    let projected = request
        .projection
        .iter()
        .map(|&i| columns[i].take().ok_or_else(|| Error::internal("a column is projected twice")));
    Ok((projected.collect::<Result<_>>()?, rows_max))
}

#[cfg(test)]
mod tests;
