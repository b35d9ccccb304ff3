//! Kafka's frames: the one module that names the codec crates (docs/adr/0007).
//! Invariant: every length that a peer sends is bounded before anything is allocated; a frame that cannot be read is an
//! error, never a panic. Request header v1 or v2 is chosen by API and version; the answer to ApiVersions always has header
//! v0, and an unknown version of it is answered in v0 with error 35, because that is how clients find out.
//! Frames carry no length prefix here: the listener reads and writes it.

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder, Encoder};

pub use kafka_wire::*;
pub use kafka_wire_core::{DecodeError, EncodeError, KafkaDecode, KafkaEncode, StrBytes, Uuid};

use crate::Outbound;
use crate::api::{self, Request, Response};

/// What a request frame says before its body.
#[derive(Debug, Clone)]
pub struct Head {
    /// Which API.
    pub api_key: i16,
    /// In which version.
    pub version: i16,
    /// Comes back in the answer.
    pub correlation_id: i32,
    /// The name the client gave itself.
    pub client_id: Option<StrBytes>,
}

/// Why a frame was refused; the connection is closed.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The bytes do not follow the schema, or go beyond a limit.
    #[error("malformed request: {0}")]
    Malformed(#[from] DecodeError),
    /// An API or a version that is not advertised.
    #[error("API {api_key} in version {version} is not supported")]
    Unsupported {
        /// Which API.
        api_key: i16,
        /// In which version.
        version: i16,
    },
}

/// Limits of a request: far above what clients send, far below what hurts.
fn limits(frame_bytes: usize) -> DecodeLimits {
    let mut limits = DecodeLimits::default();
    limits.max_frame_bytes = frame_bytes;
    limits.max_string_bytes = 32 << 10;
    limits.max_bytes_bytes = frame_bytes;
    limits.max_array_elements = 100_000;
    limits.max_tagged_fields = 64;
    limits.max_tag_bytes = 64 << 10;
    limits.max_total_tag_bytes = 256 << 10;
    limits
}

/// Reads a request frame (without its length prefix). Record batches are checked here, outside of every lock.
pub fn decode_request(frame: Bytes) -> Result<(Head, Request), FrameError> {
    let limits = limits(frame.len());
    let mut decoder = Decoder::new(frame.clone(), limits)?;
    let api_key = decoder.read_i16()?;
    let version = decoder.read_i16()?;
    let known = api::find(api_key).ok_or(FrameError::Unsupported { api_key, version })?;
    let mut decoder = Decoder::new(frame, limits)?;
    let supported = known.readable.contains(&version);
    if !supported && api_key != ApiVersionsRequest::API_KEY.value() {
        return Err(FrameError::Unsupported { api_key, version });
    }
    let header_version = request_header_version(supported && known.is_flexible(version));
    let header = RequestHeader::decode(&mut decoder, ApiVersion::new(header_version))?;
    let head = Head {
        api_key,
        version,
        correlation_id: header.correlation_id,
        client_id: header.client_id.as_ref().map(detached),
    };
    if !supported {
        return Ok((Head { version: 0, ..head }, Request::UnknownApiVersions));
    }
    let request = api::decode_body(api_key, ApiVersion::new(version), &mut decoder)?;
    // Bytes after the body are left alone, as Kafka does: librdkafka 2.12 sends three of them when it asks for all topics.
    Ok((head, request))
}

/// Writes an answer as a frame, length prefix included; nothing if nothing is to be sent. Records of a Fetch stay in their
/// files until the frame is sent.
pub fn encode_response(head: &Head, response: &Response) -> Result<Outbound, EncodeError> {
    if matches!(response, Response::None) {
        return Ok(Outbound::default());
    }
    let known = api::find(head.api_key);
    let flexible = known.is_some_and(|api| api.is_flexible(head.version));
    let version = ApiVersion::new(head.version);
    let header_version =
        response_header_version(kafka_wire_core::ApiKey::new(head.api_key), version, flexible);
    let mut header = ResponseHeader::default();
    header.correlation_id = head.correlation_id;
    let mut buffer = BytesMut::with_capacity(256);
    buffer.put_i32(0);
    let mut encoder = Encoder::new(&mut buffer);
    header.encode(&mut encoder, ApiVersion::new(header_version))?;
    if let Response::Fetch(answer) = response {
        return api::fetch::frame::write(answer, head.version, buffer);
    }
    api::encode_body(response, version, &mut buffer)?;
    let length = i32::try_from(buffer.len() - 4)
        .map_err(|_| EncodeError::FrameTooLarge { bytes: buffer.len() })?;
    buffer[..4].copy_from_slice(&length.to_be_bytes());
    let mut outbound = Outbound::default();
    outbound.push_bytes(buffer.freeze());
    Ok(outbound)
}

/// A text of its own, and no longer a piece of the frame that it came in: an answer that waits for the disk, and what the
/// broker remembers, must not keep a frame full of records in memory.
pub(crate) fn detached(text: &StrBytes) -> StrBytes {
    StrBytes::from(text.as_str())
}

/// A message made from its defaults: the codec's types cannot be written as literals outside of it.
pub fn make<T: Default>(fill: impl FnOnce(&mut T)) -> T {
    let mut message = T::default();
    fill(&mut message);
    message
}
