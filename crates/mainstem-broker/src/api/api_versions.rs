//! ApiVersions (18): what is spoken here. The table of the APIs is the answer.

use super::APIS;
use crate::ErrorCode;
use crate::wire::api_versions_response::ApiVersion;
use crate::wire::{ApiVersionsRequest, ApiVersionsResponse, make};

pub(super) fn handle(_request: &ApiVersionsRequest) -> ApiVersionsResponse {
    make(|response: &mut ApiVersionsResponse| response.api_keys = keys())
}

/// To clients that are newer than we are: what they may ask instead.
pub(super) fn unknown_version() -> ApiVersionsResponse {
    make(|response: &mut ApiVersionsResponse| {
        response.error_code = ErrorCode::UnsupportedVersion.code();
        response.api_keys = keys();
    })
}

fn keys() -> Vec<ApiVersion> {
    let key = |api: &super::Api| {
        make(|key: &mut ApiVersion| {
            key.api_key = api.key;
            key.min_version = *api.advertised.start();
            key.max_version = *api.advertised.end();
        })
    };
    APIS.iter().map(key).collect()
}
