//! Which variables are read, and which of their values are refused.

use super::*;
use crate::state::StatePlace;

fn place(text: &str) -> ObjectPlace {
    match text.parse() {
        Ok(StatePlace::Objects(place)) => place,
        other => panic!("{text}: {other:?}"),
    }
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The error, its hint behind it.
fn refusal(text: &str, pairs: &[(&str, &str)]) -> String {
    let error = client(&place(text), &variables(pairs)).unwrap_err();
    format!("{error}; {}", error.hint().unwrap_or_default())
}

#[test]
fn plain_http_stays_on_this_machine() {
    for (endpoint, allowed, expected) in [
        (None, "", Some(false)),
        (None, "true", Some(true)),
        (Some("https://s3.example.org"), "", Some(false)),
        (Some("http://localhost:9000"), "", Some(true)),
        (Some("http://127.0.0.1:9000/path"), "", Some(true)),
        (Some("http://[::1]:9000"), "", Some(true)),
        (Some("http://localhost.example.org"), "", None),
        (Some("http://10.0.0.1:9000"), "", None),
        (Some("http://[fe80::1]:9000"), "false", None),
        (Some("http://10.0.0.1:9000"), "true", Some(true)),
    ] {
        let variables = variables(&[("AWS_ALLOW_HTTP", allowed)]);
        let found = plain_http(endpoint, "AWS_ALLOW_HTTP", &variables);
        assert_eq!(found.ok(), expected, "{endpoint:?} {allowed}");
    }
    for (text, pairs, variable) in [
        ("s3://b", [("AWS_ENDPOINT_URL", "http://10.0.0.1"), ("", "")], "AWS_ALLOW_HTTP=true"),
        (
            "az://c",
            [("AZURE_STORAGE_ACCOUNT", "a"), ("AZURE_STORAGE_SERVICE_ENDPOINT", "http://10.0.0.1")],
            "AZURE_ALLOW_HTTP=true",
        ),
        (
            "gs://b",
            [("STORAGE_EMULATOR_HOST", "10.0.0.1:4443"), ("", "")],
            "GOOGLE_ALLOW_HTTP=true",
        ),
    ] {
        let found = refusal(text, &pairs);
        assert!(found.contains("is not encrypted") && found.contains(variable), "{found}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (text, pairs, words) in [
        (
            "s3://b",
            &[("AWS_EC2_METADATA_DISABLED", "true")][..],
            "no credentials for 's3://b'; set AWS_ACCESS_KEY_ID",
        ),
        ("s3://b", &[("AWS_PROFILE", "dev")], "AWS_PROFILE is 'dev', and profiles are not read"),
        ("s3://b", &[("AWS_ACCESS_KEY_ID", "a")], "'s3://b' cannot be used: "),
        ("az://c", &[], "which storage account 'az://c' is in; set AZURE_STORAGE_ACCOUNT"),
        ("gs://b", &[("GOOGLE_APPLICATION_CREDENTIALS", "/no/such.json")], "/no/such.json"),
    ] {
        let found = refusal(text, pairs);
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn what_is_set_is_enough() {
    let key = ("AZURE_STORAGE_KEY", "a2V5");
    for (text, pairs) in [
        (
            "s3://b/p",
            &[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_PROFILE", "p")][..],
        ),
        ("s3://b/p", &[("AWS_WEB_IDENTITY_TOKEN_FILE", "f"), ("AWS_ROLE_ARN", "r")]),
        ("az://c/p", &[("AZURE_STORAGE_ACCOUNT", "a"), key]),
        ("az://c/p", &[("AZURE_STORAGE_USE_EMULATOR", "true")]),
        ("az://c/p", &[("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=a2V5")]),
        ("abfss://c@a.dfs.core.windows.net/p", &[key]),
        ("gs://b/p", &[("STORAGE_EMULATOR_HOST", "localhost:9023")]),
    ] {
        let built = client(&place(text), &variables(pairs));
        assert!(built.is_ok(), "{text} {pairs:?}: {built:?}");
    }
}

#[test]
fn connection_strings_are_taken_apart() {
    let text = "DefaultEndpointsProtocol=https; AccountName=a;AccountKey=a2V5Zm9v==;EndpointSuffix=example.org";
    let expected = Connection {
        account: Some("a".to_owned()),
        key: Some("a2V5Zm9v==".to_owned()),
        endpoint: Some("https://a.blob.example.org".to_owned()),
        ..Connection::default()
    };
    assert_eq!(Connection::parse(text), expected);
    let text = "BlobEndpoint=http://localhost:1/a;SharedAccessSignature=sv=1&sig=2";
    let expected = Connection {
        signature: Some("sv=1&sig=2".to_owned()),
        endpoint: Some("http://localhost:1/a".to_owned()),
        ..Connection::default()
    };
    assert_eq!(Connection::parse(text), expected);
    assert!(Connection::parse("UseDevelopmentStorage=true").emulator);
}
