//! The commands: what each does with what the others give it.
//! Invariant: a script is refused whole or started whole. Data goes to stdout, words to stderr.

use std::io::IsTerminal;

use mainstem_core::Error;
use mainstem_engine::executor::Cuts;
use mainstem_sql::error::SqlError;
use mainstem_sql::job::{Job, Step};
use mainstem_sql::parser::parse_statements;
use mainstem_sql::source::SourceText;

use crate::broker::{Data, Embedded, ServerSettings};
use crate::cli::{Command, ExplainArgs, GenArgs, OutputKind, RowFormat, RunArgs, ScriptArgs};
use crate::failure::{Failure, Outcome, print_out, say};
use crate::pipeline::{self, Prepared, Runner, Settings, StateSettings, edges};
use crate::script::{self, Declarations, Planned};
use crate::{checkpoint, generate, kafka_client, listing, up};

/// Does what the command line says.
pub(crate) fn execute(command: Command) -> Outcome {
    match command {
        Command::Run(arguments) => run(&arguments),
        Command::Up(arguments) => up::up(&arguments),
        Command::Checkpoint { command } => checkpoint::execute(&command),
        Command::Check(arguments) => check(&arguments),
        Command::Explain(arguments) => explain(&arguments),
        Command::Gen(arguments) => generate(&arguments),
        Command::Connectors { name } => print_out(&listing::connectors(name.as_deref())?),
        Command::Functions { name } => print_out(&listing::functions(name.as_deref())?),
        Command::Topic { command } => kafka_client::topic::execute(&command),
        Command::Produce(arguments) => kafka_client::produce::execute(&arguments),
        Command::Consume(arguments) => kafka_client::consume::execute(&arguments),
        Command::Group { command } => kafka_client::group::execute(&command),
    }
}

fn run(arguments: &RunArgs) -> Outcome {
    let on_terminal = std::io::stdout().is_terminal();
    let usual = if on_terminal { OutputKind::Table } else { OutputKind::Tsv };
    let settings = Settings {
        parallelism: arguments.parallelism.map(usize::from),
        close_windows: arguments.close_windows,
        output: arguments.output.unwrap_or(usual),
        quiet: arguments.quiet,
        embedded: Embedded::default(),
        cuts: arguments.cuts.unwrap_or_default(),
        live_line: true,
        restarts: arguments.restarts,
        state: arguments.state.clone().map(|place| StateSettings {
            place,
            from: arguments.from_checkpoint,
            changed: arguments.changed_sql,
        }),
    };
    let data = arguments.data.clone().unwrap_or(Data::Memory);
    run_script(script::read(&arguments.script)?, &settings, data)
}

fn generate(arguments: &GenArgs) -> Outcome {
    let output = match arguments.format {
        RowFormat::Json => OutputKind::Json,
        RowFormat::Csv => OutputKind::Csv,
    };
    let settings = Settings {
        parallelism: None,
        close_windows: false,
        output,
        quiet: arguments.quiet,
        embedded: Embedded::default(),
        cuts: Cuts::AsItComes,
        live_line: true,
        restarts: false,
        state: None,
    };
    run_script(generate::script(arguments)?, &settings, Data::Memory)
}

/// A step whose errors are known.
pub(crate) enum Ready {
    Text(Vec<String>),
    Job(Box<Prepared>),
}

fn run_script(sources: Vec<SourceText>, settings: &Settings, data: Data) -> Outcome {
    let steps = prepare(script::plan(sources)?, settings)?;
    let runner = Runner::new()?;
    let needs_broker = |step: &Ready| matches!(step, Ready::Job(job) if job.needs_broker());
    if !steps.iter().any(needs_broker) {
        return runner.block_on(run_steps(steps, &runner, settings)).map(drop);
    }
    let server = ServerSettings {
        data,
        listeners: Vec::new(),
        broker: mainstem_broker::Settings::default(),
        users: Vec::new(),
    };
    let server = up::start(&runner, server, settings)?;
    let ran = runner.block_on(run_steps(steps, &runner, settings)).map(drop);
    let stopped = runner.block_on(async { server.stop().await.map_err(Failure::Runtime) });
    ran.and(stopped)
}

