//! What the answers of an object store mean: which pass, which are the user's to mend, and how.
//! Invariant: an error names the place, says the store's own reason in a line, and what to do. Whether trying again can help is
//! decided here; how often, in `objects`.

use std::error::Error as StdError;

use mainstem_core::{Error, ErrorKind};
use object_store::client::HttpError;

use super::{Cloud, ObjectPlace};

/// Before the status of an answer, in the words of the client.
const STATUS: &str = "status code: ";
/// Where the machines of the clouds are told who they are.
const METADATA: [&str; 3] = ["//169.254.169.254", "//169.254.170.2", "//metadata.google.internal"];

/// The error and all that caused it, outermost first.
fn chain(error: &object_store::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
}

/// What lies below everything: the words of the server, or of the system.
fn innermost(error: &object_store::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The error without the client's name for itself.
pub(super) fn cause(error: &object_store::Error) -> String {
    chain(error).nth(1).map_or_else(|| error.to_string(), ToString::to_string)
}

/// The status of the answer, if there was one.
fn status(error: &object_store::Error) -> Option<u16> {
    innermost(error).split_once(STATUS)?.1.get(..3)?.parse().ok()
}

/// Nobody was reached, or whoever was asks to come again.
pub(super) fn may_pass(error: &object_store::Error) -> bool {
    match status(error) {
        Some(501) => false,
        Some(status) => status >= 500 || status == 429 || status == 408,
        None => {
            chain(error).any(|cause| cause.is::<HttpError>()) && lacks_credentials(error).is_none()
        }
    }
}

/// Nothing was set, and the machine's own service has nothing either: what came of asking it.
fn lacks_credentials(error: &object_store::Error) -> Option<String> {
    let texts = chain(error).map(ToString::to_string);
    texts.filter(|text| METADATA.iter().any(|metadata| text.contains(metadata))).last()
}

/// The server's reason in one line.
fn reason(error: &object_store::Error) -> String {
    let text = innermost(error);
    if let Some(code) = element(&text, "Code") {
        let message = element(&text, "Message").unwrap_or_default();
        let message = plain(message.lines().next().unwrap_or_default().trim_end_matches('.'));
        return if message.is_empty() { code.to_owned() } else { format!("{code}: {message}") };
    }
    let answer = text.split_once(STATUS).map_or(&*text, |(_, answer)| answer);
    let line = answer.lines().next().unwrap_or_default();
    line.chars().take(200).collect::<String>().trim_end_matches([':', ' ']).to_owned()
}

/// The text of an XML element.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(content, _)| content.trim())
}

/// Without the entities of XML.
fn plain(text: &str) -> String {
    let quoted = text.replace("&#34;", "\"").replace("&quot;", "\"").replace("&#39;", "'");
    quoted.replace("&apos;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// There is no bucket of that name, rather than no such object in it.
pub(super) fn lacks_bucket(error: &object_store::Error) -> bool {
    let text = innermost(error);
    matches!(element(&text, "Code"), Some("NoSuchBucket" | "ContainerNotFound"))
}

/// There is no object of that name, or it ends before the bytes that were asked for.
pub(super) fn lacks_bytes(error: &object_store::Error) -> bool {
    let is_missing = matches!(error, object_store::Error::NotFound { .. });
    (is_missing && !lacks_bucket(error)) || status(error) == Some(416)
}

fn no_bucket(place: &ObjectPlace) -> Error {
    let what = if place.cloud == Cloud::Azure { "container" } else { "bucket" };
    Error::user(format!("there is no {what} '{}'", place.bucket))
        .with_hint(format!("make it, or name another {what}; Mainstem makes none"))
}

pub(super) fn no_credentials(place: &ObjectPlace) -> Error {
    Error::user(format!("there are no credentials for '{place}'"))
        .with_hint(credentials_hint(place.cloud))
}

pub(super) fn credentials_hint(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::S3 => "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
        Cloud::Azure => {
            "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN"
        }
        Cloud::Google => "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account",
    }
}

/// Our error for one of the client's: `doing` says what for, such as `write 'a'`.
pub(super) fn failed(place: &ObjectPlace, doing: &str, error: &object_store::Error) -> Error {
    if let Some(asked) = lacks_credentials(error) {
        return no_credentials(place).with_source(Said(asked));
    }
    if lacks_bucket(error) {
        return no_bucket(place);
    }
    let reason = reason(error);
    let text = format!("cannot {doing} in '{place}': {reason}");
    let wrong_region = ["AuthorizationHeaderMalformed", "PermanentRedirect", "redirect without"];
    let (kind, hint) = if wrong_region.iter().any(|word| reason.contains(word)) {
        (ErrorKind::User, "set AWS_REGION to the region of the bucket")
    } else if status(error).is_some_and(|status| status / 100 == 4) && !may_pass(error) {
        let hint = match place.cloud {
            Cloud::S3 => {
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; they must allow to list, read, write and delete objects there"
            }
            Cloud::Azure => {
                "check the account's key or signature; it must allow to list, read, write and delete blobs there"
            }
            Cloud::Google => {
                "check the service account; it needs the role 'Storage Object Admin' for the bucket"
            }
        };
        (ErrorKind::User, hint)
    } else if status(error) == Some(501) {
        let hint = "a store that cannot put objects only where none are needs AWS_CONDITIONAL_PUT=disabled";
        (ErrorKind::User, hint)
    } else {
        (ErrorKind::Unavailable, "check that the store answers from this machine, and try again")
    };
    Error::new(kind, text).with_hint(hint).with_source(Said(reason))
}

/// The reason again, where a source is asked for: the client's own words name every layer that they went through.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

#[cfg(test)]
mod tests;
