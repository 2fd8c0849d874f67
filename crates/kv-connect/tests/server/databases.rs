//! Several databases behind one address.

use crate::client::Client;
use crate::running::{Running, TOKEN};

#[test]
fn databases_do_not_mix() {
    let server = Running::with(|mut options| {
        options.create_databases = true;
        options
    });
    let connect = |path| Client::connect(server.address, path, TOKEN).unwrap();
    let (mut default, mut shop, mut blog) = (connect("/"), connect("/shop"), connect("/blog/"));
    assert_eq!((shop.path.as_str(), blog.path.as_str()), ("/shop/v2", "/blog/v2"));
    assert!(shop.database != blog.database && shop.database != default.database);
    assert_eq!(connect("/shop").database, shop.database);
    for (client, value) in [(&mut default, b"1"), (&mut shop, b"2"), (&mut blog, b"3")] {
        client.set(b"k", value);
    }
    for (client, value) in [(&mut default, b"1"), (&mut shop, b"2"), (&mut blog, b"3")] {
        assert_eq!(client.get(b"k").unwrap().value, value);
    }
    let shop_id = shop.database.clone();
    shop.path = "/blog/v2".to_owned();
    let answer = shop.read(vec![]).unwrap();
    assert_eq!((answer.status, answer.text()), (400, "Invalid database id."));

    // What the Rust API calls a keyspace.
    let value = server.db.keyspace("shop").unwrap().get(b"k").unwrap().unwrap();
    assert_eq!(value.bytes(), b"2");

    let strict = Running::of(server.db.clone(), |options| options);
    let connect = |path| Client::connect(strict.address, path, TOKEN).unwrap();
    assert_eq!(connect("/shop").database, shop_id, "made before");
    let mut client = connect("/");
    let answer = client.request("POST", "/news", &[], br#"{"supportedVersions":[3]}"#).unwrap();
    assert_eq!((answer.status, answer.text()), (404, "There is no database \"news\" here."));
    let answer = client.request("POST", "/news/v2/watch", &[], b"").unwrap();
    assert_eq!(answer.status, 404);
    let mut stranger = Client::raw(strict.address);
    for path in ["/shop", "/news"] {
        let answer = stranger.request("POST", path, &[], b"").unwrap();
        assert_eq!(answer.status, 401, "who has no token does not learn which there are");
    }
}
