//! The client of each cloud, set up from the variables that the cloud's own tools read.
//! Invariant: everything is decided by the variables that are passed in; plain http leaves this machine only where a variable
//! allows it by name. Does not read the files of command line tools (`~/.aws`), except Google's, which its variable names.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mainstem_core::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ObjectStore, RetryConfig, StaticCredentialProvider};

use super::answers;
use super::{Cloud, ObjectPlace};

/// Longer than any request is waited for (`objects` does that, by size).
const REQUEST_MAX: &str = "10 minutes";

/// Environment variables. One that is empty is not set.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(super) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(text).collect()
    }

    /// The first of these that is set.
    fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(*name)).map(String::as_str)
    }

    fn is_true(&self, name: &str) -> bool {
        self.first(&[name]).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// Those of one cloud, by the names that its builder has for them.
    fn keys<'a, Key: std::str::FromStr>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (Key, &'a str)> {
        let own = self.0.iter().filter(move |(name, _)| name.starts_with(prefix));
        own.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, &**value)))
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<All: IntoIterator<Item = (String, String)>>(all: All) -> Self {
        Self(all.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }
}

/// The client for a place. Asks nobody yet.
pub(super) fn client(place: &ObjectPlace, variables: &Variables) -> Result<Arc<dyn ObjectStore>> {
    match place.cloud {
        Cloud::S3 => s3(place, variables),
        Cloud::Azure => azure(place, variables),
        Cloud::Google => google(place, variables),
    }
}

/// `objects` tries again, and knows for how long.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, retry_timeout: Duration::ZERO, ..RetryConfig::default() }
}

fn refused(place: &ObjectPlace, error: &object_store::Error) -> Error {
    let text = format!("'{place}' cannot be used: {}", answers::cause(error));
    Error::user(text).with_hint(answers::credentials_hint(place.cloud))
}

fn s3(place: &ObjectPlace, variables: &Variables) -> Result<Arc<dyn ObjectStore>> {
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let plain = plain_http(variables.first(&endpoint), "AWS_ALLOW_HTTP", variables)?;
    let credentials = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
    ];
    if variables.first(&credentials).is_none() {
        if let Some(profile) = variables.first(&["AWS_PROFILE"]) {
            let text = format!("AWS_PROFILE is '{profile}', and profiles are not read here");
            let hint = "eval \"$(aws configure export-credentials --format env)\" puts its credentials in the environment";
            return Err(Error::user(text).with_hint(hint));
        }
        if variables.is_true("AWS_EC2_METADATA_DISABLED") {
            return Err(answers::no_credentials(place));
        }
    }
    let mut builder = AmazonS3Builder::new();
    for (key, value) in variables.keys("AWS_") {
        builder = builder.with_config(key, value);
    }
    builder = builder
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST_MAX)
        .with_allow_http(plain)
        .with_retry(no_retries())
        .with_bucket_name(&place.bucket);
    Ok(Arc::new(builder.build().map_err(|e| refused(place, &e))?))
}

