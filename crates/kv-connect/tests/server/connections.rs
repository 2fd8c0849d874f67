//! Clients that are slow, silent, half there, or many.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use prost::Message;

use crate::client::{Client, point, set};
use crate::running::Running;

fn impatient() -> Running {
    Running::with(|mut options| {
        options.header_time = Duration::from_millis(700);
        options.body_time = Duration::from_millis(700);
        options
    })
}

/// How long until the server hangs up.
fn hung_up_after(mut stream: TcpStream) -> Duration {
    let start = Instant::now();
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let mut rest = Vec::new();
    // A reset will do, too.
    let _ = stream.read_to_end(&mut rest);
    start.elapsed()
}

#[test]
fn who_says_nothing_or_little_is_hung_up_on() {
    let server = impatient();
    let h2_begun = b"PRI * HTTP/2.0\r\n";
    for begun in [&b""[..], b"P", b"POST / HT", b"POST / HTTP/1.1\r\nhost: x\r\n", h2_begun] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(begun).unwrap();
        let after = hung_up_after(stream);
        assert!(after < Duration::from_secs(10), "{begun:?}: {after:?}");
    }
    let client = server.client();
    let after = hung_up_after(client.stream.into_inner());
    assert!(after < Duration::from_secs(10), "idle behind a request: {after:?}");
}

#[test]
fn a_body_that_does_not_come() {
    let server = impatient();
    let mut client = server.client();
    let (path, database) = (format!("{}/atomic_write", client.path), client.database.clone());
    let headers = [
        ("x-denokv-version", "3"),
        ("x-denokv-database-id", &*database),
        ("content-length", "1000"),
    ];
    client.send("POST", &path, &headers, b"some").unwrap();
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.text()), (408, "The request body did not arrive in time."));
}

#[test]
fn a_body_that_breaks_off_applies_nothing() {
    let server = Running::start();
    let mut client = server.client();
    let mutations = vec![set(b"a", b"1"), set(b"b", b"2")];
    let write = denokv_proto::datapath::AtomicWrite { mutations, ..Default::default() };
    let body = write.encode_to_vec();
    let (path, database) = (format!("{}/atomic_write", client.path), client.database.clone());
    let length = body.len().to_string();
    let headers = [
        ("x-denokv-version", "3"),
        ("x-denokv-database-id", &*database),
        ("content-length", &*length),
    ];
    // The first mutation is there, as a whole message.
    client.send("POST", &path, &headers, &body[..body.len() / 2]).unwrap();
    client.stream.get_ref().shutdown(Shutdown::Both).unwrap();
    let mut other = server.client();
    assert!(other.get(b"a").is_none() && other.get(b"b").is_none());
}

#[test]
fn a_socket_that_is_half_closed_is_answered() {
    let server = Running::start();
    let mut client = server.client();
    let (path, database) = (format!("{}/snapshot_read", client.path), client.database.clone());
    let headers = [("x-denokv-version", "3"), ("x-denokv-database-id", &*database)];
    let body = denokv_proto::datapath::SnapshotRead { ranges: vec![point(b"a")] }.encode_to_vec();
    client.send("POST", &path, &headers, &body).unwrap();
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer().unwrap().status, 200);
}

#[test]
fn many_requests_on_one_connection_without_waiting() {
    let server = Running::start();
    let mut client = server.client();
    let (path, database) = (format!("{}/atomic_write", client.path), client.database.clone());
    let headers = [("x-denokv-version", "3"), ("x-denokv-database-id", &*database)];
    for i in 0..100_u8 {
        let mutations = vec![set(b"k", &[i])];
        let write = denokv_proto::datapath::AtomicWrite { mutations, ..Default::default() };
        client.send("POST", &path, &headers, &write.encode_to_vec()).unwrap();
    }
    for _ in 0..100 {
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(client.get(b"k").unwrap().value, [99], "in their order");
}

#[test]
fn many_idle_connections_keep_nobody_waiting() {
    let server = Running::start();
    let idle: Vec<Client> = (0..200).map(|_| server.client()).collect();
    let watching: Vec<Client> = (0..200_u8)
        .map(|i| {
            let mut client = server.client();
            client.watch(&[&[i]]);
            client.update().unwrap();
            client
        })
        .collect();
    let mut client = server.client();
    client.set(&[7], b"1");
    assert_eq!(client.get(&[7]).unwrap().value, b"1");
    for (i, mut client) in watching.into_iter().enumerate() {
        if i == 7 {
            assert!(client.update().is_some());
        }
    }
    for mut client in idle {
        assert!(client.get(&[7]).is_some());
    }
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let server = Running::with(|mut options| {
        options.connections_max = 3;
        options
    });
    let mut held: Vec<Client> = (0..3).map(|_| server.client()).collect();
    let after = hung_up_after(TcpStream::connect(server.address).unwrap());
    assert!(after < Duration::from_secs(10));
    held.pop();
    let start = Instant::now();
    while Client::connect(server.address, "/", crate::running::TOKEN).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "room again");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn requests_under_way_end_before_the_server_does() {
    let server = Running::start();
    let address = server.address;
    let workers: Vec<_> = (0..8_u8)
        .map(|worker| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address, "/", crate::running::TOKEN).unwrap();
                let mut answered = 0_u32;
                // Until the connection ends; what was begun must have been answered.
                loop {
                    let mutations = vec![set(&[worker], &answered.to_le_bytes())];
                    let write =
                        denokv_proto::datapath::AtomicWrite { mutations, ..Default::default() };
                    match client.write(&write) {
                        Ok(answer) if answer.status == 200 => answered += 1,
                        Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
                        Err(_) => return answered,
                    }
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    server.stop();
    for worker in workers {
        assert!(worker.join().unwrap() > 0);
    }
}

/// Each connection could send all but the end of a body of the largest size: a hundred of
/// them held 200 MB, and nothing limited their number but that of connections.
#[test]
fn bodies_under_way_have_so_much_room_and_no_more() {
    let server = Running::with(|mut options| {
        options.request_bytes_max = 100_000;
        options
    });
    let mut other = server.client();
    let (path, database) = (format!("{}/atomic_write", other.path), other.database.clone());
    let headers = [
        ("x-denokv-version", "3"),
        ("x-denokv-database-id", &*database),
        ("content-length", "90000"),
    ];
    let mutations = vec![set(b"k", &[7; 50_000])];
    let large = denokv_proto::datapath::AtomicWrite { mutations, ..Default::default() };
    let until = Instant::now() + Duration::from_secs(20);
    let (slow, refused) = loop {
        let mut slow = server.client();
        slow.send("POST", &path, &headers, &[0; 80_000]).unwrap();
        // If that has not arrived by now, it is the one that finds no room.
        thread::sleep(Duration::from_millis(50));
        let answer = other.write(&large).unwrap();
        if answer.status != 200 {
            break (slow, answer);
        }
        assert!(Instant::now() < until, "there is room for everything");
    };
    assert_eq!(refused.status, 503);
    assert!(refused.text().ends_with("bytes of requests are under way"), "{}", refused.text());
    let mut other = server.client();
    other.set(b"small", b"value");
    drop(slow);
    while other.write(&large).map_or(true, |answer| answer.status != 200) {
        assert!(Instant::now() < until, "what nobody sends is held for ever");
        other = server.client();
    }
}
