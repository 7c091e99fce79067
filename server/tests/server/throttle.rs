//! Rate limits on bad credentials: which requests are refused, and which are not. No test sleeps or
//! measures time.

use crate::support::database::Database;
use crate::support::http::pipeline;
use crate::support::{PATIENCE, Running, eventually};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::net::{SocketAddr, TcpStream};

const PATH: &str = "/v1/auth/validate";
const RATE: [&str; 2] = ["--bad-credentials-per-second", "1"];

/// Sends this many bad credentials in a row, with these header lines. Returns the statuses.
fn send_bad(server: &Running, count: usize, headers: &[&str]) -> Vec<u16> {
    let bad = ["Authorization: Bearer orgt_bad"];
    let lines = [&bad[..], headers].concat();
    (0..count).map(|_| server.ask("GET", PATH, &lines, "").status).collect()
}

/// Returns whether a client that sends bad credentials soon receives 429. The second in which they
/// are counted may end between two of them.
fn is_throttled(server: &Running, headers: &[&str]) -> bool {
    eventually(PATIENCE, || send_bad(server, 2, headers).contains(&429))
}

/// Connects from this address of the machine.
fn connect_from(address: [u8; 4], server: &Running) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::from((address, 0))).unwrap();
    connect(&socket, &server.address).unwrap();
    socket.into()
}

/// A request with this credential, without its last, empty line.
fn head(token: &str) -> String {
    format!("GET {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n")
}

/// Sends a credential from this address. Returns the answer.
fn ask_from(address: [u8; 4], server: &Running, token: &str) -> String {
    pipeline(connect_from(address, server), &head(token), 1)
}

#[test]
fn too_many_bad_credentials_receive_429_and_a_good_one_from_that_address_too() {
    let database = Database::new();
    let server = Running::start(&database, &RATE);
    assert_eq!(send_bad(&server, 1, &[]), [401]);
    let refused = eventually(PATIENCE, || {
        send_bad(&server, 1, &[]);
        let good = server.ask_as(&database.token, "GET", PATH, "");
        assert!(good.status == 200 || good.header("retry-after") == Some("1"), "{good:?}");
        good.status == 429 && !good.error().is_empty()
    });
    assert!(refused, "a good credential is not looked up for a client above its rate");
    // A missing credential is not a bad one.
    assert_eq!(server.ask("GET", PATH, &[], "").status, 401);
    // The limit ends by itself.
    assert!(eventually(PATIENCE, || {
        server.ask_as(&database.token, "GET", PATH, "").status == 200
    }));
}

#[test]
fn a_flood_of_bad_credentials_delays_no_good_one_from_another_address() {
    const CONNECTIONS: usize = 4;
    const REQUESTS: usize = 2_500;
    let (database, other) = (Database::new(), Database::new());
    let server = Running::start(&database, &["--bad-credentials-per-second", "10"]);
    let ask_elsewhere = || ask_from([127, 0, 0, 2], &server, &database.token);
    assert!(ask_elsewhere().starts_with("HTTP/1.1 200"));
    let before = server.memory();
    let answers: Vec<String> = std::thread::scope(|scope| {
        let flood =
            || pipeline(connect_from([127, 0, 0, 3], &server), &head(&other.token), REQUESTS);
        let floods: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(flood)).collect();
        while floods.iter().any(|flood| !flood.is_finished()) {
            assert!(ask_elsewhere().starts_with("HTTP/1.1 200"));
        }
        floods.into_iter().map(|flood| flood.join().unwrap()).collect()
    });
    let count = |status: &str| answers.iter().map(|all| all.matches(status).count()).sum::<usize>();
    let (unauthorized, refused) = (count("HTTP/1.1 401"), count("HTTP/1.1 429"));
    assert_eq!(unauthorized + refused, CONNECTIONS * REQUESTS);
    // Ten in each second that the flood lasted, and at most those under way when it was spent.
    assert!((10..5_000).contains(&unauthorized), "{unauthorized}");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB");
}

#[test]
fn bad_credentials_through_a_trusted_proxy_count_for_the_client() {
    let database = Database::new();
    let trusting = [&RATE[..], &["--trusted-proxy", "127.0.0.0/8"]].concat();
    let server = Running::start(&database, &trusting);
    assert_eq!(send_bad(&server, 1, &["X-Forwarded-For: 192.0.2.1"]), [401]);
    assert_eq!(send_bad(&server, 1, &["X-Forwarded-For: 192.0.2.2"]), [401]);
    assert!(is_throttled(&server, &["X-Forwarded-For: 192.0.2.1, 192.0.2.2"]));
    let server = Running::start(&database, &RATE);
    assert!(eventually(PATIENCE, || {
        send_bad(&server, 1, &["X-Forwarded-For: 192.0.2.1"]);
        send_bad(&server, 1, &["X-Forwarded-For: 192.0.2.2"]) == [429]
    }));
}

#[test]
fn only_the_configured_header_sets_the_address_of_the_client() {
    let database = Database::new();
    let trusting = [&RATE[..], &["--trusted-proxy", "127.0.0.1"]].concat();
    let server = Running::start(&database, &trusting);
    let forged = ["Forwarded: for=198.51.100.9", "X-Forwarded-For: 192.0.2.1"];
    assert!(is_throttled(&server, &forged));
    // The proxy's own allowance is untouched.
    assert_eq!(send_bad(&server, 1, &[]), [401]);
    let named = [&trusting[..], &["--client-address-header", "Forwarded"]].concat();
    let server = Running::start(&database, &named);
    let forged = ["X-Forwarded-For: 198.51.100.9", "Forwarded: for=\"[2001:db8::1]:80\""];
    assert!(is_throttled(&server, &forged));
    assert_eq!(send_bad(&server, 1, &["Forwarded: for=192.0.2.1"]), [401]);
}
