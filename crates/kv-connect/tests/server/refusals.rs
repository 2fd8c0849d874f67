//! What is refused before the database is asked: paths, methods, tokens, versions, ids.

use denokv_proto::datapath as pb;
use prost::Message;

use crate::client::{Client, point};
use crate::running::{Running, TOKEN};

const CALLS: [&str; 4] = ["/", "/v2/snapshot_read", "/v2/atomic_write", "/v2/watch"];

#[test]
fn other_methods_and_paths() {
    let server = Running::start();
    let mut client = server.client();
    for path in CALLS {
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let answer = client.request(method, path, &[], b"").unwrap();
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some("POST")),
                "{method} {path}"
            );
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        }
    }
    for path in
        ["/v2", "/v2/", "/v2/other", "/v3/watch", "/a/b/c", "/v2/watch/x", "/%2e%2e", "/other"]
    {
        let answer = client.request("POST", path, &[], b"{}").unwrap();
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(!answer.text().is_empty());
    }
}

#[test]
fn wrong_tokens() {
    let server = Running::start();
    let longer = format!("Bearer {TOKEN}r");
    for path in CALLS {
        for (authorization, text) in [
            ("", "Malformed authorization header."),
            (TOKEN, "Malformed authorization header."),
            ("Basic c2VjcmV0", "Malformed authorization header."),
            ("Bearer", "Malformed authorization header."),
            ("Bearer wrong", "Invalid access token."),
            ("Bearer secre", "Invalid access token."),
            (&longer, "Invalid access token."),
            ("Bearer SECRET", "Invalid access token."),
        ] {
            let mut client = Client::raw(server.address);
            let headers = [("authorization", authorization)];
            let answer = client.request("POST", path, &headers, b"{}").unwrap();
            assert_eq!((answer.status, answer.text()), (401, text), "{path} {authorization}");
        }
    }
    let mut client = server.client();
    let lower = format!("bearer {TOKEN}");
    let body = br#"{"supportedVersions":[3]}"#;
    let answer = client.request("POST", "/", &[("authorization", &lower)], body).unwrap();
    assert_eq!(answer.status, 200, "schemes have no case");
}

#[test]
fn versions_and_ids() {
    let server = Running::start();
    let mut client = server.client();
    let (body, database) =
        (pb::SnapshotRead { ranges: vec![point(b"a")] }, client.database.clone());
    let body = body.encode_to_vec();
    let mut ask = |version: &str, database: &str| {
        let headers = [("x-denokv-version", version), ("x-denokv-database-id", database)];
        let answer = client.request("POST", "/v2/snapshot_read", &headers, &body).unwrap();
        (answer.status, if answer.status == 200 { String::new() } else { answer.text().to_owned() })
    };
    for version in ["2", "3"] {
        assert_eq!(ask(version, &database).0, 200, "{version}");
    }
    for version in ["", "1", "4", "three", "3 "] {
        let expected = if version == "3 " { 200 } else { 400 };
        let (status, text) = ask(version, &database);
        assert_eq!(status, expected, "{version}");
        assert!(status == 200 || text == "Expected protocol version 2 or 3.", "{text}");
    }
    for id in ["", "00000000-0000-0000-0000-000000000000", "no id", &database[1..]] {
        assert_eq!(ask("3", id), (400, "Invalid database id.".to_owned()), "{id}");
    }
    assert_eq!(ask("3", &database.to_uppercase()).0, 200);
}

#[test]
fn bodies_that_are_too_large_or_no_messages() {
    let server = Running::with(|mut options| {
        options.body_bytes_max = 1000;
        options
    });
    for call in ["snapshot_read", "atomic_write", "watch"] {
        let answer = server.client().call(call, &[0; 1001]).unwrap();
        assert_eq!(
            (answer.status, answer.text()),
            (413, "The request body is too large (max 1000 bytes)")
        );
        // Wire types that there are none of, lengths beyond the end, cut short.
        for body in [
            &b"\x0f"[..],
            b"\x0a\xff\x01",
            b"\x0a",
            b"\x0a\x05ab",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            let answer = server.client().call(call, body).unwrap();
            assert_eq!(answer.status, 400, "{body:?}");
            assert!(
                answer.text().starts_with("Request protobuf is invalid: "),
                "{}",
                answer.text()
            );
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        }
    }
    // Without a length that tells beforehand.
    let mut client = server.client();
    let (path, database) = (format!("{}/watch", client.path), client.database.clone());
    let chunks = [b"400\r\n".as_slice(), &[0; 0x400], b"\r\n0\r\n\r\n"].concat();
    let headers = [
        ("x-denokv-version", "3"),
        ("x-denokv-database-id", &*database),
        ("transfer-encoding", "chunked"),
        ("content-length", ""),
    ];
    let answer = client.request("POST", &path, &headers, &chunks).unwrap();
    assert_eq!(answer.status, 413);
}
