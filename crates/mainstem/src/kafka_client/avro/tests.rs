//! Bytes written out by hand, or by the crate's writer where a container is needed.

use std::io::Write;

use apache_avro::{Codec, DeflateSettings, Writer};

use super::*;

fn file(schema: &str) -> SchemaFile {
    SchemaFile { path: "a.avsc".to_owned(), schema: Schema::parse_str(schema).unwrap() }
}

fn decode(schema: &str, framing: Framing, bytes: &[u8]) -> Result<(String, Option<u32>), String> {
    let file = file(schema);
    let decoded = Decoder::new(Some(&file), framing, "--schema").unwrap().decode(bytes);
    let text = |decoded: Decoded| (String::from_utf8(decoded.json).unwrap(), decoded.schema_id);
    let said = |error: Error| format!("{error}; {}", error.hint().unwrap());
    decoded.map(text).map_err(said)
}

fn logical(base: &str, name: &str) -> String {
    format!(r#"{{"type": "{base}", "logicalType": "{name}"}}"#)
}

const ORDER: &str = r#"{"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "item", "type": "string"}, {"name": "count", "type": ["null", "int"]}]}"#;
const NODE: &str = r#"{"type": "record", "name": "Node", "fields": [
    {"name": "n", "type": "int"}, {"name": "next", "type": ["null", "Node"]}]}"#;

