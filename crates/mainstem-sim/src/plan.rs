//! From a seed to a run: which topics and clients there are, how badly things go, and the audits at the end.
//! Invariant: a run ends: after the wild part comes a calm one in which every client finishes, or the run has failed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mainstem_core::clock::Rng;

use crate::check::{Model, Place, Topic};
use crate::client::Client;
use crate::client::admin::Admin;
use crate::client::auditor::Auditor;
use crate::client::member::Member;
use crate::client::producer::Producer;
use crate::client::reader::Reader;
use crate::client::renewer::Renewer;
use crate::client::transactor::Transactor;
use crate::world::{BEGIN_US, Weather, World};

/// So long clients may take to finish when nothing fails any more.
const CALM_US: i64 = 300_000_000;
/// So long after the last client everything that waits has ended.
const QUIET_US: i64 = 120_000_000;
const AUDIT_US: i64 = 60_000_000;

/// Which of the topics is what groups read.
const EVENTS: usize = 0;
/// Which of the topics is the input of those who transform.
const INPUT: usize = 2;

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// A number that differs when anything went another way.
    pub trace: u64,
    /// Events that happened.
    pub steps: u64,
    /// Starts of the process.
    pub lives: u32,
    /// Records that were sent.
    pub records: usize,
    /// What must not be, and was.
    pub violation: Option<String>,
}

/// Runs a seed; `watched` writes what happens to stderr.
pub fn run(seed: u64, watched: bool) -> Outcome {
    guarded(seed, || simulate(seed, watched))
}

/// Runs a world; a panic is a violation.
pub(crate) fn guarded(seed: u64, world: impl FnOnce() -> Outcome) -> Outcome {
    let ran = catch_unwind(AssertUnwindSafe(world));
    ran.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        Outcome {
            seed,
            trace: 0,
            steps: 0,
            lives: 0,
            records: 0,
            violation: Some(format!("panic: {}", said.unwrap_or_default())),
        }
    })
}

fn simulate(seed: u64, watched: bool) -> Outcome {
    let mut rng = Rng::new(seed ^ 0x6d61_696e_7374_656d);
    let model = Model::new(topics(&mut rng));
    let weather = Weather {
        life_ms_max: [2_000, 8_000, 30_000][rng.below(3) as usize],
        faults: rng.below(2) == 0,
        flips: rng.below(5) == 0,
        sync_us_max: [1_000, 20_000, 500_000][rng.below(3) as usize],
    };
    let wild_us = 5_000_000 + rng.below(25_000_000) as i64;
    let clients = clients(&mut rng);
    let mut world = World::new(rng, model, weather, watched);
    for client in clients {
        world.add(client);
    }
    world.run(BEGIN_US + wild_us, |_| false);
    finish(&mut world);
    Outcome {
        seed,
        trace: world.trace.hash(),
        steps: world.steps,
        lives: world.life + 1,
        records: world.model.records.sent.len(),
        violation: world.model.violation().map(str::to_owned),
    }
}

fn finish(world: &mut World) {
    if world.model.violation().is_some() || world.over {
        return;
    }
    world.calm_down();
    let all = 0..world.clients();
    let finished = all.clone();
    let done = world.run(world.now_us + CALM_US, |world| {
        world.is_up() && finished.clone().all(|number| world.is_done(number))
    });
    if world.over {
        return;
    }
    if !done {
        let busy = all.clone().find(|number| !world.is_done(*number));
        let who = busy.map(|number| world.describe(number));
        return world.model.fail(format!("a client does not finish: {who:?}"));
    }
    all.for_each(|number| world.retire(number));
    world.run(world.now_us + QUIET_US, |_| false);
    if world.model.violation().is_none() && !world.unanswered().is_empty() {
        let unanswered = world.unanswered();
        return world.model.fail(format!("never answered: {unanswered:?}"));
    }
    audit(world);
    // What was audited does not vanish.
    world.calm_down();
    audit(world);
}

fn audit(world: &mut World) {
    if world.over {
        return;
    }
    world.find_segments();
    let places: Vec<_> = world.model.places().collect();
    let groups: Vec<_> = world.model.offsets.keys().cloned().collect();
    let auditor = world.add(Box::new(Auditor::new(places.into_iter(), groups.into_iter())));
    let done = world.run(world.now_us + AUDIT_US, |world| world.is_done(auditor));
    if world.over {
        return;
    }
    if !done {
        let who = world.describe(auditor);
        world.model.fail(format!("the audit does not end: {who}"));
    }
    world.retire(auditor);
    world.model.audited();
}

