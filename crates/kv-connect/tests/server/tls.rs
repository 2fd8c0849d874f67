//! TLS.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use selvedge_kv_connect::Tls;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::running::{Running, TOKEN};

fn with_tls() -> (Running, CertificateDer<'static>) {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    assert!(Tls::open(&key, &certificate).is_err(), "the other way round");
    let tls = Tls::open(&certificate, &key).unwrap();
    let server = Running::with(|mut options| {
        options.tls = Some(tls);
        options
    });
    (server, made.cert.der().clone())
}

/// Whoever had connected and said nothing held the end up until the server cut it.
#[test]
fn a_handshake_that_does_not_come_does_not_keep_it_from_ending() {
    for server in [Running::start(), with_tls().0] {
        let silent = TcpStream::connect(server.address).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        server.stop();
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
        drop(silent);
    }
}

#[test]
fn speaks_tls() {
    let (server, certificate) = with_tls();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, TcpStream::connect(server.address).unwrap());
    let body = r#"{"supportedVersions":[3]}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("databaseId"), "{answer}");

    // Who speaks no TLS gets nothing.
    let mut plain = TcpStream::connect(server.address).unwrap();
    plain.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}
