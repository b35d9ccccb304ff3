//! The edges between crates that must not exist, read from `cargo tree`: they are what keeps the middle synchronous, testable
//! and free of heavy dependencies. Dev-dependencies are free, features are all on.

use std::process::Command;

use super::Complaint;
use crate::error::Result;
use crate::{layout, process};

/// Crates that must not reach others, by any path.
struct Fence {
    inside: &'static [&'static str],
    outside: &'static [&'static str],
    why: &'static str,
}

const FENCES: &[Fence] = &[
    Fence {
        inside: &[
            "mainstem-broker",
            "mainstem-core",
            "mainstem-engine",
            "mainstem-log",
            "mainstem-state",
        ],
        outside: &["tokio", "datafusion", "mainstem-connectors", "mainstem-sql"],
        why: "the core is synchronous and knows neither SQL nor transports",
    },
    Fence {
        inside: &["mainstem-sql"],
        outside: &["tokio", "mainstem-connectors"],
        why: "SQL sees connectors only as data",
    },
    Fence {
        inside: &["mainstem-connectors"],
        outside: &["datafusion", "mainstem-sql", "mainstem-engine"],
        why: "a connector knows bytes, formats and batches, not plans",
    },
];

const SHELL: &str = "mainstem";
const NAMES_DATAFUSION: &str = "mainstem-sql";

pub(super) fn check() -> Result<Vec<Complaint>> {
    let mut complaints = Vec::new();
    for member in members()? {
        let reached = tree(&member, &[])?;
        complaints.extend(broken_fences(&member, &reached));
        let named = tree(&member, &["--depth", "1"])?;
        complaints.extend(broken_names(&member, &named));
    }
    Ok(complaints)
}

fn broken_fences(member: &str, reached: &[String]) -> Vec<Complaint> {
    let fences = FENCES.iter().filter(|fence| fence.inside.contains(&member));
    let edges = fences.flat_map(|fence| {
        let broken = reached.iter().filter(|name| {
            fence.outside.iter().any(|outside| name == outside || is_part_of(name, outside))
        });
        broken.map(move |name| format!("reaches {name}: {} (`cargo tree -i {name}`)", fence.why))
    });
    edges.map(|message| Complaint::new(member, 0, message)).collect()
}

fn broken_names(member: &str, named: &[String]) -> Vec<Complaint> {
    let broken = named.iter().filter_map(|name| {
        if name == SHELL && member != SHELL {
            return Some("names the shell: nothing depends on it".to_owned());
        }
        let datafusion = name == "datafusion" || is_part_of(name, "datafusion");
        (datafusion && member != NAMES_DATAFUSION)
            .then(|| format!("names {name}: only {NAMES_DATAFUSION} may"))
    });
    broken.map(|message| Complaint::new(member, 0, message)).collect()
}

/// Whether a crate is one of the parts that a heavy dependency is published in. `tokio-*` crates are clients, not tokio.
fn is_part_of(name: &str, family: &str) -> bool {
    family == "datafusion" && name.starts_with("datafusion-")
}

/// The crates of the workspace.
fn members() -> Result<Vec<String>> {
    let all = cargo_tree(&["--workspace", "--depth", "0", "--prefix", "none"])?;
    Ok(names(&all))
}

/// The crates that a member builds with; the member itself is left out.
fn tree(member: &str, args: &[&str]) -> Result<Vec<String>> {
    let mut all = vec!["-p", member, "--all-features", "--prefix", "none", "--no-dedupe"];
    all.extend(["-e", "normal,build"]);
    all.extend(args);
    let mut names = names(&cargo_tree(&all)?);
    names.retain(|name| name != member);
    names.sort();
    names.dedup();
    Ok(names)
}

fn cargo_tree(args: &[&str]) -> Result<String> {
    process::capture(Command::new("cargo").arg("tree").args(args).current_dir(layout::root()))
}

fn names(tree: &str) -> Vec<String> {
    let first_words = tree.lines().filter_map(|line| line.split_whitespace().next());
    // A line such as `[build-dependencies]` is a heading.
    first_words.filter(|word| !word.starts_with('[')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_edges_are_found() {
        let rows: &[(&str, &[&str], usize)] = &[
            ("mainstem-core", &["arrow-array", "hashbrown"], 0),
            ("mainstem-engine", &["mainstem-core", "tokio"], 1),
            ("mainstem-engine", &["datafusion-physical-expr"], 1),
            ("mainstem-sql", &["mainstem-connectors", "tokio"], 2),
            ("mainstem-connectors", &["tokio", "tokio-postgres"], 0),
            ("mainstem-connectors", &["datafusion"], 1),
            ("mainstem", &["tokio", "mainstem-sql", "datafusion"], 0),
        ];
        for (member, reached, want) in rows {
            let reached: Vec<String> = reached.iter().map(|name| (*name).to_owned()).collect();
            let found = broken_fences(member, &reached);
            assert_eq!(found.len(), *want, "{member} reaching {reached:?}: {found:?}");
        }
    }

    #[test]
    fn forbidden_names_are_found() {
        let rows: &[(&str, &[&str], usize)] = &[
            ("mainstem-sql", &["datafusion", "datafusion-expr"], 0),
            ("mainstem", &["datafusion"], 1),
            ("xtask", &["mainstem"], 1),
            ("xtask", &["clap"], 0),
        ];
        for (member, named, want) in rows {
            let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
            let found = broken_names(member, &named);
            assert_eq!(found.len(), *want, "{member} naming {named:?}: {found:?}");
        }
    }
}
