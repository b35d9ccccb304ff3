//! A bug inside the lock: nobody is left waiting, and nobody is answered by a broker that cannot be trusted. Work for threads:
//! each piece is done once, the oldest first.

use mainstem_broker::wire::fetch_request::{FetchPartition, FetchTopic};
use mainstem_broker::wire::{FetchRequest, StrBytes, make};

use super::super::tests::{call, running};
use super::*;

#[tokio::test]
async fn a_panic_inside_the_lock_stops_the_broker() {
    let running = running();
    let host = running.host().clone();
    // A long poll on a topic that is there waits.
    let made = host.call(call(9), super::super::tests::make_topic("t")).unwrap();
    assert!(matches!(made.wait().await, Ok(Response::Metadata(_))));
    let fetch = make(|request: &mut FetchRequest| {
        request.max_wait_ms = 60_000;
        request.min_bytes = 1;
        request.max_bytes = 1000;
        request.topics = vec![make(|topic: &mut FetchTopic| {
            topic.topic = StrBytes::from("t");
            topic.partitions = vec![make(|p: &mut FetchPartition| p.partition_max_bytes = 1000)];
        })];
    });
    let waiting = host.call(call(12), Request::Fetch(fetch)).unwrap();
    assert!(matches!(waiting, Answer::Later(_)));
    let failed = tokio::spawn({
        let host = host.clone();
        async move { host.failed().await }
    });
    let bug = host.enter::<()>(|_, _| panic!("a bug, made by this test"));
    assert!(bug.is_err());
    assert!(waiting.wait().await.is_err(), "who waited learns that there is no answer");
    failed.await.unwrap();
    assert!(host.call(call(9), super::super::tests::make_topic("u")).is_err());
    let refused = tokio::task::spawn_blocking(|| running.shut_down()).await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("could not be closed cleanly"), "{refused}");
}

#[test]
fn a_thread_takes_the_oldest_piece_for_those_it_has_made() {
    let queue = WorkQueue::default();
    queue.push(vec![1, 2]);
    assert_eq!(queue.exchange(vec![3]), Some(1), "what waits longer comes first");
    assert_eq!(queue.exchange(vec![4, 5]), Some(2));
    assert_eq!([queue.exchange(vec![]), queue.next(), queue.next()], [Some(3), Some(4), Some(5)]);
    queue.end();
    assert_eq!(queue.exchange(vec![6]), Some(6), "what is left is done before the end");
    assert_eq!(queue.exchange(vec![]), None);
}

#[test]
fn what_a_thread_leaves_wakes_others() {
    let queue = WorkQueue::default();
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (0..2).map(|_| scope.spawn(|| queue.next())).collect();
        let own = queue.exchange(vec![1, 2, 3]);
        let others = others.into_iter().map(|other| other.join().unwrap());
        others.chain([own]).collect::<Vec<_>>()
    });
    all.sort_unstable();
    assert_eq!(all, [Some(1), Some(2), Some(3)]);
}
