//! A connection over a pipe, with a broker on a real disk behind it.

use std::sync::Arc;

use mainstem_broker::{Broker, Endpoint, Settings};
use mainstem_core::clock::{ManualClock, Rng};
use mainstem_log::{BatchBuilder, Compression};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::super::host::Running;
use super::super::send::Socket;
use super::*;
use crate::disk::FileDisk;

const TOPIC: &str = "t";
const PRODUCE: i16 = 0;
const METADATA: i16 = 3;

fn request(api: i16, version: i16, correlation: i32, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(i32::try_from(10 + body.len()).unwrap().to_be_bytes());
    frame.extend(api.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(correlation.to_be_bytes());
    // No name of the client.
    frame.extend((-1_i16).to_be_bytes());
    frame.extend(body);
    frame
}

fn metadata(correlation: i32) -> Vec<u8> {
    metadata_of(b't', correlation)
}

fn metadata_of(topic: u8, correlation: i32) -> Vec<u8> {
    let mut body = 1_i32.to_be_bytes().to_vec();
    body.extend([0, 1, topic, 1]);
    request(METADATA, 4, correlation, &body)
}

fn produce(correlation: i32, acks: i16) -> Vec<u8> {
    produce_to(b't', b"value", correlation, acks)
}

fn produce_to(topic: u8, value: &[u8], correlation: i32, acks: i16) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(0, None, Some(value), &[]);
    let batch = builder.finish().unwrap();
    let mut body = (-1_i16).to_be_bytes().to_vec();
    body.extend(acks.to_be_bytes());
    body.extend(1000_i32.to_be_bytes());
    body.extend([0, 0, 0, 1, 0, 1, topic, 0, 0, 0, 1, 0, 0, 0, 0]);
    body.extend(i32::try_from(batch.bytes().len()).unwrap().to_be_bytes());
    body.extend(&batch.bytes()[..]);
    request(PRODUCE, 8, correlation, &body)
}

/// Correlation id and the rest of an answer.
async fn answer(client: &mut (impl AsyncRead + Unpin)) -> (i32, Vec<u8>) {
    let size = client.read_i32().await.unwrap();
    let correlation = client.read_i32().await.unwrap();
    let mut rest = vec![0; usize::try_from(size).unwrap() - 4];
    client.read_exact(&mut rest).await.unwrap();
    (correlation, rest)
}

/// Error code and base offset in the answer to `produce`.
fn produced(answer: &[u8]) -> (i16, i64) {
    let at = 4 + 2 + TOPIC.len() + 4 + 4;
    let code = i16::from_be_bytes([answer[at], answer[at + 1]]);
    (code, i64::from_be_bytes(answer[at + 2..at + 10].try_into().unwrap()))
}

#[tokio::test]
async fn requests_with_records_overtake_the_disk_but_not_each_other() {
    let (client, server) = tokio::io::duplex(1 << 20);
    serve_producer(client, server).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    serve_producer(client, Socket::new(listener.accept().await.unwrap().0)).await;
}

async fn serve_producer(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    server: impl Stream + Send + 'static,
) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FileDisk::open(folder.path(), "--data").unwrap());
    let opened = Broker::open(Settings::default(), disk, Rng::new(1), 0).unwrap();
    let running = Running::start(opened.broker, Arc::new(ManualClock::default())).unwrap();
    let (stop, stopping) = watch::channel(false);
    let advertised = Arc::new(Endpoint { host: StrBytes::from("localhost"), port: 1 });
    let budget = Budget::new(1 << 20);
    let host = running.host().clone();
    let connection = Connection::new(host, budget, StrBytes::from("here"), advertised, stopping);
    let serving = tokio::spawn(connection.serve(server));

    client.write_all(&metadata(1)).await.unwrap();
    assert_eq!(answer(&mut client).await.0, 1);
    // More than may wait at the same time, and all at once: one without an answer, one that is refused at once, one of
    // another kind at the end.
    let mut frames = Vec::new();
    let count = i32::try_from(AHEAD_MAX).unwrap() * 3;
    for correlation in 2..2 + count {
        frames.extend(produce(correlation, -1));
    }
    frames.extend(produce(100, 0));
    frames.extend(produce(101, 7));
    frames.extend(produce(102, -1));
    frames.extend(metadata(103));
    client.write_all(&frames).await.unwrap();
    for (correlation, offset) in (2..2 + count).zip(0..) {
        let (found, rest) = answer(&mut client).await;
        assert_eq!((found, produced(&rest)), (correlation, (0, offset)));
    }
    let (found, rest) = answer(&mut client).await;
    assert_eq!((found, produced(&rest)), (101, (21, -1)), "INVALID_REQUIRED_ACKS");
    let (found, rest) = answer(&mut client).await;
    assert_eq!((found, produced(&rest)), (102, (0, i64::from(count) + 1)));
    assert_eq!(answer(&mut client).await.0, 103);

    // What was handed in before the end is answered.
    client.write_all(&produce(104, -1)).await.unwrap();
    assert_eq!(answer(&mut client).await.0, 104);
    stop.send_replace(true);
    serving.await.unwrap().unwrap();
    tokio::task::spawn_blocking(|| running.shut_down()).await.unwrap().unwrap();
}

/// The write-ahead log asks for syncs of logs while it comes to its end; they run before the logs are closed.
#[tokio::test]
async fn a_broker_that_is_shut_down_while_it_writes_closes_cleanly() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(FileDisk::open(folder.path(), "--data").unwrap());
        let opened = Broker::open(Settings::default(), disk, Rng::new(1), 0).unwrap();
        let running = Running::start(opened.broker, Arc::new(ManualClock::default())).unwrap();
        let host = running.host().clone();
        let hand_in = |frame: Vec<u8>, version| {
            let (_, request) = wire::decode_request(frame[4..].to_vec().into()).unwrap();
            host.call(Call::in_process(RequestId(0), version), request).unwrap()
        };
        let topics = b'a'..=b'j';
        for topic in topics.clone() {
            hand_in(metadata_of(topic, 1), 4).wait().await.unwrap();
        }
        // More than the ring has room for before logs have to be synced.
        for topic in topics {
            drop(hand_in(produce_to(topic, &[7; 100_000], 1, -1), 8));
        }
        tokio::task::spawn_blocking(|| running.shut_down()).await.unwrap().unwrap();
    }
}
