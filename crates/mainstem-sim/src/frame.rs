//! Requests and answers as the bytes that a client and the broker exchange.
//! Invariant: nothing passes between a simulated client and the broker that could not pass through a socket.

use std::ops::RangeInclusive;

use bytes::{Buf as _, Bytes, BytesMut};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder};
use mainstem_broker::api::APIS;
use mainstem_broker::wire::{
    KafkaDecode as _, KafkaEncode, KafkaRequest, OutboundFrameLimits, RequestResponsePair,
    ResponseHeader, encode_request, response_header_version,
};
use mainstem_core::clock::Rng;

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) api_key: i16,
    pub(crate) version: i16,
    pub(crate) bytes: Bytes,
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) version: i16,
    pub(crate) bytes: Bytes,
    pub(crate) when: When,
}

/// When something was true: in the world's count of steps, and in which life of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When {
    /// The broker took the request.
    pub(crate) arrived: u64,
    /// The broker answered it.
    pub(crate) answered: u64,
    pub(crate) life: u32,
}

/// The name of an API, for the trace.
pub(crate) fn api_name(api_key: i16) -> &'static str {
    APIS.iter().find(|api| api.key == api_key).map_or("?", |api| api.name)
}

/// Some version that the broker understands, within `range`.
pub(crate) fn some_version<R: KafkaRequest>(rng: &mut Rng, range: RangeInclusive<i16>) -> i16 {
    let readable = APIS
        .iter()
        .find(|api| api.key == R::API_KEY.value())
        .map_or(0..=0, |api| api.readable.clone());
    let (low, high) = (*readable.start().max(range.start()), *readable.end().min(range.end()));
    low + rng.below((high - low + 1) as u64) as i16
}

/// Writes a request.
pub(crate) fn frame<R: KafkaRequest + KafkaEncode>(version: i16, request: &R) -> Frame {
    let mut bytes = BytesMut::new();
    let limits = OutboundFrameLimits::new(64 << 20);
    encode_request(&mut bytes, 7, Some("sim".into()), request, ApiVersion::new(version), limits)
        .expect("requests fit their version");
    bytes.advance(4);
    Frame { api_key: R::API_KEY.value(), version, bytes: bytes.freeze() }
}

impl Answer {
    /// Reads the answer to a request of this kind.
    pub(crate) fn read<R: RequestResponsePair>(&self) -> R::Response {
        let version = ApiVersion::new(self.version);
        let limits = DecodeLimits::default();
        let body = self.bytes.slice(4..);
        let mut decoder = Decoder::new(body, limits).expect("a frame within the limits");
        let header = response_header_version(R::API_KEY, version, R::is_flexible(version));
        ResponseHeader::decode(&mut decoder, ApiVersion::new(header)).expect("a header");
        let response =
            R::Response::decode(&mut decoder, version).expect("an answer that can be read");
        decoder.finish().expect("nothing behind the answer");
        response
    }
}