fn azure(place: &ObjectPlace, variables: &Variables) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in variables.keys("AZURE_") {
        builder = builder.with_config(key, value);
    }
    let mut set = |key, value: Option<&str>| {
        if let Some(value) = value {
            builder = std::mem::take(&mut builder).with_config(key, value);
        }
    };
    // The names of the cloud's command line tool.
    set(AzureConfigKey::AccountName, variables.first(&["AZURE_STORAGE_ACCOUNT"]));
    set(AzureConfigKey::AccessKey, variables.first(&["AZURE_STORAGE_KEY"]));
    set(AzureConfigKey::Endpoint, variables.first(&["AZURE_STORAGE_SERVICE_ENDPOINT"]));
    set(AzureConfigKey::MsiEndpoint, variables.first(&["IDENTITY_ENDPOINT"]));
    let connection = variables.first(&["AZURE_STORAGE_CONNECTION_STRING"]).map(Connection::parse);
    if let Some(Connection { account, key, signature, endpoint, emulator }) = &connection {
        set(AzureConfigKey::AccountName, account.as_deref());
        set(AzureConfigKey::AccessKey, key.as_deref());
        set(AzureConfigKey::SasKey, signature.as_deref());
        set(AzureConfigKey::Endpoint, endpoint.as_deref());
        set(AzureConfigKey::UseEmulator, emulator.then_some("true"));
    }
    if let Some(host) = &place.host {
        set(AzureConfigKey::AccountName, host.split('.').next());
        set(AzureConfigKey::Endpoint, Some(&format!("https://{host}")));
    }
    let emulated = builder.get_config_value(&AzureConfigKey::UseEmulator);
    let endpoint = match emulated.as_deref() {
        Some("true") => variables.first(&["AZURITE_BLOB_STORAGE_URL"]).map(str::to_owned),
        _ => builder.get_config_value(&AzureConfigKey::Endpoint),
    };
    let plain = plain_http(endpoint.as_deref(), "AZURE_ALLOW_HTTP", variables)?;
    if emulated.as_deref() != Some("true")
        && builder.get_config_value(&AzureConfigKey::AccountName).is_none()
    {
        return Err(Error::user(format!("nothing says which storage account '{place}' is in"))
            .with_hint("set AZURE_STORAGE_ACCOUNT, or write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX"));
    }
    builder = builder
        .with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), REQUEST_MAX)
        .with_allow_http(plain)
        .with_retry(no_retries())
        .with_container_name(&place.bucket);
    Ok(Arc::new(builder.build().map_err(|e| refused(place, &e))?))
}

/// A connection string of Azure: `name=value` pairs between semicolons.
#[derive(Debug, Default, PartialEq, Eq)]
struct Connection {
    account: Option<String>,
    key: Option<String>,
    signature: Option<String>,
    endpoint: Option<String>,
    emulator: bool,
}

impl Connection {
    fn parse(text: &str) -> Self {
        let mut connection = Self::default();
        let (mut protocol, mut suffix) = ("https", "core.windows.net");
        for (name, value) in text.split(';').filter_map(|pair| pair.trim().split_once('=')) {
            match name {
                "AccountName" => connection.account = Some(value.to_owned()),
                "AccountKey" => connection.key = Some(value.to_owned()),
                "SharedAccessSignature" => connection.signature = Some(value.to_owned()),
                "BlobEndpoint" => connection.endpoint = Some(value.to_owned()),
                "DefaultEndpointsProtocol" => protocol = value,
                "EndpointSuffix" => suffix = value,
                "UseDevelopmentStorage" => connection.emulator = value == "true",
                _ => {}
            }
        }
        if let (None, Some(account)) = (&connection.endpoint, &connection.account) {
            connection.endpoint = Some(format!("{protocol}://{account}.blob.{suffix}"));
        }
        connection
    }
}

fn google(place: &ObjectPlace, variables: &Variables) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::new();
    for (key, value) in variables.keys("GOOGLE_") {
        builder = builder.with_config(key, value);
    }
    // As Google's own clients do: whoever names an emulator needs no credentials.
    if let Some(host) = variables.first(&["STORAGE_EMULATOR_HOST"]) {
        let url = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        let nobody = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
        builder =
            builder.with_base_url(url.trim_end_matches('/')).with_credentials(Arc::new(nobody));
    }
    let endpoint = builder.get_config_value(&GoogleConfigKey::BaseUrl);
    plain_http(endpoint.as_deref(), "GOOGLE_ALLOW_HTTP", variables)?;
    builder = builder
        .with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), REQUEST_MAX)
        .with_retry(no_retries())
        .with_bucket_name(&place.bucket);
    Ok(Arc::new(builder.build().map_err(|e| refused(place, &e))?))
}

/// Whether plain http is wanted; refuses it where it leaves this machine and `variable` does not allow it.
fn plain_http(endpoint: Option<&str>, variable: &str, variables: &Variables) -> Result<bool> {
    let allowed = variables.is_true(variable);
    match endpoint.and_then(|endpoint| endpoint.strip_prefix("http://")) {
        None => Ok(allowed),
        Some(rest) if allowed || is_loopback(rest) => Ok(true),
        Some(rest) => {
            let text = format!("'http://{rest}' is not encrypted, and not on this machine");
            let hint = format!("name an https:// address, or set {variable}=true");
            Err(Error::user(text).with_hint(hint))
        }
    }
}

/// Of an address without its scheme.
fn is_loopback(address: &str) -> bool {
    let authority = address.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests;
