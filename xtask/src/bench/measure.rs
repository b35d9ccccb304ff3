//! What a whole process costs: its CPU time from the kernel's books, by the program `time`, and how long it took.
//! Invariant: nothing is timed inside a process, and runs of different programs take turns, so that a slow minute of the
//! machine falls on all of them. CPU times come in steps of 10 ms.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::error::{Context, Error, Result};
use crate::{layout, process};

/// A program to be measured, and the place of its answer, which is cleared before each run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) label: String,
    pub(crate) words: Vec<String>,
    pub(crate) output: Option<PathBuf>,
}

impl Program {
    /// The command as it is typed in the folder of the workspace, without what binds it to this machine.
    pub(crate) fn line(&self) -> String {
        let root = format!("{}/", layout::root().display());
        let shown = |word: &String| {
            let word = word.replace(&root, "");
            if word.contains([' ', '\'', '*', '$']) { format!("\"{word}\"") } else { word }
        };
        let words = self.words.iter().filter(|word| !word.starts_with("--add-"));
        words.map(shown).collect::<Vec<_>>().join(" ")
    }
}

/// What one run took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    /// Of it the system's.
    pub(crate) system_s: f64,
    pub(crate) peak_mb: f64,
}

/// The runs of one program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs(pub(crate) Vec<Usage>);

impl Runs {
    pub(crate) fn wall_s(&self) -> f64 {
        self.median(|usage| usage.wall_s)
    }

    pub(crate) fn cpu_s(&self) -> f64 {
        self.median(|usage| usage.cpu_s)
    }

    /// Without the system's part.
    pub(crate) fn user_s(&self) -> f64 {
        self.median(|usage| usage.cpu_s - usage.system_s)
    }

    pub(crate) fn peak_mb(&self) -> f64 {
        self.median(|usage| usage.peak_mb)
    }

    pub(crate) fn fastest_s(&self) -> f64 {
        self.0.iter().map(|usage| usage.wall_s).fold(f64::INFINITY, f64::min)
    }

    /// The distance between the cheapest and the dearest run, as a share of the median; one run has none.
    pub(crate) fn spread(&self) -> Option<f64> {
        let costs = || self.0.iter().map(|usage| usage.cpu_s);
        let width = costs().fold(0.0, f64::max) - costs().fold(f64::INFINITY, f64::min);
        (self.0.len() > 1).then(|| width / self.cpu_s().max(f64::MIN_POSITIVE))
    }

    fn median(&self, field: impl Fn(&Usage) -> f64) -> f64 {
        let mut values: Vec<f64> = self.0.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len() % 2 == 1 {
            return values[middle];
        }
        middle.checked_sub(1).map_or(f64::NAN, |below| f64::midpoint(values[below], values[middle]))
    }
}

/// Runs all programs in turn, so many times; `after` sees each program's answer after its first run.
pub(crate) fn rounds(
    folder: &Path,
    runs: usize,
    programs: &[Program],
    mut after: impl FnMut(usize) -> Result<()>,
) -> Result<Vec<Runs>> {
    let mut all = vec![Runs::default(); programs.len()];
    for round in 0..runs {
        for (index, program) in programs.iter().enumerate() {
            let usage = measure(folder, program)?;
            eprintln!(
                "  {} of {runs}  {:28} {:8.2} s wall {:8.2} s CPU {:6.0} MB",
                round + 1,
                program.label,
                usage.wall_s,
                usage.cpu_s,
                usage.peak_mb
            );
            all[index].0.push(usage);
            if round == 0 {
                after(index)?;
            }
        }
    }
    Ok(all)
}

/// Runs one program in the folder of the workspace; what it prints goes to `stdout` in the scratch folder.
pub(crate) fn measure(folder: &Path, program: &Program) -> Result<Usage> {
    if let Some(output) = &program.output {
        layout::remove_folder(output)?;
        layout::create_folder(output)?;
    }
    let (books, said, log) = (folder.join("books"), folder.join("stdout"), folder.join("stderr"));
    let mut time = Command::new("time");
    time.arg("-o").arg(&books).args(["-f", "%U %S %M", "--"]).args(&program.words);
    time.current_dir(layout::root()).stdin(Stdio::null());
    time.stdout(create(&said)?).stderr(create(&log)?);
    let start = Instant::now();
    let status = time.status().context("cannot start `time`")?;
    let wall_s = start.elapsed().as_secs_f64();
    if !status.success() {
        let (line, end) = (program.line(), process::tail(&log));
        return Err(Error::new(format!("`{line}` ended with {status}; {end}")));
    }
    let text = fs::read_to_string(&books).context("cannot read what `time` wrote")?;
    parse(&text, wall_s)
        .ok_or_else(|| Error::new(format!("cannot understand what `time` wrote: {text}")))
}

fn create(path: &Path) -> Result<File> {
    File::create(path).context(format_args!("cannot create {}", path.display()))
}

fn parse(text: &str, wall_s: f64) -> Option<Usage> {
    let mut numbers = text.lines().last()?.split_whitespace().map(str::parse::<f64>);
    let (user, system, peak_kib) =
        (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    let (cpu_s, peak_mb) = (user + system, peak_kib * 1024.0 / 1e6);
    Some(Usage { wall_s, cpu_s, system_s: system, peak_mb })
}

/// Events in a second of that cost; nothing where the cost is within the error of measuring.
pub(crate) fn rate(events: u64, seconds: f64) -> Option<f64> {
    (seconds >= 0.02).then(|| events as f64 / seconds)
}

/// The rate without the cost of starting; nothing where that cost is most of what was measured, as it differs by a tenth
/// from run to run.
pub(crate) fn net_rate(events: u64, real: &Runs, start: &Runs) -> Option<f64> {
    let net_s = real.cpu_s() - start.cpu_s();
    rate(events, net_s).filter(|_| net_s >= 0.2 * start.cpu_s())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(costs: &[f64]) -> Runs {
        Runs(costs.iter().map(|&cpu_s| Usage { cpu_s, ..Usage::default() }).collect())
    }

    #[test]
    fn medians_and_spreads() {
        assert_eq!(runs(&[3.0, 1.0, 2.0]).cpu_s(), 2.0);
        assert_eq!(runs(&[4.0, 1.0, 2.0, 3.0]).cpu_s(), 2.5);
        assert_eq!(runs(&[7.0]).cpu_s(), 7.0);
        assert_eq!(runs(&[3.0, 1.0, 2.0]).spread(), Some(1.0));
        assert_eq!(runs(&[3.0]).spread(), None);
        assert!(runs(&[]).cpu_s().is_nan());
    }

    #[test]
    fn the_books_of_time() {
        let usage = parse("1.50 0.25 1000\n", 2.0);
        let expected = Usage { wall_s: 2.0, cpu_s: 1.75, system_s: 0.25, peak_mb: 1.024 };
        assert_eq!(usage, Some(expected));
        assert_eq!(parse("Command terminated by signal 9\n", 2.0), None);
    }

    #[test]
    fn no_rate_out_of_noise() {
        assert_eq!(rate(100, 0.5), Some(200.0));
        assert_eq!(rate(100, 0.01), None);
        assert_eq!(rate(100, -0.1), None);
        assert_eq!(net_rate(100, &runs(&[11.0]), &runs(&[10.0])), None);
        assert_eq!(net_rate(100, &runs(&[14.0]), &runs(&[10.0])), Some(25.0));
    }
}