#[test]
fn types_are_readable() {
    let decimal = r#"{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}"#;
    let scaled = r#"{"type": "bytes", "logicalType": "decimal", "precision": 5000, "scale": 2000}"#;
    let fixed = r#"{"type": "fixed", "name": "F", "size": 2}"#;
    let duration = r#"{"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}"#;
    let symbols = r#"{"type": "enum", "name": "E", "symbols": ["A", "B"]}"#;
    let uuid = b"\x48f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    for (schema, bytes, expected) in [
        (r#""null""#, &b""[..], "null"),
        (r#""boolean""#, b"\x01", "true"),
        (r#""int""#, b"\x03", "-2"),
        (r#""long""#, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "9223372036854775807"),
        (r#""float""#, b"\xcd\xcc\xcc\x3d", "0.1"),
        (r#""double""#, b"\0\0\0\0\0\0\xf8\x3f", "1.5"),
        (r#""double""#, b"\0\0\0\0\0\0\xf0\xff", r#""-Infinity""#),
        (r#""float""#, b"\0\0\xc0\x7f", r#""NaN""#),
        (r#""bytes""#, b"\x04\xff\0", r#""/wA=""#),
        (fixed, b"\xff\0", r#""/wA=""#),
        (r#""string""#, b"\x04\"\n", r#""\"\n""#),
        (symbols, b"\x02", r#""B""#),
        (r#"{"type": "array", "items": "int"}"#, b"\x04\x02\x04\0", "[1,2]"),
        (r#"{"type": "map", "values": "int"}"#, b"\x04\x02b\x02\x02a\x04\0", r#"{"a":2,"b":1}"#),
        (ORDER, b"\x06tea\x02\x06", r#"{"item":"tea","count":3}"#),
        (ORDER, b"\x06tea\0", r#"{"item":"tea","count":null}"#),
        (NODE, b"\x02\x02\x04\0", r#"{"n":1,"next":{"n":2,"next":null}}"#),
        (&logical("int", "date"), b"\xd8\xa1\x02", r#""2020-10-05""#),
        (&logical("int", "date"), b"\x01", r#""1969-12-31""#),
        (&logical("int", "date"), b"\xfe\xff\xff\xff\x0f", "2147483647"),
        (&logical("int", "time-millis"), b"\xd0\x0f", r#""00:00:01.000""#),
        (&logical("int", "time-millis"), b"\x01", "-1"),
        (&logical("long", "time-micros"), b"\x02", r#""00:00:00.000001""#),
        (&logical("long", "timestamp-millis"), b"\x01", r#""1969-12-31T23:59:59.999Z""#),
        (&logical("long", "timestamp-micros"), b"\x02", r#""1970-01-01T00:00:00.000001Z""#),
        (&logical("long", "local-timestamp-millis"), b"\x02", r#""1970-01-01T00:00:00.001""#),
        (&logical("string", "uuid"), uuid, r#""f81d4fae-7dec-11d0-a765-00a0c91e6bf6""#),
        (duration, b"\x01\0\0\0\x02\0\0\0\x03\0\0\0", r#"{"months":1,"days":2,"millis":3}"#),
        (decimal, b"\x04\x04\xce", "12.30"),
        (decimal, b"\x02\xff", "-0.01"),
        (scaled, b"\x02\x07", "7e-2000"),
    ] {
        let plain = decode(schema, Framing::Plain, bytes);
        assert_eq!(plain, Ok((expected.to_owned(), None)), "{schema}");
        let framed = [&b"\0\0\x01\0\x02"[..], bytes].concat();
        let framed = decode(schema, Framing::Confluent, &framed);
        assert_eq!(framed, Ok((expected.to_owned(), Some(65_538))), "{schema}");
        serde_json::from_str::<serde_json::Value>(expected).unwrap();
    }
}

#[test]
fn frames_are_told_by_their_bytes() {
    let tea = r#"{"item":"tea","count":null}"#;
    let empty = r#"{"item":"","count":0}"#;
    let bytes = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "int"}, {"name": "b", "type": {"type": "fixed", "name": "F", "size": 5}}]}"#;
    let either = r#"["null", {"type": "fixed", "name": "F", "size": 5}]"#;
    for (schema, datum, expected) in [
        (ORDER, &b"\0\0\0\0\x07\x06tea\0"[..], Ok((tea, Some(7)))),
        (ORDER, b"\x06tea\0", Ok((tea, None))),
        (ORDER, b"\0\x02\0", Ok((empty, None))),
        (bytes, b"\0abcde", Ok((r#"{"a":0,"b":"YWJjZGU="}"#, None))),
        (either, b"\0\0\0\0\x07\0", Ok(("null", Some(7)))),
        (ORDER, b"\0\0\0\0\x07\x06te", Err("(behind a schema id)")),
        (ORDER, b"\0\0\0\0\x07\x06tea\0more", Err("bytes are left over: 4 (behind")),
        (ORDER, b"", Err("does not fit the schema in 'a.avsc'")),
    ] {
        match (decode(schema, Framing::Auto, datum), expected) {
            (Ok((json, id)), Ok(expected)) => assert_eq!((json.as_str(), id), expected),
            (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
            (decoded, expected) => panic!("{datum:?}: {decoded:?} is not {expected:?}"),
        }
    }
    assert!(decode(ORDER, Framing::Plain, b"\0\0\0\0\x07\x06tea\0").is_err());
    assert!(decode(ORDER, Framing::Confluent, b"\x06tea\0").unwrap_err().contains("schema id"));
}

/// Without a frame 0 and a text of five bytes, with one 50 and no text: nobody can know.
#[test]
fn what_reads_both_ways_is_not_guessed() {
    let schema = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "int"}, {"name": "b", "type": "string"}]}"#;
    let bytes = b"\0\x0aabcd\0";
    let said = decode(schema, Framing::Auto, bytes).unwrap_err();
    assert!(said.contains("--framing confluent or --framing plain"), "{said}");
    for (framing, json, id) in [
        (Framing::Plain, r#"{"a":0,"b":"abcd\u0000"}"#, None),
        (Framing::Confluent, r#"{"a":50,"b":""}"#, Some(0x0a61_6263)),
    ] {
        assert_eq!(decode(schema, framing, bytes), Ok((json.to_owned(), id)));
    }
}

#[test]
fn containers_bring_their_schema() {
    let written = |codec: Codec, count: i32| {
        let schema = Schema::parse_str(r#""int""#).unwrap();
        let mut writer =
            Writer::builder().schema(&schema).writer(Vec::new()).codec(codec).build().unwrap();
        for number in 0..count {
            writer.append_value(number).unwrap();
        }
        writer.into_inner().unwrap()
    };
    let decoder = Decoder::new(None, Framing::Auto, "--schema").unwrap();
    for (codec, count, expected) in [
        (Codec::Null, 0, "[]"),
        (Codec::Null, 2, "[0,1]"),
        (Codec::Deflate(DeflateSettings::default()), 3, "[0,1,2]"),
    ] {
        let decoded = decoder.decode(&written(codec, count)).unwrap();
        assert_eq!(
            (String::from_utf8(decoded.json).unwrap().as_str(), decoded.schema_id),
            (expected, None)
        );
    }
    let bytes = written(Codec::Null, 2);
    assert!(decoder.decode(&bytes[..bytes.len() - 3]).unwrap_err().to_string().contains("damaged"));
    let said = decoder.decode(b"\x02").unwrap_err();
    assert_eq!(said.to_string(), "needs an Avro schema to be read");
    assert!(said.hint().unwrap().contains("--schema FILE.avsc"));
}

#[test]
fn hostile_lengths_are_refused() {
    let huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    let nested = b"\x02\x02".repeat(100_000);
    let big = r#"{"type": "bytes", "logicalType": "decimal", "precision": 100000}"#;
    let digits = [&b"\xd0\x8c\x01"[..], &[1; 9_000]].concat();
    for (schema, bytes) in [
        (r#""bytes""#, &huge[..]),
        (r#""string""#, huge),
        (r#""string""#, b"\xfe\xff\xff\x7f"),
        (r#"{"type": "array", "items": "null"}"#, huge),
        (r#"{"type": "map", "values": "null"}"#, huge),
        (r#""long""#, &[0xff; 20]),
        (NODE, &nested),
        (ORDER, b"\x06te"),
        (ORDER, b"\x06tea\x04\x02"),
        (big, &digits),
    ] {
        assert!(decode(schema, Framing::Plain, bytes).is_err(), "{schema}");
    }
    // A container chooses its schema: as deep as JSON may be, without an end, and doubled at each name.
    let deep = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(126), "}".repeat(126));
    let endless = r#"{"type": "record", "name": "R", "fields": [{"name": "r", "type": "R"}]}"#;
    let mut doubled = r#"{"type": "record", "name": "R0", "fields": []}"#.to_owned();
    for n in 1..30 {
        let before = n - 1;
        doubled = format!(
            r#"{{"type": "record", "name": "R{n}", "fields": [
                {{"name": "a", "type": {doubled}}}, {{"name": "b", "type": "R{before}"}}]}}"#
        );
    }
    let decoder = Decoder::new(None, Framing::Auto, "--schema").unwrap();
    for (schema, datum, expected) in [
        (
            deep.as_str(),
            b"\x02".repeat(200),
            "Maximum decode recursion depth reached (maximum: 64)",
        ),
        (endless, vec![], "Maximum decode recursion depth reached (maximum: 64)"),
        (&doubled, vec![], "(maximum allowed: 134217728)"),
    ] {
        // A varint of three bytes.
        let length = |n: usize| [(n << 1 | 0x80) as u8, (n >> 6 | 0x80) as u8, (n >> 13) as u8];
        let key = &b"\x02\x16avro.schema"[..];
        let header =
            [CONTAINER_MAGIC, key, &length(schema.len()), schema.as_bytes(), b"\0", &[7; 16]];
        let block = [&b"\x02"[..], &length(datum.len()), &datum, &[7; 16]];
        let said = decoder.decode(&[header.concat(), block.concat()].concat()).unwrap_err();
        assert!(said.to_string().ends_with(expected), "{said}");
    }
    let mut limited = Limited::new(4);
    limited.write_all(b"1234").unwrap();
    assert!(limited.write_all(b"5").is_err());
}
