//! Answers as the stores give them.

use std::io;

use object_store::Error as ObjectError;
use object_store::client::HttpErrorKind;

use super::*;
use crate::state::StatePlace;

fn place(text: &str) -> ObjectPlace {
    match text.parse() {
        Ok(StatePlace::Objects(place)) => place,
        other => panic!("{text}: {other:?}"),
    }
}

/// As the client words an answer that is no success.
fn answer(status: &str, body: &str) -> ObjectError {
    let text = format!("Server returned non-2xx status code: {status}: {body}");
    ObjectError::Generic { store: "S3", source: text.into() }
}

const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>";
const REGION: &str = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The region &#34;us-east-1&#34; is wrong; expecting 'eu-west-1'</Message></Error>";
const AZURE: &str = "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.\nRequestId:1\nTime:2</Message></Error>";

#[test]
fn every_answer_says_what_to_do() {
    for (text, error, kind, primary, hint) in [
        (
            "s3://b",
            answer("403 Forbidden", DENIED),
            ErrorKind::User,
            "AccessDenied: Access Denied",
            "AWS_ACCESS_KEY_ID",
        ),
        (
            "s3://b",
            answer("400 Bad Request", REGION),
            ErrorKind::User,
            "expecting 'eu-west-1'",
            "set AWS_REGION",
        ),
        (
            "az://b",
            answer("403 Forbidden", AZURE),
            ErrorKind::User,
            "AuthenticationFailed: Server failed to authenticate the request",
            "the account's key",
        ),
        (
            "gs://b",
            answer("401 Unauthorized", ""),
            ErrorKind::User,
            "401 Unauthorized",
            "Storage Object Admin",
        ),
        (
            "s3://b",
            answer("503 Slow Down", ""),
            ErrorKind::Unavailable,
            "503 Slow Down",
            "try again",
        ),
        (
            "s3://b",
            answer("501 Not Implemented", ""),
            ErrorKind::User,
            "501 Not Implemented",
            "AWS_CONDITIONAL_PUT=disabled",
        ),
    ] {
        let told = failed(&place(text), "write 'a'", &error);
        let line = told.to_string();
        assert_eq!(told.kind(), kind, "{line}");
        assert!(line.starts_with(&format!("cannot write 'a' in '{text}': ")), "{line}");
        assert!(line.ends_with(primary), "{line}");
        assert!(told.hint().unwrap().contains(hint), "{:?}", told.hint());
    }
}

#[test]
fn missing_buckets_and_credentials_have_words_of_their_own() {
    let body = |code: &str| format!("<Error><Code>{code}</Code></Error>");
    let error =
        failed(&place("s3://b/p"), "read 'a'", &answer("404 Not Found", &body("NoSuchBucket")));
    assert_eq!(error.to_string(), "there is no bucket 'b'");
    let error = failed(
        &place("az://c/p"),
        "read 'a'",
        &answer("404 Not Found", &body("ContainerNotFound")),
    );
    assert_eq!(error.to_string(), "there is no container 'c'");
    let text = "Error performing PUT http://169.254.169.254/latest/api/token in 1s - HTTP error";
    let metadata = ObjectError::Generic { store: "S3", source: text.into() };
    assert!(!may_pass(&metadata));
    let error = failed(&place("s3://b/p"), "read 'a'", &metadata);
    assert_eq!(error.to_string(), "there are no credentials for 's3://b/p'");
}

#[test]
fn bytes_that_a_store_does_not_have() {
    for (status, lacks) in [("416 Range Not Satisfiable", true), ("403 Forbidden", false)] {
        assert_eq!(lacks_bytes(&answer(status, "")), lacks, "{status}");
    }
    for (code, lacks) in [("NoSuchKey", true), ("NoSuchBucket", false)] {
        let text = format!("status code: 404 Not Found: <Error><Code>{code}</Code></Error>");
        let error = ObjectError::NotFound { path: "a".to_owned(), source: text.into() };
        assert_eq!(lacks_bytes(&error), lacks, "{code}");
    }
}

#[test]
fn what_may_pass() {
    for (status, passes) in [
        ("500 Internal Server Error", true),
        ("503 Slow Down", true),
        ("429 Too Many Requests", true),
        ("408 Request Timeout", true),
        ("501 Not Implemented", false),
        ("403 Forbidden", false),
        ("412 Precondition Failed", false),
    ] {
        assert_eq!(may_pass(&answer(status, "")), passes, "{status}");
    }
    let reset = HttpError::new(HttpErrorKind::Interrupted, io::Error::other("reset"));
    assert!(may_pass(&ObjectError::Generic { store: "S3", source: Box::new(reset) }));
    assert!(!may_pass(&ObjectError::Generic { store: "S3", source: "a bug".into() }));
}
