//! The metadata exchange.

use selvedge_kv_connect::Access;

use crate::client::Client;
use crate::running::{Running, TOKEN};

const VERSIONS: &[u8] = br#"{"supportedVersions":[1,2,3]}"#;

#[test]
fn tells_where_the_data_is() {
    let server = Running::start();
    let mut client = Client::raw(server.address);
    client.token = TOKEN.to_owned();
    let answer = client.request("POST", "/", &[], VERSIONS).unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let metadata: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(metadata["version"], 3);
    assert_eq!(metadata["databaseId"], server.db.id().to_string());
    assert_eq!(metadata["endpoints"].to_string(), r#"[{"consistency":"strong","url":"/v2"}]"#);
    assert_eq!(metadata["token"], TOKEN);
    let expires = metadata["expiresAt"].as_str().unwrap();
    assert!(expires.ends_with('Z') && expires.as_bytes()[10] == b'T', "{expires}");
    assert!(metadata.get("uuid").is_none());
}

#[test]
fn the_best_version_that_both_speak_is_chosen() {
    let server = Running::start();
    let mut client = Client::raw(server.address);
    client.token = TOKEN.to_owned();
    let mut ask = |body: &str| {
        let answer = client.request("POST", "/", &[], body.as_bytes()).unwrap();
        let json = serde_json::from_slice::<serde_json::Value>(&answer.body);
        let version = json.ok().and_then(|json| json["version"].as_u64());
        (answer.status, version, answer.text().to_owned())
    };
    assert_eq!(ask(r#"{"supportedVersions":[2]}"#).1, Some(2));
    assert_eq!(ask(r#"{"supportedVersions":[3,2,7]}"#).1, Some(3));
    for (body, text) in [
        ("", "The server requires at least protocol version 2. Use Deno 1.38.0 or newer."),
        (
            r#"{"supportedVersions":[1]}"#,
            "The server could not negotiate a protocol version. The server requires protocol \
             version 2 or 3.",
        ),
        (r#"{"supportedVersions":[]}"#, "The server could not negotiate"),
        ("{", "The metadata request is invalid: "),
        ("[]", "The metadata request is invalid: "),
        (r#"{"supportedVersions":"3"}"#, "The metadata request is invalid: "),
        ("{}", "The metadata request is invalid: "),
    ] {
        let (status, version, told) = ask(body);
        assert_eq!((status, version), (400, None), "{body}");
        assert!(told.starts_with(text), "{body}: {told}");
    }
}

#[test]
fn without_a_token_anybody_may_ask() {
    let server = Running::with(|mut options| {
        options.access = Access::open();
        options
    });
    for authorization in ["", "Bearer anything", "nothing"] {
        let mut client = Client::raw(server.address);
        let headers = [("authorization", authorization)];
        let answer = client.request("POST", "/", &headers, VERSIONS).unwrap();
        assert_eq!(answer.status, 200, "{authorization}");
        let metadata: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(!metadata["token"].as_str().unwrap().is_empty(), "clients insist on one");
    }
}
