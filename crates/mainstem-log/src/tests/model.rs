//! The log beside a vector that does the same.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Append { count: usize, bytes: usize },
    Sync,
    Read { at: usize, bytes_max: u32 },
    Reopen { clean: bool },
    Delete { at: usize },
    Maintain { ms: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..4_usize, 0..150_usize).prop_map(|(count, bytes)| Step::Append { count, bytes }),
        3 => Just(Step::Sync),
        4 => (0..1_000_usize, 0..2_000_u32).prop_map(|(at, bytes_max)| Step::Read { at, bytes_max }),
        1 => any::<bool>().prop_map(|clean| Step::Reopen { clean }),
        1 => (0..1_000_usize).prop_map(|at| Step::Delete { at }),
        1 => (0..400_i64).prop_map(|ms| Step::Maintain { ms }),
    ]
}

/// What the log must hold.
#[derive(Debug, Default)]
struct Model {
    values: Vec<String>,
    start: usize,
    synced: usize,
    now_ms: i64,
}

impl Model {
    fn check_read(&self, log: &mut Log, at: usize, bytes_max: u32) {
        let offset = self.start + at % (self.values.len() - self.start + 1);
        let found = batches(log, offset as i64, bytes_max, Isolation::ReadUncommitted);
        let mut next = None;
        for batch in &found {
            assert_eq!(next.unwrap_or(batch.header().base_offset), batch.header().base_offset);
            next = Some(batch.header().last_offset() + 1);
            for record in &batch.records(RecordLimits::default()).unwrap() {
                let record = record.unwrap();
                assert_eq!(record.value.unwrap(), self.values[record.offset as usize].as_bytes());
            }
        }
        assert_eq!(found.is_empty(), offset >= self.synced);
        let Some(first) = found.first() else { return };
        assert!(first.header().base_offset <= offset as i64);
        assert!(first.header().last_offset() >= offset as i64);
        assert!(next.unwrap() <= self.synced as i64);
        if bytes_max > 1_000_000 {
            assert_eq!(next.unwrap(), self.synced as i64);
        }
        assert!(log.readable_bytes(offset as i64, Isolation::ReadUncommitted) > 0);
    }
}

fn run(steps: Vec<Step>) {
    let settings = LogSettings { retention_ms: Some(1_000), file_delete_delay_ms: 100, ..small() };
    let disk = memory();
    let (mut log, _) = open(&disk, &settings);
    let mut model = Model { now_ms: 1_000, ..Model::default() };
    for step in steps {
        match step {
            Step::Append { count, bytes } => {
                let mut builder = BatchBuilder::new(Compression::None);
                for _ in 0..count {
                    let value = format!("{}{}", model.values.len(), "x".repeat(bytes));
                    builder.push(model.now_ms, None, Some(value.as_bytes()), &[]);
                    model.values.push(value);
                }
                let appended = log.append(&builder.finish().unwrap(), model.now_ms).unwrap();
                assert_eq!(appended.last_offset + 1, model.values.len() as i64);
            }
            Step::Sync => {
                sync(&mut log);
                model.synced = model.values.len();
            }
            Step::Read { at, bytes_max } => model.check_read(&mut log, at, bytes_max),
            Step::Reopen { clean } => {
                let point = log.recovery_point();
                if clean {
                    log.close(model.now_ms).unwrap();
                }
                let settings = settings.clone();
                let opened =
                    Log::open(Arc::clone(&disk), "t/0", settings, point, clean, model.now_ms);
                let recovery;
                (log, recovery) = opened.unwrap();
                assert_eq!((recovery.truncated_bytes, &recovery.reason), (0, &None));
                assert!(!clean || recovery.clean || model.values.is_empty());
                model.synced = model.values.len();
            }
            Step::Delete { at } => {
                let to = model.start + at % (model.synced - model.start + 1);
                assert_eq!(log.delete_records(to as i64, model.now_ms).unwrap(), to as i64);
                model.start = to;
            }
            Step::Maintain { ms } => {
                model.now_ms += ms;
                log.maintain(model.now_ms).unwrap();
                let start = log.log_start_offset() as usize;
                assert!(start >= model.start && start <= model.synced);
                model.start = start;
            }
        }
        assert_eq!(log.log_end_offset(), model.values.len() as i64);
        assert_eq!(log.high_watermark(), model.synced as i64);
        assert_eq!(log.log_start_offset(), model.start as i64);
    }
    model.check_read(&mut log, 0, u32::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_log_is_a_vector(steps in prop::collection::vec(step(), 1..80)) {
        run(steps);
    }
}
