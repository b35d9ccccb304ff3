//! Frames onto a connection.
//! Invariant: what of a frame is in files is never in memory as a whole. On Linux and without TLS it goes from the system's
//! pages to the socket and does not pass through this process; else by chunks, the next one read while the last is on its
//! way. A file whose pages are not in memory is read where blocking hurts nobody.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use mainstem_broker::{Outbound, Piece};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connection::End;
use super::frames::Budget;

/// Frames up to this size are put together in memory, and so much at a time is read of larger ones, twice.
const CHUNK_BYTES: usize = 256 << 10;
/// How long a client may take no byte of its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a connection is served on.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// The socket, if what is written to it is what the client reads.
    fn plain(&self) -> Option<&Arc<TcpStream>> {
        None
    }
}

/// A socket that others write to as well.
#[derive(Debug)]
pub(super) struct Socket(Arc<TcpStream>);

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self(Arc::new(stream))
    }

    #[cfg(test)]
    pub(super) fn of(stream: Arc<TcpStream>) -> Self {
        Self(stream)
    }
}

impl Stream for Socket {
    fn plain(&self) -> Option<&Arc<TcpStream>> {
        Some(&self.0)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read_buf(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The other end sees it when the last owner is gone.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for &mut tokio_rustls::server::TlsStream<S> {}

#[cfg(test)]
impl Stream for tokio::io::DuplexStream {}

/// Sends a frame.
pub(super) async fn send(
    mut frame: Outbound,
    budget: &Budget,
    stream: &mut impl Stream,
) -> Result<(), End> {
    if frame.left() <= CHUNK_BYTES {
        write_all(stream, frame.read().map_err(End::Unloadable)?).await?;
        return flush(stream).await;
    }
    #[cfg(target_os = "linux")]
    linux::send_files(&mut frame, stream).await?;
    let _share = budget.take(2 * CHUNK_BYTES.min(frame.left())).await;
    let mut reading = (frame.left() > 0).then(|| read_chunk(frame, vec![0; CHUNK_BYTES]));
    let mut spare = vec![0; if reading.is_some() { CHUNK_BYTES } else { 0 }];
    while let Some(read) = reading {
        let read = read.await.map_err(io::Error::other)?;
        let (frame, chunk, filled) = read.map_err(End::Unloadable)?;
        reading = (frame.left() > 0).then(|| read_chunk(frame, std::mem::take(&mut spare)));
        write_all(stream, &chunk[..filled]).await?;
        spare = chunk;
    }
    flush(stream).await
}

/// Reads the next part of a frame.
fn read_chunk(
    mut frame: Outbound,
    mut buffer: Vec<u8>,
) -> JoinHandle<io::Result<(Outbound, Vec<u8>, usize)>> {
    tokio::task::spawn_blocking(move || {
        let filled = frame.fill(&mut buffer)?;
        Ok((frame, buffer, filled))
    })
}

/// Writes bytes.
pub(super) async fn write_all(stream: &mut impl Stream, mut bytes: impl Buf) -> Result<(), End> {
    while bytes.has_remaining() {
        match timeout(WRITE_TIMEOUT, stream.write_buf(&mut bytes)).await {
            Ok(Ok(0)) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
            Ok(Ok(_)) => {}
            Ok(Err(e)) => return Err(e.into()),
            Err(_) => return Err(End::NotReading),
        }
    }
    Ok(())
}

/// Has what was written leave.
pub(super) async fn flush(stream: &mut impl Stream) -> Result<(), End> {
    match timeout(WRITE_TIMEOUT, stream.flush()).await {
        Ok(flushed) => Ok(flushed?),
        Err(_) => Err(End::NotReading),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::IoSliceMut;

    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    use tokio::io::Interest;

    use super::*;

    /// At most so much is sent at a time: others have their turn in between.
    const SENT_BYTES_MAX: usize = 1 << 20;

    /// Sends what can go from files to the socket by itself, and what is between; the rest is left in the frame.
    pub(super) async fn send_files(
        frame: &mut Outbound,
        stream: &mut impl Stream,
    ) -> Result<(), End> {
        if stream.plain().is_none() {
            return Ok(());
        }
        while let Some(piece) = frame.first() {
            let sent = match piece {
                Piece::Bytes(bytes) => {
                    let bytes = bytes.clone();
                    write_all(stream, &bytes[..]).await?;
                    bytes.len()
                }
                Piece::File(range) => {
                    let (Some(socket), Some(file)) = (stream.plain(), range.file.system_file())
                    else {
                        return Ok(());
                    };
                    let count = (range.len as usize).min(SENT_BYTES_MAX);
                    match send_some(socket, file, range.position, count).await? {
                        Some(sent) => sent,
                        // This file system cannot.
                        None => return Ok(()),
                    }
                }
            };
            frame.advance(sent);
        }
        Ok(())
    }

    /// Sends some bytes of a file; `None` if it cannot be done in this way.
    async fn send_some(
        socket: &TcpStream,
        file: &File,
        position: u64,
        count: usize,
    ) -> Result<Option<usize>, End> {
        loop {
            match timeout(WRITE_TIMEOUT, socket.writable()).await {
                Ok(writable) => writable?,
                Err(_) => return Err(End::NotReading),
            }
            let send = || {
                socket.try_io(Interest::WRITABLE, || {
                    let mut position = position;
                    Ok(rustix::fs::sendfile(socket, file, Some(&mut position), count)?)
                })
            };
            let in_memory =
                is_in_memory(file, position) && is_in_memory(file, position + count as u64 - 1);
            let sent = if in_memory { send() } else { tokio::task::block_in_place(send) };
            match sent {
                Ok(0) => return Err(End::Unloadable(io::ErrorKind::UnexpectedEof.into())),
                Ok(sent) => return Ok(Some(sent)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => {
                    let cannot = [Errno::INVAL, Errno::NOSYS].map(Errno::raw_os_error);
                    return match e.raw_os_error() {
                        Some(code) if cannot.contains(&code) => Ok(None),
                        _ => Err(e.into()),
                    };
                }
            }
        }
    }

    /// Whether the page of a byte is in memory; if the system does not tell, it is taken to be.
    fn is_in_memory(file: &File, position: u64) -> bool {
        let mut byte = [0];
        let read =
            preadv2(file, &mut [IoSliceMut::new(&mut byte)], position, ReadWriteFlags::NOWAIT);
        !matches!(read, Err(Errno::AGAIN))
    }
}

#[cfg(test)]
mod tests {
    use mainstem_core::disk::{Disk, DiskFile};
    use mainstem_log::{FileRange, MemoryDisk};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::disk::FileDisk;

    fn frame(file: &Arc<dyn DiskFile>, ranges: &[(u64, u32)]) -> Outbound {
        let mut frame = Outbound::default();
        for &(position, len) in ranges {
            frame.push_bytes(vec![7; 100].into());
            frame.push_file(FileRange { file: Arc::clone(file), position, len });
        }
        frame.push_bytes(vec![8; 10].into());
        frame
    }

    /// What the other end gets of a frame.
    async fn sent(
        frame: Outbound,
        mut to: impl Stream,
        mut other: impl AsyncRead + Unpin,
    ) -> Vec<u8> {
        let budget = Budget::new(2 * CHUNK_BYTES);
        let mut got = Vec::new();
        let sending = async {
            send(frame, &budget, &mut to).await.unwrap();
            drop(to);
        };
        let (read, ()) = tokio::join!(other.read_to_end(&mut got), sending);
        read.unwrap();
        got
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_frame_is_the_same_on_every_way() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FileDisk::open(folder.path(), "--data").unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| ((i * 31) >> 8) as u8).collect();
        let on_disk = disk.open("f", true).unwrap();
        let in_memory = MemoryDisk::default().open("f", true).unwrap();
        for file in [&on_disk, &in_memory] {
            file.write_all_at(0, &bytes).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for ranges in [&[(5, 10)][..], &[(0, 3_000_000)], &[(1, 2_000_000), (7, 1), (999, 300_000)]]
        {
            let expected = frame(&on_disk, ranges).read().unwrap();
            for file in [&on_disk, &in_memory] {
                let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                let (socket, _) = listener.accept().await.unwrap();
                assert!(sent(frame(file, ranges), Socket::new(socket), client).await == expected);
                let (to, other) = tokio::io::duplex(10_000);
                assert!(sent(frame(file, ranges), to, other).await == expected);
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_file_that_is_too_short_ends_the_connection() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileDisk::open(folder.path(), "--data").unwrap().open("f", true).unwrap();
        file.write_all_at(0, &[1; 10]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut socket = Socket::new(listener.accept().await.unwrap().0);
        let budget = Budget::new(2 * CHUNK_BYTES);
        let end = send(frame(&file, &[(0, 1 << 20)]), &budget, &mut socket).await.unwrap_err();
        assert!(matches!(end, End::Unloadable(_)), "{end}");
        drop(client);
    }
}
