//! `mainstem checkpoint` on the directory of a pipeline that ran: what is listed and shown, and that damage has exit code 1.

use serde_json::Value;

use crate::checkpoints::JOB;
use crate::program::Place;

/// A place whose pipeline has ended.
fn ended() -> Place {
    let place = Place::with(&[("job.sql", JOB)]);
    let variables = ["--var", "OUT=out", "--var", "EVENTS=200000"];
    place.ok(&[&["run", "job.sql", "--quiet", "--state", "state"][..], &variables].concat());
    place
}

#[test]
fn a_directory_is_listed_shown_and_verified() {
    let place = ended();
    let listed = place.ok(&["checkpoint", "list", "state"]).stdout;
    assert!(listed.contains("complete, all input had ended"), "{listed}");
    let json = place.ok(&["checkpoint", "list", "state", "--format", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let newest = json.as_array().unwrap().last().unwrap();
    assert_eq!((&newest["standing"], &newest["ended"]), (&"complete".into(), &true.into()));
    assert_eq!(json.as_array().unwrap().len(), listed.lines().count() - 1);

    let shown = place.ok(&["checkpoint", "show", "state"]).stdout;
    assert!(shown.contains("\n  nexmark  "), "{shown}");
    assert!(shown.contains("\n  Aggregate(group by"), "{shown}");
    assert!(shown.contains("\n  totals  "), "{shown}");
    let json = place.ok(&["checkpoint", "show", "state", "--format", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["checkpoint"], newest["checkpoint"]);
    let is_totals =
        |operator: &&Value| operator["operator"].as_str().unwrap().starts_with("Aggregate");
    let totals = json["operators"].as_array().unwrap().iter().find(is_totals).unwrap();
    assert!(totals["tables"][0]["rows_max"].as_u64().unwrap() > 10, "{json}");

    let verified = place.ok(&["checkpoint", "verify", "state"]).stdout;
    assert_eq!(verified.lines().count(), listed.lines().count() - 1, "{verified}");
    assert!(verified.lines().all(|line| line.contains(": whole, ")), "{verified}");
}

#[test]
fn damage_is_found_and_no_file_is_changed() {
    let place = ended();
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let names = || {
        let mut names: Vec<String> =
            std::fs::read_dir(place.path("state")).unwrap().map(|e| name(e.unwrap())).collect();
        names.sort();
        names
    };
    let before = names();
    let run = before.iter().rfind(|name| name.ends_with(".run")).unwrap();
    let path = place.path("state").join(run);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let ran = place.run(&["checkpoint", "verify", "state"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let damage = format!("a block is damaged in '{run}' at byte ");
    assert!(ran.stdout.contains(": damaged\n") && ran.stdout.contains(&damage), "{}", ran.stdout);
    assert!(ran.stderr.contains("damaged\nhint: "), "{}", ran.stderr);
    assert_eq!(names(), before);
}

#[test]
fn what_is_no_state_directory_is_refused() {
    let place = Place::with(&[("file", "")]);
    std::fs::create_dir(place.path("empty")).unwrap();
    for (arguments, error) in [
        (&["list", "nowhere"][..], "error: there is no directory 'nowhere'"),
        (&["show", "file"], "error: 'file' is a file"),
        (&["verify", "empty"], "error: 'empty' is not a state directory"),
    ] {
        let ran = place.run(&[&["checkpoint"][..], arguments].concat());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.starts_with(error), "{}", ran.stderr);
        assert!(ran.stderr.contains("\nhint: name the directory"), "{}", ran.stderr);
    }
    let ran = place.ok(&["checkpoint", "--help"]);
    assert!(ran.stdout.contains("mainstem checkpoint verify state"), "{}", ran.stdout);
}
