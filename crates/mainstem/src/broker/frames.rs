//! Requests off a connection: a length, then so many bytes.
//! Invariant: memory follows the bytes that have arrived, never the length that a peer announces. A frame that grows beyond
//! [`FREE_BYTES`] waits for its share of the budget that all connections have together: that is back pressure. A frame
//! that does not come to its end in time ends the connection, so nobody holds a share without sending.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The length before a frame.
const PREFIX_BYTES: usize = 4;
/// API, version and correlation id: less is no request.
const FRAME_BYTES_MIN: usize = 8;
/// What is read before the first bytes have said how much there is.
const FIRST_READ_BYTES: usize = 512;
/// Frames up to this size cost no budget: the number of connections bounds them.
const FREE_BYTES: usize = 64 << 10;
/// A connection that is silent for so long gives the memory of its last frames back.
const BUFFER_KEPT: Duration = Duration::from_secs(1);
const FRAME_TIMEOUT: Duration = Duration::from_secs(60);
/// A frame may take this much longer for each of its MiB.
const FRAME_TIMEOUT_A_MIB: Duration = Duration::from_secs(1);
const PRODUCE: i16 = 0;
/// What a client that speaks TLS begins with: a record of type handshake, version 3.1.
const TLS_HANDSHAKE: i32 = 0x16_03_01;

/// How large requests may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameLimits {
    /// At least two: the number of the API is read first.
    bytes_min: usize,
    /// Those that bring records.
    pub(super) produce_bytes_max: usize,
    /// All others.
    pub(super) other_bytes_max: usize,
    /// How long a connection may be silent.
    pub(super) idle: Duration,
}

impl FrameLimits {
    /// Of a client that may do what it likes.
    pub(super) const OPEN: Self = Self {
        bytes_min: FRAME_BYTES_MIN,
        produce_bytes_max: 100 << 20,
        other_bytes_max: 4 << 20,
        idle: Duration::from_secs(600),
    };
    /// Of a client that has not said yet who it is.
    pub(super) const UNAUTHENTICATED: Self = Self {
        bytes_min: FRAME_BYTES_MIN,
        produce_bytes_max: 512 << 10,
        other_bytes_max: 512 << 10,
        idle: Duration::from_secs(30),
    };
    /// Of such a client whose next frame is no request: a message of SASL, without a header.
    pub(super) const BARE_MESSAGE: Self = Self { bytes_min: 2, ..Self::UNAUTHENTICATED };
}

/// Why no more frames are read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameEnd {
    /// The peer has closed, or nothing came for too long.
    #[error("the client has gone")]
    Gone,
    /// The length is impossible or beyond the limit.
    #[error("a request announces {0} bytes")]
    Refused(i32),
    /// The length is the beginning of a TLS handshake.
    #[error("the client speaks TLS, and this listener does not")]
    Tls,
    /// It began and did not come to its end.
    #[error("a request of {0} bytes took too long to arrive")]
    Slow(usize),
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A request, and its share of the budget.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

/// Bytes that all connections may hold together.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

impl Budget {
    /// Shares are counted in KiB.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes >> 10)))
    }

    /// Waits until so many bytes are free.
    pub(super) async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
        Arc::clone(&self.0).acquire_many_owned(kib).await.ok()
    }
}

/// Reads frames; keeps what came too early for the next one.
#[derive(Debug)]
pub(super) struct FrameReader {
    buffer: BytesMut,
    budget: Budget,
    /// The next frame is expected to be about as large as the last one was.
    usual: usize,
}

impl FrameReader {
    pub(super) fn new(budget: Budget) -> Self {
        Self { buffer: BytesMut::new(), budget, usual: FIRST_READ_BYTES }
    }

