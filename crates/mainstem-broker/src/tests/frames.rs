//! Frames: every answer in every version, and frames that mean harm.

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder};
use proptest::prelude::*;

use super::stand::Stand;
use crate::api::{self, APIS};
use crate::wire::{self, FrameError, Head, response_header_version};

#[test]
fn every_answer_can_be_written_and_read_in_every_version() {
    let responses = api::default_responses();
    assert_eq!(responses.len(), APIS.len());
    for (api, response) in APIS.iter().zip(responses) {
        for version in api.readable.clone() {
            let head = Head { api_key: api.key, version, correlation_id: 7, client_id: None };
            let frame = wire::encode_response(&head, &response)
                .unwrap_or_else(|e| panic!("{} {version}: {e}", api.name))
                .read()
                .unwrap();
            assert_eq!(
                u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize + 4,
                frame.len()
            );
            let version = ApiVersion::new(version);
            let flexible = api.is_flexible(version.value());
            let header =
                response_header_version(kafka_wire_core::ApiKey::new(api.key), version, flexible);
            let mut decoder = Decoder::new(frame.slice(4..), DecodeLimits::default()).unwrap();
            assert_eq!(decoder.read_i32().unwrap(), 7);
            if header == 1 {
                assert_eq!(decoder.read_i8().unwrap(), 0, "no tagged fields");
            }
            api::skip_response(api.key, version, &mut decoder)
                .unwrap_or_else(|e| panic!("{} {version:?}: {e}", api.name));
            decoder.finish().unwrap_or_else(|e| panic!("{} {version:?}: {e}", api.name));
        }
    }
}

#[test]
fn advertised_versions_are_understood_but_for_the_old_produce() {
    for api in APIS {
        assert_eq!(api.advertised.end(), api.readable.end(), "{}", api.name);
        match api.name {
            "Produce" => assert_eq!((*api.advertised.start(), *api.readable.start()), (0, 3)),
            _ => assert_eq!(api.advertised, api.readable, "{}", api.name),
        }
    }
    let mut keys: Vec<_> = APIS.iter().map(|api| api.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), APIS.len());
}

fn frame(api_key: i16, version: i16, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i16(api_key);
    frame.put_i16(version);
    frame.put_i32(1);
    frame.put_i16(-1);
    frame.put_slice(body);
    frame.freeze()
}

#[test]
fn frames_that_announce_too_much_are_refused() {
    let rows: &[(i16, i16, &[u8])] = &[
        // 2^31 - 1 topics
        (3, 1, &[0x7f, 0xff, 0xff, 0xff]),
        // 100,001 topics
        (3, 1, &[0x00, 0x01, 0x86, 0xa1]),
        // -2 topics
        (3, 1, &[0xff, 0xff, 0xff, 0xfe]),
        // one topic, whose name has 32,767 bytes that are not there
        (3, 1, &[0, 0, 0, 1, 0x7f, 0xff]),
        // compact: a varint that does not end
        (3, 9, &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        // Produce: 2^31 - 1 topics
        (0, 3, &[0xff, 0xff, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff]),
        // nothing
        (3, 1, &[]),
        (1, 4, &[0; 3]),
    ];
    for (api_key, version, body) in rows {
        let result = wire::decode_request(frame(*api_key, *version, body));
        assert!(matches!(result, Err(FrameError::Malformed(_))), "{api_key} {version} {body:?}");
    }
    for frame in [&[][..], &[0], &[0, 3, 0], &[0, 3, 0, 1, 0, 0, 0]] {
        let result = wire::decode_request(Bytes::copy_from_slice(frame));
        assert!(matches!(result, Err(FrameError::Malformed(_))), "{frame:?}");
    }
}

#[test]
fn bytes_after_the_end_are_left_alone() {
    // Metadata 12 for all topics as librdkafka 2.12 sends it: it forgets to shorten the count of the topics.
    let body = [0, 0, 0, 0, 0, 1, 0, 0];
    let (_, request) = wire::decode_request(frame(3, 12, &body)).unwrap();
    let crate::Request::Metadata(request) = request else { panic!("not a request for metadata") };
    assert!(request.topics.is_none());
}

#[test]
fn what_is_not_spoken_is_refused_but_api_versions_is_answered() {
    for (api_key, version) in [(0, 2), (1, 3), (4, 0), (-1, 0), (999, 0), (3, 99), (0, -1)] {
        let result = wire::decode_request(frame(api_key, version, &[]));
        assert!(matches!(result, Err(FrameError::Unsupported { .. })), "{api_key} {version}");
    }
    let (head, request) = wire::decode_request(frame(18, 77, &[1, 2, 3])).unwrap();
    assert_eq!((head.version, head.correlation_id), (0, 1));
    assert!(matches!(request, crate::Request::UnknownApiVersions));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_bring_the_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = wire::decode_request(bytes.into());
    }

    #[test]
    fn no_body_brings_the_reader_down(
        api in 0..APIS.len(),
        version in 0i16..20,
        body in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => Just(0xff), 1 => Just(1), 2 => any::<u8>()], 0..300),
    ) {
        let _ = wire::decode_request(frame(APIS[api].key, version, &body));
    }

    /// What can be read is handled, and every answer can be written.
    #[test]
    fn no_request_brings_the_broker_down(
        requests in prop::collection::vec(
            (0..APIS.len(), 0i16..14, prop::collection::vec(
                prop_oneof![6 => Just(0u8), 3 => Just(1), 3 => Just(2), 1 => Just(0xff), 2 => Just(b't')], 0..60,
            )),
            1..40,
        ),
    ) {
        let mut stand = Stand::new();
        stand.topic("t", 1, &[]);
        for (api, version, mut body) in requests {
            // Bodies that are too short are filled up, those that are too long are cut, to be read more often.
            body.resize(60, 0);
            let api = &APIS[api];
            let (first, last) = (*api.readable.start(), *api.readable.end());
            let version = first + version % (last - first + 1);
            let taken = (0..=body.len()).find(|len| {
                wire::decode_request(frame_of(api, version, &body[..*len])).is_ok()
            });
            if let Some(len) = taken {
                stand.hand_in(frame_of(api, version, &body[..len])).unwrap();
            }
        }
        stand.pass(1_000_000);
    }
}

fn frame_of(api: &api::Api, version: i16, body: &[u8]) -> Bytes {
    match api.is_flexible(version) {
        true => frame(api.key, version, &[&[0], body].concat()),
        false => frame(api.key, version, body),
    }
}
