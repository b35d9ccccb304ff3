//! Why a command did not do what was asked, how that is said, and the exit code.
//! Invariant: every failure is shown exactly once, here, on stderr. Below this file errors are values.

use std::io::Write;
use std::process::ExitCode;

use mainstem_core::Error;
use mainstem_sql::error::SqlError;

/// Says something on stderr. A reader of stderr that went away is no reason to stop.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes data to stdout.
pub(crate) fn print_out(text: &str) -> Outcome {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::stdout)
}

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// What `main` is told.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line, a file or a value in it is wrong; nothing was started.
    Usage(Error),
    /// Statements were refused; nothing was started.
    Refused(Vec<SqlError>),
    /// It was started and could not go on.
    Runtime(Error),
    /// Ctrl-C before it could finish: what was stopped, in words.
    Interrupted(&'static str),
    /// Whoever read stdout has seen enough (`| head`).
    OutputClosed,
}

impl Failure {
    /// Tells the person and chooses the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Failure::Usage(error) => {
                say(&format!("{}\n", render(error)));
                ExitCode::from(2)
            }
            Failure::Refused(errors) => {
                for error in errors {
                    say(&format!("{}\n\n", error.render()));
                }
                let count = errors.len();
                if count > 1 {
                    say(&format!("{count} errors; nothing was started\n"));
                }
                ExitCode::from(2)
            }
            Failure::Runtime(error) => {
                say(&format!("{}\n", render(error)));
                ExitCode::from(1)
            }
            Failure::Interrupted(what) => {
                say(&format!("{what}\n"));
                ExitCode::from(130)
            }
            Failure::OutputClosed => ExitCode::SUCCESS,
        }
    }

    /// A write to stdout that failed: a reader that went away is no fault.
    pub(crate) fn stdout(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Runtime(Error::unavailable("cannot write to stdout").with_source(error)),
        }
    }
}

/// The primary line, what caused it, the detail and the hint.
fn render(error: &Error) -> String {
    let mut text = format!("error: {error}");
    let mut shown = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let line = inner.to_string();
        if !shown.contains(&line) {
            text.push_str(&format!("\n  because: {line}"));
            shown.push_str(&line);
        }
        cause = inner.source();
    }
    if let Some(detail) = error.detail() {
        text.push_str(&format!("\n  {detail}"));
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_once() {
        let io = std::io::Error::other("disk on fire");
        let error = Error::unavailable("cannot write 'a': disk on fire")
            .with_source(io)
            .with_detail("it was open")
            .with_hint("put it out");
        assert_eq!(
            render(&error),
            "error: cannot write 'a': disk on fire\n  it was open\nhint: put it out"
        );
        let error =
            Error::unavailable("cannot write 'a'").with_source(std::io::Error::other("full"));
        assert_eq!(render(&error), "error: cannot write 'a'\n  because: full");
    }
}