    /// The next frame. Cancel safe but for the wait for a share, whose place in the queue is lost.
    pub(super) async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        limits: FrameLimits,
    ) -> Result<Frame, FrameEnd> {
        if self.buffer.is_empty() {
            self.begin(stream, limits.idle).await?;
        }
        let mut deadline = Instant::now() + FRAME_TIMEOUT;
        while self.buffer.len() < PREFIX_BYTES {
            self.read(stream, FIRST_READ_BYTES, deadline, 0).await?;
        }
        let announced = self.announced();
        let size = usize::try_from(announced).map_err(|_| FrameEnd::Refused(announced))?;
        // No API is larger than this one: what is beyond needs no second look.
        if !(limits.bytes_min..=limits.produce_bytes_max).contains(&size) {
            if announced >> 8 == TLS_HANDSHAKE {
                return Err(FrameEnd::Tls);
            }
            return Err(FrameEnd::Refused(announced));
        }
        while self.buffer.len() < PREFIX_BYTES + 2 {
            self.read(stream, FIRST_READ_BYTES, deadline, size).await?;
        }
        let api_key =
            i16::from_be_bytes([self.buffer[PREFIX_BYTES], self.buffer[PREFIX_BYTES + 1]]);
        if api_key != PRODUCE && size > limits.other_bytes_max {
            return Err(FrameEnd::Refused(announced));
        }
        deadline += FRAME_TIMEOUT_A_MIB * u32::try_from(size >> 20).unwrap_or(u32::MAX);
        let end = PREFIX_BYTES + size;
        let mut share = None;
        while self.buffer.len() < end {
            if share.is_none() && self.buffer.len() >= FREE_BYTES {
                share = self.budget.take(size).await;
                // The wait was ours, not the client's.
                deadline = Instant::now() + FRAME_TIMEOUT;
                deadline += FRAME_TIMEOUT_A_MIB * u32::try_from(size >> 20).unwrap_or(u32::MAX);
            }
            let missing = end - self.buffer.len();
            // At most as much again as has come, or came before.
            let room = missing.min(self.buffer.len().max(self.usual));
            self.read(stream, room, deadline, size).await?;
        }
        self.buffer.advance(PREFIX_BYTES);
        self.usual = size.clamp(FIRST_READ_BYTES, FREE_BYTES);
        Ok(Frame { bytes: self.buffer.split_to(size).freeze(), _share: share })
    }

    /// Waits for the first bytes of a frame.
    async fn begin(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        idle: Duration,
    ) -> Result<(), FrameEnd> {
        let now = Instant::now();
        let kept = now + BUFFER_KEPT.min(idle);
        match self.read(stream, self.usual, kept, 0).await {
            Err(FrameEnd::Gone) if Instant::now() >= kept => {}
            read => return read,
        }
        self.buffer = BytesMut::new();
        self.usual = FIRST_READ_BYTES;
        self.read(stream, self.usual, now + idle, 0).await
    }

    /// Notices that a peer has gone while its request is being answered; pipelined requests are read meanwhile, up to a
    /// limit. Returns only if there will never be another frame. Cancel safe.
    pub(super) async fn watch(&mut self, stream: &mut (impl AsyncRead + Unpin)) {
        while self.buffer.len() < FREE_BYTES {
            self.buffer.reserve(FIRST_READ_BYTES);
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        std::future::pending::<()>().await;
    }

    fn announced(&self) -> i32 {
        let mut prefix = [0; PREFIX_BYTES];
        prefix.copy_from_slice(&self.buffer[..PREFIX_BYTES]);
        i32::from_be_bytes(prefix)
    }

    async fn read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        room: usize,
        deadline: Instant,
        size: usize,
    ) -> Result<(), FrameEnd> {
        self.buffer.reserve(room);
        match timeout_at(deadline, stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(0)) => Err(FrameEnd::Gone),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(e.into()),
            Err(_) if self.buffer.is_empty() => Err(FrameEnd::Gone),
            Err(_) => Err(FrameEnd::Slow(size)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::time::timeout;

    use super::*;

    const SIZE: usize = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn frames_of_a_connection_share_memory_until_it_is_silent() {
        let (mut client, mut server) = duplex(64 << 10);
        let mut reader = FrameReader::new(Budget::new(8 << 20));
        let mut frame = (SIZE as i32).to_be_bytes().to_vec();
        frame.resize(PREFIX_BYTES + SIZE, 0);
        let mut places = Vec::new();
        for _ in 0..3 {
            let (sent, read) =
                tokio::join!(client.write_all(&frame), reader.next(&mut server, FrameLimits::OPEN));
            sent.unwrap();
            let read = read.unwrap();
            assert_eq!(read.bytes.len(), SIZE);
            places.push(read.bytes.as_ptr());
        }
        assert_eq!(places, [places[0]; 3]);

        assert!(reader.buffer.try_reclaim(SIZE));
        let silence = reader.next(&mut server, FrameLimits::OPEN);
        timeout(2 * BUFFER_KEPT, silence).await.unwrap_err();
        assert!(!reader.buffer.try_reclaim(SIZE));
        let end = reader.next(&mut server, FrameLimits::OPEN).await.unwrap_err();
        assert!(matches!(end, FrameEnd::Gone), "{end}");
    }
}
