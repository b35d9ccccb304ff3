//! What is done about answers: a store in memory that fails as it is told, and a clock that does not wait.

use std::fmt;
use std::io;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::client::{HttpError, HttpErrorKind};
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions,
    PutOptions, PutResult,
};

use super::*;
use crate::state::StatePlace;

type Asked<T> = Result<T, ObjectError>;

/// In memory, but for what the next requests meet.
#[derive(Debug, Default)]
struct Troubled {
    memory: InMemory,
    next: Mutex<Vec<Trouble>>,
}

#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Nobody is there.
    Away,
    /// It is done, and the answer is lost.
    Deaf,
    /// There is no answer at all.
    Silent,
}

impl Troubled {
    async fn meet(&self) -> Asked<bool> {
        let next = self.next.lock().unwrap().pop();
        match next {
            None => Ok(false),
            Some(Trouble::Away) => Err(away()),
            Some(Trouble::Deaf) => Ok(true),
            Some(Trouble::Silent) => std::future::pending().await,
        }
    }
}

fn away() -> ObjectError {
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    let source = Box::new(HttpError::new(HttpErrorKind::Connect, refused));
    ObjectError::Generic { store: "test", source }
}

impl fmt::Display for Troubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("troubled")
    }
}

#[async_trait]
impl ObjectStore for Troubled {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Asked<PutResult> {
        let deaf = self.meet().await?;
        let put = self.memory.put_opts(at, bytes, how).await;
        if deaf { Err(away()) } else { put }
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Asked<GetResult> {
        self.meet().await?;
        self.memory.get_opts(at, how).await
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Asked<ListResult> {
        self.meet().await?;
        self.memory.list_with_delimiter(prefix).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Asked<Path>>,
    ) -> BoxStream<'static, Asked<Path>> {
        self.memory.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Asked<ObjectMeta>> {
        self.memory.list(prefix)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Asked<()> {
        self.memory.copy_opts(from, to, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Asked<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(at, how).await
    }
}

fn objects(text: &str, store: &Arc<Troubled>) -> Objects {
    match text.parse() {
        Ok(StatePlace::Objects(place)) => Objects::new(Arc::clone(store) as _, place),
        other => panic!("{text}: {other:?}"),
    }
}

fn meet(store: &Troubled, troubles: &[Trouble]) {
    *store.next.lock().unwrap() = troubles.to_vec();
}

#[tokio::test]
async fn files_are_objects_below_the_prefix() {
    let store = Arc::new(Troubled::default());
    let (own, other) = (objects("s3://b/p", &store), objects("s3://b/p/q", &store));
    let (root, alike) = (objects("s3://b", &store), objects("s3://b/p-2", &store));
    for (objects, name) in [(&own, "b"), (&own, "a"), (&other, "c"), (&root, "d"), (&alike, "e")] {
        objects.write(name, name.as_bytes()).await.unwrap();
    }
    assert_eq!(own.names().await.unwrap(), ["a", "b"]);
    assert_eq!(other.names().await.unwrap(), ["c"]);
    assert_eq!(root.names().await.unwrap(), ["d"]);
    assert_eq!(own.read("a").await.unwrap().as_deref(), Some(&b"a"[..]));
    assert_eq!(own.read("c").await.unwrap(), None);
    own.delete("a").await.unwrap();
    own.delete("a").await.unwrap();
    assert_eq!(own.names().await.unwrap(), ["b"]);
}

#[tokio::test]
async fn bytes_that_are_not_there_are_damage() {
    let store = Arc::new(Troubled::default());
    let objects = objects("gs://b/p", &store);
    objects.write("a", b"0123456789").await.unwrap();
    assert_eq!(objects.read_range("a", 2, 3).await.unwrap(), b"234");
    assert_eq!(objects.read_range("a", 2, 0).await.unwrap(), b"");
    for (name, offset, size) in [("a", 8, 3), ("a", 1, u64::MAX), ("b", 0, 1)] {
        let error = objects.read_range(name, offset, size).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(error.to_string(), format!("'{name}' has no {size} bytes from {offset}"));
    }
}

#[tokio::test(start_paused = true)]
async fn short_troubles_are_not_told() {
    use Trouble::{Away, Deaf};
    let store = Arc::new(Troubled::default());
    let objects = objects("az://c/p", &store);
    for (name, troubles) in
        [("a", &[Away][..]), ("b", &[Away; 4]), ("c", &[Deaf]), ("d", &[Deaf, Away, Away])]
    {
        meet(&store, troubles);
        objects.write(name, b"bytes").await.unwrap();
        meet(&store, &[Away; 4]);
        assert_eq!(objects.read(name).await.unwrap().as_deref(), Some(&b"bytes"[..]));
    }
    meet(&store, &[Away; 4]);
    assert_eq!(objects.names().await.unwrap(), ["a", "b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_given_up_soon() {
    use Trouble::{Away, Silent};
    let store = Arc::new(Troubled::default());
    let objects = objects("s3://b/p", &store);
    let refused = "cannot write 'a' in 's3://b/p': connection refused";
    let silent = "cannot write 'a' in 's3://b/p': no answer within 15 s";
    for (troubles, expected, seconds) in [(&[Away; 5][..], refused, 4), (&[Silent], silent, 15)] {
        let before = tokio::time::Instant::now();
        meet(&store, troubles);
        let error = objects.write("a", b"bytes").await.unwrap_err();
        assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::Unavailable, expected));
        assert_eq!(before.elapsed().as_secs(), seconds);
    }
    objects.write("a", b"bytes").await.unwrap();
}

#[tokio::test]
async fn a_second_writer_is_found_out() {
    let store = Arc::new(Troubled::default());
    let (one, two) = (objects("s3://b/p", &store), objects("s3://b/p", &store));
    one.write("checkpoint-1.json", b"one").await.unwrap();
    one.write("checkpoint-1.json", b"one").await.unwrap();
    for name in ["checkpoint-1.json", "checkpoint-2.json"] {
        let error = two.write(name, b"two").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(error.to_string(), "another process keeps checkpoints in 's3://b/p'");
    }
    assert_eq!(one.read("checkpoint-1.json").await.unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(one.names().await.unwrap(), ["checkpoint-1.json"]);
}

/// What is said while a store is asked that fails so often, and what comes of it.
async fn reached(troubles: usize) -> (Vec<String>, Result<()>) {
    let store = Arc::new(Troubled::default());
    meet(&store, &vec![Trouble::Away; troubles]);
    let objects = objects("gs://b/p", &store);
    let said = Mutex::new(Vec::new());
    let reached = objects.reach(&|text| said.lock().unwrap().push(text.to_owned())).await;
    (said.into_inner().unwrap(), reached)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_at_the_start_is_waited_for() {
    let away = "cannot list the checkpoints in 'gs://b/p': connection refused";
    let trying = format!("{away}; trying again for 60 s");
    let (said, reached_it) = reached(4).await;
    assert!(said.is_empty() && reached_it.is_ok(), "{said:?} {reached_it:?}");
    let (said, reached_it) = reached(20).await;
    assert!(reached_it.is_ok(), "{reached_it:?}");
    assert_eq!(said, [&*trying, "'gs://b/p' answers"]);
    let (said, reached_it) = reached(1000).await;
    assert_eq!(said, [trying]);
    assert_eq!(reached_it.unwrap_err().to_string(), away);
}

/// As checkpoints use it: from threads that may block.
#[tokio::test(flavor = "multi_thread")]
async fn calls_block() {
    let store = Arc::new(Troubled::default());
    let objects = objects("s3://b/p", &store);
    let done = tokio::task::spawn_blocking(move || {
        objects.put("a", b"bytes")?;
        assert_eq!(objects.get_range("a", 1, 2)?, b"yt");
        assert_eq!(objects.get("a")?, Some(b"bytes".to_vec()));
        assert_eq!(objects.list()?, ["a"]);
        objects.remove("a")?;
        objects.get("a")
    });
    assert_eq!(done.await.unwrap().unwrap(), None);
}
