//! Connections over streams in memory, on a clock that jumps to the next deadline: nothing here waits in earnest.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mainstem_broker::wire::metadata_request::MetadataRequestTopic;
use mainstem_broker::wire::{MetadataRequest, StrBytes, make};
use mainstem_broker::{Broker, Call, Endpoint, Request, RequestId, Settings};
use mainstem_core::clock::{ManualClock, Rng};
use mainstem_log::{Durability, MemoryDisk};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::{Connection, End};
use super::frames::{Budget, FrameEnd};
use super::host::{Host, Running};
use super::listener::obituary;
use super::sasl::{Login, Users};
use super::send::Stream;

/// A broker in memory.
pub(super) fn running() -> Running {
    let settings = Settings { durability: Durability::None, ..Settings::default() };
    let disk = Arc::new(MemoryDisk::default());
    let broker = Broker::open(settings, disk, Rng::new(1), 0).unwrap().broker;
    Running::start(broker, Arc::new(ManualClock::new(0))).unwrap()
}

fn endpoint() -> Arc<Endpoint> {
    Arc::new(Endpoint { host: StrBytes::from("localhost"), port: 1 })
}

pub(super) fn call(version: i16) -> Call {
    Call::in_process(RequestId(0), version)
}

/// A request that makes a topic.
pub(super) fn make_topic(name: &str) -> Request {
    Request::Metadata(make(|request: &mut MetadataRequest| {
        request.allow_auto_topic_creation = true;
        request.topics = Some(vec![make(|topic: &mut MetadataRequestTopic| {
            topic.name = Some(StrBytes::from(name));
        })]);
    }))
}

/// A broker, and what its connections need.
struct Shell {
    running: Running,
    stopping: watch::Sender<bool>,
}

impl Shell {
    fn new() -> Self {
        Self { running: running(), stopping: watch::Sender::new(false) }
    }

    fn connection(&self) -> Connection {
        let host: Host = self.running.host().clone();
        let peer = StrBytes::from("test");
        Connection::new(host, Budget::new(64 << 20), peer, endpoint(), self.stopping.subscribe())
    }

    /// Serves a client that has sent `bytes` and does nothing more. How it ended, and after how many seconds.
    async fn idle_client(&self, connection: Connection, bytes: &[u8]) -> (End, u64) {
        let (mut client, server) = duplex(1 << 20);
        client.write_all(bytes).await.unwrap();
        let begun = Instant::now();
        let end = connection.serve(server).await.unwrap_err();
        drop(client);
        (end, begun.elapsed().as_secs())
    }
}

/// A request of ApiVersions, version 0.
const API_VERSIONS: &[u8] = &[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

fn login() -> Login {
    Login::new(Users::new(&["ada:pencil".parse().unwrap()], || [7; 16]), [7; 16])
}

#[tokio::test(start_paused = true)]
async fn silent_and_slow_clients_are_closed() {
    let shell = Shell::new();
    let mebibytes = |count: i32| [&(count << 20).to_be_bytes()[..], &[0, 0, 0, 9]].concat();
    let rows: &[(&str, bool, Vec<u8>, &str, u64)] = &[
        ("nothing", false, Vec::new(), "the client has gone", 600),
        ("nothing, before a login", true, Vec::new(), "the client has gone", 30),
        ("silence after a request", false, API_VERSIONS.to_vec(), "the client has gone", 600),
        ("half of a length", false, vec![0, 0], "too long to arrive", 60),
        ("half of a request", false, API_VERSIONS[..9].to_vec(), "10 bytes took too long", 60),
        // A second more for each of its MiB.
        ("a large request", false, mebibytes(40), "41943040 bytes took too long", 100),
    ];
    for (what, must_log_in, bytes, expected, seconds) in rows {
        let connection = shell.connection().with_login(must_log_in.then(login));
        let (end, after) = shell.idle_client(connection, bytes).await;
        assert!(end.to_string().contains(expected), "{what}: {end}");
        assert_eq!(after, *seconds, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_closed() {
    let shell = Shell::new();
    let (mut client, server) = duplex(16);
    let serving = tokio::spawn(shell.connection().serve(server));
    client.write_all(API_VERSIONS).await.unwrap();
    let begun = Instant::now();
    let end = serving.await.unwrap().unwrap_err();
    assert!(matches!(end, End::NotReading), "{end}");
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    // Who reads slowly, but reads, is served.
    let (mut client, server) = duplex(16);
    let serving = tokio::spawn(shell.connection().serve(server));
    client.write_all(API_VERSIONS).await.unwrap();
    let mut length = [0; 4];
    client.read_exact(&mut length).await.unwrap();
    for _ in 0..i32::from_be_bytes(length) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.read_u8().await.unwrap();
    }
    drop(client);
    assert!(matches!(serving.await.unwrap(), Err(End::Frame(FrameEnd::Gone))));
}

/// A client whose second read is a bug of ours.
struct Buggy {
    inner: DuplexStream,
    reads: usize,
}

impl AsyncRead for Buggy {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        assert_eq!(self.reads, 0, "a bug, made by this test");
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.reads += usize::from(read.is_ready());
        read
    }
}

impl AsyncWrite for Buggy {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Stream for Buggy {}

#[tokio::test]
async fn a_panic_closes_one_connection_and_is_reported() {
    let shell = Shell::new();
    let mut connections = JoinSet::new();
    let (mut other, server) = duplex(1 << 16);
    connections.spawn(shell.connection().serve(server));
    let (mut client, inner) = duplex(1 << 16);
    client.write_all(API_VERSIONS).await.unwrap();
    connections.spawn(shell.connection().serve(Buggy { inner, reads: 0 }));
    let ended = connections.join_next().await.unwrap();
    let said = obituary(ended.map(drop)).unwrap();
    assert!(said.contains("please report it"), "{said}");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    // The broker has not been hurt, and neither has the other connection.
    other.write_all(API_VERSIONS).await.unwrap();
    let mut answer = [0; 10];
    other.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer[4..], &[0, 0, 0, 7, 0, 0]);
    drop(other);
    let ended = connections.join_next().await.unwrap();
    assert_eq!(obituary(ended.map(drop)), None);
    tokio::task::spawn_blocking(|| shell.running.shut_down()).await.unwrap().unwrap();
}

#[tokio::test]
async fn tls_at_a_listener_without_it_is_named() {
    let shell = Shell::new();
    let (end, _) =
        shell.idle_client(shell.connection(), &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3]).await;
    assert!(end.to_string().contains("the client speaks TLS"), "{end}");
    assert!(end.is_remarkable());
}
