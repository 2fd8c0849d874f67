//! The metadata exchange: which database it is, where its data is, and which version of
//! the protocol is spoken.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use selvedge::DateTime;
use serde::{Deserialize, Serialize};

use crate::database::Database;
use crate::refusal::Refusal;

/// Versions that are spoken, best first.
const VERSIONS: [u64; 2] = [3, 2];
/// How long clients go by an answer before they ask again.
const VALID: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    supported_versions: Vec<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    version: u64,
    database_id: String,
    endpoints: [Endpoint<'a>; 1],
    token: &'a str,
    expires_at: String,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    url: &'a str,
    consistency: &'a str,
}

/// The answer to a metadata request; `token` is what data requests have to bring.
pub(crate) fn answer(database: &Database, token: &str, body: &[u8]) -> Result<Bytes, Refusal> {
    // Clients of the first version send no body.
    if body.is_empty() {
        return Err(Refusal::MinimumProtocolVersion);
    }
    let request: Request = serde_json::from_slice(body)
        .map_err(|error| Refusal::InvalidMetadataRequest(error.to_string()))?;
    let version = VERSIONS.into_iter().find(|version| request.supported_versions.contains(version));
    let metadata = Metadata {
        version: version.ok_or(Refusal::NoMatchingProtocolVersion)?,
        database_id: database.id.to_string(),
        endpoints: [Endpoint { url: &database.endpoint, consistency: "strong" }],
        token,
        expires_at: DateTime::from(SystemTime::now() + VALID).to_string(),
    };
    serde_json::to_vec(&metadata).map(Bytes::from).map_err(|_| Refusal::Internal)
}
