//! `mainstem checkpoint`: what is in a state directory, for people and for scripts.
//! Invariant: looks, and touches nothing: no lock is taken, no file is made, changed or removed, so that a pipeline may be running
//! meanwhile. What is read is judged by the same code that a restart uses.
//!
//! | file | what |
//! |---|---|
//! | `folder` | a directory opened, its checkpoints found |
//! | `text`, `json` | them for people, and for scripts |
//! | `verify` | every byte read |

mod folder;
mod json;
mod text;
mod verify;

use clap::{Args, Subcommand, ValueEnum};
use mainstem_core::clock::Clock as _;
use mainstem_core::{Error, ErrorKind};
use mainstem_state::manifest::CheckpointId;

use crate::clock::SystemClock;
use crate::failure::{Failure, Outcome, print_out};
use crate::kafka_client::columns::count;
use crate::pipeline::terminal::Terminal;
use crate::state::StatePlace;
use folder::Folder;
use verify::{Verdict, Verifier};

pub(crate) const HELP: &str = "\
Examples:
  mainstem checkpoint list state                   the checkpoints of a --state directory
  mainstem checkpoint show state                   the newest: how far sources are, what operators and sinks keep
  mainstem checkpoint show state 12 --format json  another one, for a script
  mainstem checkpoint verify state                 read everything; exit code 1 if something is damaged
  mainstem run job.sql --state state --from-checkpoint 12

A pipeline may be running on the directory: nothing in it is locked, changed or removed.";

#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointCommand {
    /// List the checkpoints of a state directory
    List(ListArgs),
    /// Show how far sources were read, what operators keep, and what sinks have yet to show
    Show(ShowArgs),
    /// Read every block of every checkpoint and compare its checksum
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// What was given with --state, a folder or a place of an object store; of 'mainstem up', the pipeline's folder in it
    #[arg(value_name = "PLACE")]
    place: StatePlace,
    /// For people, or for a script
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: ListFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// What was given with --state, a folder or a place of an object store; of 'mainstem up', the pipeline's folder in it
    #[arg(value_name = "PLACE")]
    place: StatePlace,
    /// Which checkpoint [default: the newest that can be read]
    #[arg(value_name = "NUMBER")]
    id: Option<CheckpointId>,
    /// For people, or for a script
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: ListFormat,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// What was given with --state, a folder or a place of an object store; of 'mainstem up', the pipeline's folder in it
    #[arg(value_name = "PLACE")]
    place: StatePlace,
    /// Which checkpoint [default: all]
    #[arg(value_name = "NUMBER")]
    id: Option<CheckpointId>,
}

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Aligned columns
    Text,
    /// One JSON document
    Json,
}

/// Does what the command line says.
pub(crate) fn execute(command: &CheckpointCommand) -> Outcome {
    match command {
        CheckpointCommand::List(arguments) => list(arguments),
        CheckpointCommand::Show(arguments) => show(arguments),
        CheckpointCommand::Verify(arguments) => verify(arguments),
    }
}

fn list(arguments: &ListArgs) -> Outcome {
    let folder = Folder::open(&arguments.place)?;
    let found = folder.checkpoints().map_err(Failure::Runtime)?;
    let now_ms = SystemClock.now_ms();
    print_out(&match arguments.format {
        ListFormat::Text => text::list(&found, now_ms),
        ListFormat::Json => json::list(&found),
    })
}

fn show(arguments: &ShowArgs) -> Outcome {
    let folder = Folder::open(&arguments.place)?;
    let found = folder.checkpoint(arguments.id).map_err(|error| match error.kind() {
        ErrorKind::User => Failure::Usage(error),
        _ => Failure::Runtime(error),
    })?;
    let now_ms = SystemClock.now_ms();
    print_out(&match arguments.format {
        ListFormat::Text => text::show(&found, &folder.name, now_ms),
        ListFormat::Json => json::show(&found),
    })
}

fn verify(arguments: &VerifyArgs) -> Outcome {
    let folder = Folder::open(&arguments.place)?;
    let ids = folder.ids(arguments.id).map_err(Failure::Usage)?;
    let terminal = Terminal::new(false, true);
    let live = terminal.is_live(false);
    let mut verifier = Verifier::new(&folder.catalog);
    let mut verdicts = Vec::new();
    for id in ids {
        let verdict = verifier.verify(id, &mut |text| {
            if live {
                terminal.show(text);
            }
        });
        terminal.clear();
        // A running pipeline has removed it meanwhile.
        let Some(verdict) = verdict.map_err(Failure::Runtime)? else { continue };
        print_out(&text::verdict(&verdict))?;
        verdicts.push(verdict);
    }
    match failure(&verdicts, &folder.name) {
        None => Ok(()),
        Some(error) => Err(Failure::Runtime(error)),
    }
}

/// What is said at the end if something is damaged.
fn failure(verdicts: &[Verdict], folder: &str) -> Option<Error> {
    let damaged = verdicts.iter().filter(|verdict| !verdict.damage.is_empty()).count();
    if damaged == 0 {
        return None;
    }
    let be = if damaged == 1 { "is" } else { "are" };
    let all = count(verdicts.len() as u64, "checkpoint");
    let error = Error::new(ErrorKind::Corrupt, format!("{damaged} of {all} {be} damaged"));
    let whole = verdicts.iter().rev().find(|verdict| verdict.damage.is_empty());
    Some(error.with_hint(match whole {
        Some(whole) => format!(
            "a pipeline with --state {folder} goes on from the newest that is whole; of these it is {}",
            whole.id
        ),
        None => {
            format!("none of these is whole; restore '{folder}' from a copy, or start anew with another --state")
        }
    }))
}

#[cfg(test)]
mod tests;