fn topics(rng: &mut Rng) -> Vec<Topic> {
    // Never, or within a run.
    let delete_retention_ms = [2_000, 200_000, 86_400_000][rng.below(3) as usize];
    let mut small = |bytes: u64| ("segment.bytes", (bytes << rng.below(6)).to_string());
    let mut topics = vec![
        Topic::new("events", 3).transactional().with(small(256)),
        Topic::new("output", 2).transactional(),
        Topic::new("input", 2).spared().with(small(256)),
        Topic::new("keys", 2)
            .compacted(delete_retention_ms)
            .with(small(256))
            .with(("min.cleanable.dirty.ratio", "0.1".to_owned())),
        Topic::new("short", 1)
            .retained()
            .with(small(256))
            .with(("retention.bytes", "1500".to_owned())),
        Topic::new("cut", 1).cut().with(small(256)),
        Topic::new("weak", 1).weak().with(("durability", "interval".to_owned())),
    ];
    for topic in &mut topics {
        if rng.below(2) == 0 {
            topic.configs.push(("file.delete.delay.ms", rng.below(3_000).to_string()));
        }
        if rng.below(4) == 0 {
            topic.configs.push(("segment.ms", (500 + rng.below(5_000)).to_string()));
        }
    }
    topics
}

fn clients(rng: &mut Rng) -> Vec<Box<dyn Client>> {
    let mut clients: Vec<Box<dyn Client>> = vec![Box::new(Admin::default())];
    let mut writer = 0;
    for _ in 0..1 + rng.below(3) {
        let left = 20 + rng.below(200) as u32;
        let acks = [-1, -1, 1][rng.below(3) as usize];
        let window = 1 + rng.below(5) as usize;
        writer += 1;
        clients.push(Box::new(Producer::new(writer, true, acks, left, window)));
    }
    for _ in 0..rng.below(3) {
        let left = 20 + rng.below(100) as u32;
        let acks = [-1, 0, 1][rng.below(3) as usize];
        let window = 1 + rng.below(3) as usize;
        writer += 1;
        clients.push(Box::new(Producer::new(writer, false, acks, left, window)));
    }
    for _ in 0..1 + rng.below(3) {
        clients.push(Box::new(Reader::new(rng.below(2) == 0)));
    }
    if rng.below(3) == 0 {
        writer += 1;
        clients.push(Box::new(Producer::keeper(writer, 20 + rng.below(60) as u32)));
    }
    if rng.below(2) == 0 {
        writer += 1;
        let topic = Topic::new("mortal", 2).mortal();
        let topic = topic.with(("segment.bytes", (256 << rng.below(6)).to_string()));
        clients.push(Box::new(Renewer::new(topic, writer)));
    }
    transactors(rng, &mut clients, writer);
    for group in 0..rng.below(3) {
        members(rng, &mut clients, group);
    }
    clients
}

fn members(rng: &mut Rng, clients: &mut Vec<Box<dyn Client>>, group: u64) {
    let session_timeout_ms = 200 + rng.below(2_000) as i32;
    for number in 0..1 + rng.below(4) {
        let instance = (rng.below(3) == 0).then(|| format!("static-{}", number / 2));
        let group = format!("group-{group}");
        clients.push(Box::new(Member::new(group, EVENTS, instance, session_timeout_ms)));
    }
}

fn transactors(rng: &mut Rng, clients: &mut Vec<Box<dyn Client>>, mut writer: u64) {
    let mut add = |rng: &mut Rng, id: String, input: Option<Place>| {
        writer += 1;
        let timeout_ms = 500 + rng.below(8_000) as i32;
        let left = 5 + rng.below(60) as u32;
        clients.push(Box::new(Transactor::new(id, writer, input, timeout_ms, left)));
    };
    for number in 0..rng.below(3) {
        for _ in 0..1 + rng.below(2) {
            add(rng, format!("writer-{number}"), None);
        }
    }
    for partition in 0..rng.below(3) as i32 {
        for _ in 0..1 + rng.below(2) {
            let place = Place { topic: INPUT, partition };
            add(rng, format!("transform-{partition}"), Some(place));
        }
    }
}
