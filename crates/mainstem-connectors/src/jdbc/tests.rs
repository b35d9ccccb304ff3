//! Unit tests of the jdbc connector that need no server.

use mainstem_core::types::{DataType, TypeKind};
use tokio_postgres::config::SslMode;

use super::types::{PgType, Wire, declared, wire};
use super::{numeric, url};

#[test]
fn urls_are_read_as_pgjdbc_reads_them() {
    let good = [
        ("jdbc:postgresql://db.example:6000/shop?user=me", "db.example:6000/shop"),
        ("jdbc:postgresql://a,b:6000/shop?user=me", "a,b:6000/shop"),
        ("jdbc:postgresql://[::1]:6000/?user=me", "[::1]:6000/me"),
        (
            "jdbc:postgresql:shop?user=me&sslmode=prefer&reWriteBatchedInserts=true",
            "localhost/shop",
        ),
        ("jdbc:postgresql://h/a%20b?user=m%65&currentSchema=x", "h/a b"),
    ];
    for (text, expected) in good {
        assert_eq!(url::parse(text, None, None).unwrap().text, expected, "{text}");
    }
    let speaks_tls = [
        ("", SslMode::Prefer),
        ("&ssl=false", SslMode::Prefer),
        ("&ssl=false&sslmode=disable", SslMode::Disable),
        ("&sslmode=Require", SslMode::Require),
        ("&ssl", SslMode::Require),
        ("&ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory", SslMode::Require),
    ];
    for (parameters, mode) in speaks_tls {
        let text = format!("jdbc:postgresql://h/db?user=x{parameters}");
        let config = url::parse(&text, None, None).unwrap().config;
        assert_eq!(config.get_ssl_mode(), mode, "{text}");
    }
    let bad = [
        ("jdbc:postgresql://h/db", "username"),
        ("jdbc:mysql://h/db", "'mysql'"),
        ("postgres://h/db", "no JDBC URL"),
        ("jdbc:postgresql://h:port/db?user=x", "h:port"),
        ("jdbc:postgresql://h/db?user=x&sslmode=full", "'sslmode=full'"),
        ("jdbc:postgresql://h/db?user=x&sslcert=/absent.pem", "'sslcert' and 'sslkey'"),
        ("jdbc:postgresql://h/db?user=x&sslpassword=secret", "'sslpassword'"),
        ("jdbc:postgresql://h/db?user=x&sslfactory=my.Factory", "my.Factory"),
        ("jdbc:postgresql://h/db?user=x&colour=red", "colour"),
        ("jdbc:postgresql://h/db?user=%x", "percent"),
    ];
    for (text, part) in bad {
        let error = url::parse(text, None, Some("secret")).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[test]
fn files_of_a_url_are_read_when_a_connection_is_made() {
    let absent = [
        ("sslrootcert=/absent.pem&ssl", "'sslrootcert=/absent.pem'"),
        ("sslrootcert=/dev/null&ssl", "no PEM"),
        ("sslcert=/dev/null&sslkey=/absent.key", "'sslcert=/dev/null'"),
    ];
    for (parameters, part) in absent {
        let text = format!("jdbc:postgresql://h/db?user=x&{parameters}");
        let tls = url::parse(&text, None, None).unwrap().tls.unwrap();
        let error = tls.client().unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn numerics_are_grouped_by_four_digits() {
    let cases: &[(i128, u16, &str, &[i16])] = &[
        (0, 0, "0", &[0, 0, 0, 0]),
        (0, 3, "0.000", &[0, 0, 0, 3]),
        (1, 0, "1", &[1, 0, 0, 0, 1]),
        (10_000, 0, "10000", &[1, 1, 0, 0, 1]),
        (-12_345_678, 4, "-1234.5678", &[2, 0, 0x4000, 4, 1234, 5678]),
        (5, 3, "0.005", &[1, -1, 0, 3, 50]),
        (5, 9, "0.000000005", &[1, -3, 0, 9, 5000]),
        (100_000_000, 4, "10000.0000", &[1, 1, 0, 4, 1]),
        (123_456, 5, "1.23456", &[3, 0, 0, 5, 1, 2345, 6000]),
    ];
    for (unscaled, scale, text, words) in cases {
        let mut out = Vec::new();
        numeric::put(&mut out, *unscaled, *scale);
        let written: Vec<i16> = out.chunks(2).map(|w| i16::from_be_bytes([w[0], w[1]])).collect();
        assert_eq!(written, *words, "{text}");
        assert_eq!(numeric::text(&out).as_deref(), Some(*text));
        assert_eq!(numeric::read(&out, *scale).unwrap(), Some(*unscaled), "{text}");
    }
    for (unscaled, scale) in [(i128::MAX / 2, 38), (10i128.pow(37), 0), (-(10i128.pow(37)), 37)] {
        let mut out = Vec::new();
        numeric::put(&mut out, unscaled, scale);
        let digits: String =
            numeric::text(&out).unwrap().chars().filter(char::is_ascii_digit).collect();
        assert_eq!(digits.parse::<i128>().unwrap(), unscaled.abs());
    }
}

#[test]
fn numerics_are_rounded_to_the_scale_of_their_column() {
    // Value and scale as sent, the scale wanted, and what is read.
    let cases: &[(i128, u16, u16, Option<i128>)] = &[
        (12_345, 3, 2, Some(1235)),
        (12_344, 3, 2, Some(1234)),
        (-12_345, 3, 2, Some(-1235)),
        (99_995, 4, 3, Some(10_000)),
        (5, 5, 4, Some(1)),
        (5, 6, 4, Some(0)),
        (4, 1, 0, Some(0)),
        (5, 1, 0, Some(1)),
        (5, 9, 0, Some(0)),
        (123_456_789, 8, 4, Some(12_346)),
        (1, 0, 5, Some(100_000)),
        (10_i128.pow(30), 0, 10, None),
        (0, 0, 38, Some(0)),
        (1000, 0, 34, Some(10_i128.pow(37))),
        (10_000, 0, 34, None),
    ];
    for (unscaled, sent, wanted, expected) in cases {
        let mut out = Vec::new();
        numeric::put(&mut out, *unscaled, *sent);
        let read = numeric::read(&out, *wanted).unwrap();
        assert_eq!(read, *expected, "{unscaled} of scale {sent} as scale {wanted}");
        assert_eq!(numeric::has_fraction(&out), unscaled % 10_i128.pow((*sent).into()) != 0);
    }
    for sign in [[0xc0, 0], [0xd0, 0], [0xf0, 0]] {
        let special = [[0, 0], [0, 0], sign, [0, 0]].concat();
        assert!(numeric::read(&special, 2).unwrap_err().to_string().contains("NaN"));
    }
    assert!(numeric::read(&[0, 3, 0, 0, 0, 0, 0, 0], 2).is_err());
}

#[test]
fn types_fit_or_do_not() {
    let to = |oid, element_oid| PgType { oid, kind: 'b', element_oid, ..PgType::default() };
    let array = TypeKind::Array(Box::new(TypeKind::BigInt.nullable())).nullable();
    let cases: &[(DataType, PgType, Option<Wire>)] = &[
        (TypeKind::Int.nullable(), to(20, 0), Some(Wire::Int8)),
        (TypeKind::BigInt.nullable(), to(23, 0), None),
        (TypeKind::BigInt.nullable(), to(1700, 0), Some(Wire::Numeric)),
        (TypeKind::Double.nullable(), to(700, 0), None),
        (DataType::string(), to(3802, 0), Some(Wire::Jsonb)),
        (DataType::string(), PgType { kind: 'e', ..to(99_999, 0) }, Some(Wire::Text)),
        (DataType::string(), to(1082, 0), None),
        (array.clone(), to(1016, 20), Some(Wire::Array(Box::new(Wire::Int8), 20))),
        (array.clone(), to(1007, 23), None),
        (array, to(20, 0), None),
    ];
    for (from, to, expected) in cases {
        assert_eq!(wire(from, to), *expected, "{from} to {}", to.oid);
    }
}

#[test]
fn created_columns_get_postgres_names() {
    let cases = [
        (TypeKind::TinyInt, "smallint"),
        (TypeKind::Varchar { length: 7 }, "character varying(7)"),
        (TypeKind::STRING, "text"),
        (TypeKind::Decimal { precision: 10, scale: 2 }, "numeric(10,2)"),
        (TypeKind::Timestamp { precision: 9 }, "timestamp(6)"),
        (TypeKind::TimestampLtz { precision: 3 }, "timestamp(3) with time zone"),
        (TypeKind::Array(Box::new(TypeKind::Float.nullable())), "real[]"),
    ];
    for (kind, expected) in cases {
        assert_eq!(declared("c", &kind.nullable()).unwrap(), expected);
    }
    let map = TypeKind::Map(Box::new(DataType::string()), Box::new(DataType::string()));
    assert!(declared("c", &map.nullable()).unwrap_err().to_string().contains("MAP"));
}
