//! The reader of generated rows on a paused clock: pace, bounds, positions.

use mainstem_core::clock::ManualClock;

use super::*;

fn reader(rows_per_second: Option<u64>, rows_max: Option<u64>, first: u64) -> RangeReader {
    let pace = Pace { rows_per_second, rows_max };
    RangeReader::new(pace, first, Arc::new(ManualClock::new(7)))
}

async fn next(reader: &mut RangeReader) -> Option<(u64, u32)> {
    reader.next().await.unwrap().map(|fetched| match fetched.payload {
        Payload::Rows(range) => {
            assert_eq!(range.at_ms, 7);
            assert_eq!(next_row(&fetched.position).unwrap(), range.first + u64::from(range.count));
            (range.first, range.count)
        }
        other => panic!("a generator hands out rows, not {other:?}"),
    })
}

#[tokio::test(start_paused = true)]
async fn a_bounded_reader_ends_and_stays_ended() {
    let mut reader = reader(None, Some(10_000), 0);
    assert_eq!(next(&mut reader).await, Some((0, 8192)));
    assert_eq!(next(&mut reader).await, Some((8192, 1808)));
    assert_eq!(next(&mut reader).await, None);
    assert_eq!(next(&mut reader).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_reader_goes_on_from_its_position() {
    let mut reader = reader(None, Some(10_000), 9_999);
    assert_eq!(next(&mut reader).await, Some((9_999, 1)));
    assert_eq!(next(&mut reader).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_exact_on_average() {
    for rate in [1, 7, 20, 30, 1_000, 10_000, 1_000_000] {
        let rows = rate * 10;
        let mut reader = reader(Some(rate), Some(rows + 1), 0);
        let start = Instant::now();
        let mut ranges = 0;
        let mut last = start;
        while let Some((first, count)) = next(&mut reader).await {
            if first + u64::from(count) >= rows {
                last = Instant::now();
            }
            ranges += 1;
        }
        let seconds = (last - start).as_secs_f64();
        assert!(
            (9.85..=10.1).contains(&seconds),
            "{rate} rows/s took {seconds} s for 10 s of rows"
        );
        let most = (rows + 1).min(201 + rows.div_ceil(RANGE_ROWS_MAX) * 2);
        assert!(ranges <= most, "{rate} rows/s came in {ranges} ranges");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_was_held_up_makes_good_for_a_second_only() {
    let mut reader = reader(Some(100), None, 0);
    next(&mut reader).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let (_, count) = next(&mut reader).await.unwrap();
    assert!((90..=110).contains(&count), "{count} rows at once");
    let (_, count) = next(&mut reader).await.unwrap();
    assert!(count <= 6, "{count} rows in the tick after");
}
