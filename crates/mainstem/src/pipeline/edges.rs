//! Tables to sources and sinks: options validated, decoders and encoders made.
//! Invariant: does no I/O. All errors of all tables are found before anything starts; `check` calls this too.

use mainstem_connectors::api::{
    Connector, Environment, Lookup, LookupRequest, Sink, SinkRequest, Source, SourceRequest,
};
use mainstem_connectors::format::validate_options;
use mainstem_connectors::registry;
use mainstem_core::ingest::Decode;
use mainstem_core::options::nearest;
use mainstem_core::table::{Options, TableSpec};
use mainstem_core::{Error, Result};
use mainstem_sql::job::{Job, LookupPlan, SinkPlan, SinkTarget, SourcePlan};

use crate::cli::OutputKind;
use crate::console;

/// The ends of a job.
pub(crate) struct Edges {
    pub(super) sources: Vec<SourceEdge>,
    pub(super) sinks: Vec<SinkEdge>,
    pub(super) lookups: Vec<LookupEdge>,
}

/// A table that is asked by keys.
pub(super) struct LookupEdge {
    pub(super) name: String,
    pub(super) lookup: Box<dyn Lookup>,
}

/// A table that is read.
pub(super) struct SourceEdge {
    pub(super) table: TableSpec,
    pub(super) source: Box<dyn Source>,
    pub(super) decoders: Vec<Box<dyn Decode>>,
}

/// A table that is written, or the terminal.
pub(super) struct SinkEdge {
    pub(super) name: String,
    /// Encoders are asked for when it is open: what they do may depend on the target.
    pub(super) sink: Box<dyn Sink>,
    /// It writes to stdout, whose reader may go away.
    pub(super) stdout: bool,
}

/// What is wrong with a table.
#[derive(Debug)]
pub(crate) struct TableError {
    /// Its name.
    pub(crate) table: String,
    /// The reason.
    pub(crate) error: Error,
}

/// Builds the ends of a job for `workers` workers.
pub(crate) fn build(
    job: &Job,
    output: OutputKind,
    workers: usize,
    environment: &Environment,
) -> Result<Edges, Vec<TableError>> {
    let mut errors: Vec<TableError> = Vec::new();
    let mut failed = |table: &str, error: Error| {
        // One table may be read several times.
        if !errors.iter().any(|e| e.table == table && e.error.to_string() == error.to_string()) {
            errors.push(TableError { table: table.to_owned(), error });
        }
    };
    let mut edges = Edges { sources: Vec::new(), sinks: Vec::new(), lookups: Vec::new() };
    for plan in &job.sources {
        match source(plan, workers, environment) {
            Ok(edge) => edges.sources.push(edge),
            Err(error) => failed(&plan.table.name, error),
        }
    }
    for plan in &job.lookups {
        match lookup(plan, environment) {
            Ok(edge) => edges.lookups.push(edge),
            Err(error) => failed(&plan.table.name, error),
        }
    }
    for plan in &job.sinks {
        match sink(plan, output, environment) {
            Ok(edge) => edges.sinks.push(edge),
            Err(error) => match &plan.target {
                SinkTarget::Table(table) => failed(&table.name, error),
                SinkTarget::Console => failed("", error),
            },
        }
    }
    if errors.is_empty() { Ok(edges) } else { Err(errors) }
}

/// Checks the options of a table that no job reads or writes.
pub(crate) fn check_unused(options: &Options) -> Result<()> {
    validate_options(options, connector(options)?.spec())
}

fn connector(options: &Options) -> Result<&'static dyn Connector> {
    let known = || registry::connectors().into_iter().map(|c| c.spec().name).collect::<Vec<_>>();
    let Some(name) = options.get("connector") else {
        return Err(Error::user("option 'connector' is missing")
            .with_hint(format!("the connectors are {}", known().join(", "))));
    };
    registry::connector(name).ok_or_else(|| {
        let error = Error::user(format!("unknown connector '{name}'"));
        match nearest(name, known()) {
            Some(near) => error.with_hint(format!("did you mean '{near}'?")),
            None => error.with_hint(format!("the connectors are {}", known().join(", "))),
        }
    })
}

fn source(plan: &SourcePlan, workers: usize, environment: &Environment) -> Result<SourceEdge> {
    let connector = connector(&plan.table.options)?;
    validate_options(&plan.table.options, connector.spec())?;
    let source = connector.source(SourceRequest {
        table: plan.table.clone(),
        projection: plan.projection.clone(),
        filters: plan.filters.clone(),
        parallelism: workers,
        environment: environment.clone(),
    })?;
    let decoders = (0..workers).map(|_| source.decoder()).collect::<Result<_>>()?;
    Ok(SourceEdge { table: plan.table.clone(), source, decoders })
}

fn lookup(plan: &LookupPlan, environment: &Environment) -> Result<LookupEdge> {
    let connector = connector(&plan.table.options)?;
    validate_options(&plan.table.options, connector.spec())?;
    let lookup = connector.lookup(LookupRequest {
        table: plan.table.clone(),
        keys: plan.keys.clone(),
        projection: plan.projection.clone(),
        filters: plan.filters.clone(),
        environment: environment.clone(),
    })?;
    Ok(LookupEdge { name: plan.table.name.clone(), lookup })
}

fn sink(plan: &SinkPlan, output: OutputKind, environment: &Environment) -> Result<SinkEdge> {
    let (name, sink, stdout) = match &plan.target {
        SinkTarget::Console => {
            ("stdout".to_owned(), console::sink(plan, output, environment)?, true)
        }
        SinkTarget::Table(table) => {
            let connector = connector(&table.options)?;
            validate_options(&table.options, connector.spec())?;
            let sink = connector.sink(SinkRequest {
                table: table.clone(),
                changelog: plan.changelog.clone(),
                environment: environment.clone(),
            })?;
            (table.name.clone(), sink, prints(&table.options))
        }
    };
    Ok(SinkEdge { name, sink, stdout })
}

/// A table that writes to stdout.
fn prints(options: &Options) -> bool {
    let stderr = options.get("standard-error").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    options.get("connector").is_some_and(|name| name == "print") && !stderr
}