/// Does the steps one after the other. False if Ctrl-C ended it.
pub(crate) async fn run_steps(
    steps: Vec<Ready>,
    runner: &Runner,
    settings: &Settings,
) -> Outcome<bool> {
    for step in steps {
        match step {
            Ready::Text(lines) => print_out(&lines_text(&lines))?,
            Ready::Job(job) => {
                if !runner.run(*job, settings).await? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

/// Builds the ends of all jobs; the errors of all of them.
pub(crate) fn prepare(planned: Planned, settings: &Settings) -> Outcome<Vec<Ready>> {
    let Planned { steps, declarations } = planned;
    Ok(prepare_each(vec![steps], &declarations, settings)?.into_iter().flatten().collect())
}

/// Builds the ends of all jobs of several pipelines; the errors of all of them.
pub(crate) fn prepare_each(
    pipelines: Vec<Vec<Step>>,
    declarations: &Declarations,
    settings: &Settings,
) -> Outcome<Vec<Vec<Ready>>> {
    let mut all = Vec::new();
    let mut refused: Vec<SqlError> = Vec::new();
    let mut used: Vec<String> = Vec::new();
    for steps in pipelines {
        let mut ready = Vec::new();
        let jobs = steps.iter().filter(|step| matches!(step, Step::Job(_))).count();
        if settings.state.is_some() && jobs > 1 {
            let error =
                Error::user(format!("with --state a script is one job, and this one is {jobs}"));
            return Err(Failure::Usage(error.with_hint(
                "leave SET 'table.dml-sync' = 'true' out, or give each job a file and a --state of its own",
            )));
        }
        for step in steps {
            match step {
                Step::Text(lines) => ready.push(Ready::Text(lines)),
                Step::Job(job) => {
                    used.extend(table_names(&job));
                    match pipeline::prepare(job, settings, declarations) {
                        Ok(job) => ready.push(Ready::Job(Box::new(job))),
                        Err(Failure::Refused(errors)) => refused.extend(errors),
                        Err(other) => return Err(other),
                    }
                }
            }
        }
        all.push(ready);
    }
    for (table, options) in declarations.tables() {
        if used.iter().all(|name| name != table)
            && let Err(error) = edges::check_unused(&options)
        {
            refused.push(declarations.locate(table, &error));
        }
    }
    if refused.is_empty() { Ok(all) } else { Err(Failure::Refused(refused)) }
}

fn table_names(job: &Job) -> Vec<String> {
    use mainstem_sql::job::SinkTarget;
    let sources = job.sources.iter().map(|source| source.table.name.clone());
    let sinks = job.sinks.iter().filter_map(|sink| match &sink.target {
        SinkTarget::Table(table) => Some(table.name.clone()),
        SinkTarget::Console => None,
    });
    sources.chain(sinks).collect()
}

fn lines_text(lines: &[String]) -> String {
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn check(arguments: &ScriptArgs) -> Outcome {
    let sources = script::read(arguments)?;
    let counts: Vec<(String, usize)> = sources
        .iter()
        .map(|source| (source.name.clone(), parse_statements(&source.text).len()))
        .collect();
    let settings = Settings {
        parallelism: None,
        close_windows: false,
        output: OutputKind::Tsv,
        quiet: true,
        embedded: Embedded::default(),
        cuts: Cuts::AsItComes,
        live_line: true,
        restarts: false,
        state: None,
    };
    prepare(script::plan(sources)?, &settings)?;
    for (name, count) in counts {
        let noun = if count == 1 { "statement" } else { "statements" };
        say(&format!("{name}: ok ({count} {noun})\n"));
    }
    Ok(())
}

fn explain(arguments: &ExplainArgs) -> Outcome {
    let parallelism = arguments.parallelism.map(usize::from);
    let mut text = String::new();
    for step in script::plan(script::read(&arguments.script)?)?.steps {
        let lines = match step {
            Step::Text(lines) => lines,
            Step::Job(job) => {
                // The plan says N where all workers take part; how many they are is known here.
                let workers = pipeline::workers(&job, parallelism)?;
                let workers = format!("parallelism=[{workers}]");
                let lines = job.explain.iter();
                lines.map(|line| line.replace("parallelism=[N]", &workers)).collect()
            }
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&lines_text(&lines));
    }
    print_out(&text)
}
