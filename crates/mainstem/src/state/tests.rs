//! What a place's text means.

use super::*;

fn objects(text: &str) -> ObjectPlace {
    match text.parse() {
        Ok(StatePlace::Objects(place)) => place,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn urls_are_taken_apart() {
    for (text, cloud, bucket, prefix) in [
        ("s3://b", Cloud::S3, "b", ""),
        ("s3://b/", Cloud::S3, "b", ""),
        ("s3a://b/p", Cloud::S3, "b", "p"),
        ("s3://b/p/q/", Cloud::S3, "b", "p/q"),
        ("gs://b/p", Cloud::Google, "b", "p"),
        ("az://c/p", Cloud::Azure, "c", "p"),
        ("abfs://c/p", Cloud::Azure, "c", "p"),
    ] {
        let place = objects(text);
        assert_eq!(
            (place.cloud, &*place.bucket, &*place.prefix),
            (cloud, bucket, prefix),
            "{text}"
        );
        assert_eq!(place.to_string(), text.trim_end_matches('/'));
        assert_eq!(place.host, None);
    }
    let place = objects("abfss://c@account.dfs.core.windows.net/p");
    assert_eq!((&*place.bucket, &*place.prefix), ("c", "p"));
    assert_eq!(place.host.as_deref(), Some("account.blob.core.windows.net"));
}

#[test]
fn everything_else_is_a_folder_or_refused() {
    for text in ["state", "./a/b", "/var/lib/state", "s3", "C:\\state"] {
        assert_eq!(text.parse(), Ok(StatePlace::Folder(text.into())));
    }
    assert_eq!("file:///var/state".parse(), Ok(StatePlace::Folder("/var/state".into())));
    for (text, words) in [
        ("hdfs://name/p", "none of s3://"),
        ("s3://", "write s3://BUCKET/PREFIX"),
        ("s3:///p", "write s3://BUCKET/PREFIX"),
        ("gs://b/p?x=1", "write gs://BUCKET/PREFIX"),
        ("s3://key:secret@b/p", "credentials come from the environment"),
        ("s3://b/p//q", "no part of the prefix"),
        ("s3://b/../q", "no part of the prefix"),
    ] {
        let error = text.parse::<StatePlace>().unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn places_are_below_each_other() {
    for (text, below) in [("s3://b", "s3://b/job"), ("gs://b/p/", "gs://b/p/job"), ("a", "a/job")] {
        let place: StatePlace = text.parse().unwrap();
        assert_eq!(place.below("job"), below.parse().unwrap());
    }
}
