//! HTTPS: invalid certificates and keys, reloads, the protocol of the handshake, and unfinished
//! handshakes. Requests themselves are tested elsewhere.

#![expect(clippy::float_cmp, reason = "the numbers that are compared are whole")]

#[path = "../support/authority.rs"]
pub mod authority;

use crate::ops::metrics::scrape;
use crate::support::database::Database;
use crate::support::{PATIENCE, Running, eventually};
use authority::{Authority, Pair};
use rcgen::date_time_ymd;
use rustix::process::Signal;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

const REQUEST: &[u8] = b"GET /v1/user HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server with a pair, and the authority that issued it.
struct World {
    server: Running,
    authority: Authority,
    pair: Pair,
    database: Database,
}

/// Starts a server with these further arguments. Its pair has the serial number 1.
fn world(arguments: &[&str]) -> World {
    let (database, authority) = (Database::new(), Authority::new());
    let pair = authority.issue(database.folder(), 1);
    fs::set_permissions(&pair.key, Permissions::from_mode(0o644)).unwrap();
    let mut command = database.command("serve");
    command.args(["--listen", "127.0.0.1:0"]).args(flags(&pair)).args(arguments);
    command.stderr(File::create(database.folder().join("log")).unwrap());
    let server = Running::spawn_logging(&mut command).unwrap();
    World { server, authority, pair, database }
}

/// The arguments of `serve` that name the pair.
fn flags(pair: &Pair) -> [&str; 4] {
    let (certificate, key) = (pair.certificate.to_str(), pair.key.to_str());
    ["--tls-cert", certificate.unwrap(), "--tls-key", key.unwrap()]
}

impl World {
    fn client(&self, protocols: &[&str]) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der.clone().into()).unwrap();
        let mut config =
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        ClientConnection::new(Arc::new(config), name).unwrap()
    }

    /// Makes a handshake that offers these protocols.
    fn connect(&self, protocols: &[&str]) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let (mut client, mut socket) = (self.client(protocols), self.server.connect());
        while client.is_handshaking() {
            client.complete_io(&mut socket)?;
        }
        Ok(StreamOwned::new(client, socket))
    }

    /// Returns the serial number of the certificate on a new connection.
    fn serial(&self) -> u8 {
        serial(&self.connect(&[]).unwrap())
    }

    fn log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.database.folder().join("log")).unwrap();
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until the log has a line with this message. Returns its reason.
    fn await_line(&self, message: &str) -> String {
        let mut reason = None;
        let find = || {
            reason = self.log().into_iter().find(|line| line["msg"] == message);
            reason.is_some()
        };
        assert!(eventually(PATIENCE, find), "{message}: {:?}", self.log());
        reason.unwrap()["reason"].as_str().unwrap_or_default().to_owned()
    }
}

/// The last byte of the serial number of the server's certificate.
fn serial(stream: &StreamOwned<ClientConnection, TcpStream>) -> u8 {
    use x509_cert::der::Decode;
    let certificate = &stream.conn.peer_certificates().unwrap()[0];
    let certificate = x509_cert::Certificate::from_der(certificate).unwrap();
    *certificate.tbs_certificate.serial_number.as_bytes().last().unwrap()
}

/// Sends a request without a credential, and reads a part of its answer.
fn ask(stream: &mut (impl Read + Write)) {
    stream.write_all(REQUEST).unwrap();
    let mut bytes = [0; 4096];
    let count = stream.read(&mut bytes).unwrap();
    assert!(bytes[..count].starts_with(b"HTTP/1.1 401"));
}

/// Handshakes that wait for the client: nothing, half of its first message, all of it.
fn stuck(world: &World) -> Vec<TcpStream> {
    let mut hello = Vec::new();
    world.client(&[]).write_tls(&mut hello).unwrap();
    [&[], &hello[..hello.len() / 2], &hello[..]]
        .iter()
        .map(|bytes| {
            let mut stream = world.server.connect();
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect()
}

/// Reads until the server closes the connection. Fails if it does not.
fn await_end(mut stream: TcpStream) {
    let end = stream.read_to_end(&mut Vec::new());
    let is_reset = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionReset;
    assert!(end.as_ref().map_or_else(is_reset, |_| true), "{end:?}");
}

#[test]
fn plain_http_is_not_answered_on_an_https_address() {
    let world = world(&[]);
    assert_eq!(world.server.scheme, "https");
    ask(&mut world.connect(&[]).unwrap());
    let mut plain = world.server.connect();
    plain.write_all(REQUEST).unwrap();
    await_end(plain);
    ask(&mut world.connect(&[]).unwrap());
}

#[test]
fn the_served_contract_names_the_address_with_https() {
    let world = world(&["--docs"]);
    let mut stream = world.connect(&[]).unwrap();
    let head = b"GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(head).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\n  - url: \"https://localhost\"\n"), "{answer}");
}

#[test]
fn the_handshake_negotiates_only_http_1_1() {
    let world = world(&[]);
    let both = world.connect(&["h2", "http/1.1"]).unwrap();
    assert_eq!(both.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let refusal = world.connect(&["h2"]).expect_err("no protocol in common").to_string();
    assert!(refusal.contains("NoApplicationProtocol"), "{refusal}");
}

#[test]
fn unfinished_handshakes_are_closed_and_delay_no_others() {
    let world = world(&["--idle-timeout", "1"]);
    let stuck = stuck(&world);
    ask(&mut world.connect(&[]).unwrap());
    stuck.into_iter().for_each(await_end);
}

#[test]
fn unfinished_handshakes_count_as_connections() {
    let world = world(&["--idle-timeout", "600", "--max-connections", "2"]);
    let oldest: Vec<_> = stuck(&world);
    let _newest: Vec<_> = stuck(&world);
    oldest.into_iter().for_each(await_end);
    ask(&mut world.connect(&[]).unwrap());
}

#[test]
fn sigterm_stops_the_server_despite_unfinished_handshakes() {
    let mut world = world(&[]);
    let _stuck = stuck(&world);
    ask(&mut world.connect(&[]).unwrap());
    world.server.signal(Signal::TERM);
    assert_eq!(world.server.ended_within(PATIENCE).unwrap().code(), Some(0));
}

#[test]
fn sighup_does_not_stop_a_service_without_a_certificate() {
    let (database, folder) = (Database::new(), tempfile::tempdir().unwrap());
    let mut command = database.command("serve");
    command
        .args(["--listen", "127.0.0.1:0"])
        .stderr(File::create(folder.path().join("log")).unwrap());
    let mut server = Running::spawn_logging(&mut command).unwrap();
    server.signal(Signal::HUP);
    ask(&mut server.connect());
    server.signal(Signal::TERM);
    assert_eq!(server.ended_within(PATIENCE).unwrap().code(), Some(0));
}

#[test]
fn a_user_has_fewer_unread_lists_over_tls_because_each_takes_more_memory() {
    let world = world(&[]);
    world.database.add_tokens(120_000);
    let list =
        "GET /v1/organizations/acme/api-tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization:";
    let mut connections: Vec<_> = (0..7).map(|_| world.connect(&[]).unwrap()).collect();
    let statuses = connections.iter_mut().map(|connection| {
        write!(connection, "{list} Bearer {}\r\n\r\n", world.database.token).unwrap();
        let mut start = [0; 12];
        connection.read_exact(&mut start).unwrap();
        String::from_utf8_lossy(&start[9..]).into_owned()
    });
    let statuses: Vec<_> = statuses.collect();
    assert_eq!(statuses, ["200", "200", "200", "200", "200", "200", "503"]);
}

#[test]
fn a_new_certificate_is_served_after_sighup_and_open_connections_continue() {
    let world = world(&[]);
    let mut open = world.connect(&[]).unwrap();
    assert_eq!(serial(&open), 1);
    world.authority.issue(world.database.folder(), 2);
    world.server.signal(Signal::HUP);
    world.await_line("loaded the TLS certificate");
    assert_eq!(world.serial(), 2);
    ask(&mut open);
}

#[test]
fn the_expiry_metric_follows_a_reload_of_the_certificate() {
    let world = world(&["--ops-listen", "127.0.0.1:0"]);
    let end = || scrape(&world.server)["orgtokens_certificate_expires_timestamp_seconds"];
    // The certificates of the tests are valid until the first day of 4096.
    assert_eq!(end(), 67_090_118_400.0);
    issue(&world.authority, &world.database, 3000);
    world.server.signal(Signal::HUP);
    world.await_line("loaded the TLS certificate");
    assert_eq!(end(), 32_503_680_000.0);
    fs::write(&world.pair.key, "none").unwrap();
    world.server.signal(Signal::HUP);
    world.await_line("kept the old TLS certificate");
    assert_eq!(end(), 32_503_680_000.0);
}

#[test]
fn a_key_that_others_can_read_is_used_with_a_warning() {
    let world = world(&[]);
    let mode = |mode| fs::set_permissions(&world.pair.key, Permissions::from_mode(mode)).unwrap();
    let warnings = || world.log().into_iter().filter(|line| line["level"] == 40).count();
    let loaded = |count| {
        world.server.signal(Signal::HUP);
        let is_loaded = |line: &Value| line["msg"] == "loaded the TLS certificate";
        let is_logged = || world.log().iter().filter(|line| is_loaded(line)).count() == count;
        assert!(eventually(PATIENCE, is_logged), "{:?}", world.log());
    };
    let advice = world.await_line("others can read the TLS key");
    let expected = format!("run `chmod 600 {}`", world.pair.key.display());
    assert!(advice.contains(&expected), "{advice}");
    mode(0o640);
    loaded(1);
    assert_eq!(warnings(), 1);
    mode(0o604);
    loaded(2);
    assert_eq!(warnings(), 2);
    assert_eq!(world.serial(), 1);
}

#[test]
fn a_new_certificate_is_served_without_a_signal() {
    let world = world(&[]);
    world.authority.issue(world.database.folder(), 3);
    assert!(eventually(PATIENCE, || world.serial() == 3));
}

#[test]
fn an_invalid_new_certificate_is_logged_and_the_old_one_is_kept() {
    let world = world(&[]);
    fs::write(&world.pair.key, "none").unwrap();
    world.server.signal(Signal::HUP);
    let reason = world.await_line("kept the old TLS certificate");
    assert!(reason.contains("tls.key contains no private key"), "{reason}");
    assert_eq!(world.serial(), 1);
}

/// The ways in which a pair can be invalid.
type Damage = fn(&Authority, &Database) -> Pair;

#[test]
fn an_invalid_certificate_or_key_is_refused_at_the_start_with_the_reason() {
    let cases: [(Damage, &str); 9] = [
        (|authority, database| issue(authority, database, 2020), "tls.crt expired at 2020-01-01T"),
        (
            |authority, database| {
                let later = |params: &mut rcgen::CertificateParams| {
                    params.not_before = date_time_ymd(4000, 1, 1);
                };
                authority.issue_with(database.folder(), 1, later)
            },
            "tls.crt is valid from 4000-01-01T",
        ),
        (
            |authority, database| {
                let old = authority.issue(database.folder(), 1);
                let key = database.folder().join("other.key");
                fs::rename(old.key, &key).unwrap();
                Pair { key, ..authority.issue(database.folder(), 2) }
            },
            "other.key does not belong to the certificate in",
        ),
        (|a, d| replace(a, d, |pair| &pair.certificate, None), "cannot read"),
        (|a, d| replace(a, d, |pair| &pair.key, None), "readable file with --tls-key"),
        (
            |a, d| replace(a, d, |pair| &pair.certificate, Some("none")),
            "tls.crt contains no certificate",
        ),
        (
            |a, d| {
                let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
                replace(a, d, |pair| &pair.certificate, Some(text))
            },
            "tls.crt is malformed",
        ),
        (|a, d| replace(a, d, |pair| &pair.key, Some("none")), "tls.key contains no private key"),
        (
            |a, d| {
                let text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
                replace(a, d, |pair| &pair.key, Some(text))
            },
            "tls.key is encrypted: remove the passphrase",
        ),
    ];
    for (damage, expected) in cases {
        let database = Database::new();
        let pair = damage(&Authority::new(), &database);
        let (code, printed) = refusal(&database, &flags(&pair));
        assert!(code == Some(1) && printed.contains(expected), "{expected}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
}

/// Issues a pair that is valid until this year.
fn issue(authority: &Authority, database: &Database, year: i32) -> Pair {
    authority.issue_with(database.folder(), 1, |params| {
        params.not_after = date_time_ymd(year, 1, 1);
    })
}

/// Issues a pair, and replaces the text of one of its files or removes it.
fn replace(
    authority: &Authority,
    database: &Database,
    file: impl FnOnce(&Pair) -> &PathBuf,
    text: Option<&str>,
) -> Pair {
    let pair = authority.issue(database.folder(), 1);
    match text {
        Some(text) => fs::write(file(&pair), text).unwrap(),
        None => fs::remove_file(file(&pair)).unwrap(),
    }
    pair
}

/// Starts a server that must fail. Returns its exit code and its output.
fn refusal(database: &Database, arguments: &[&str]) -> (Option<i32>, String) {
    let printed = database.folder().join("log");
    let mut command = database.command("serve");
    command.args(["--listen", "127.0.0.1:0"]).args(arguments);
    let started = Running::spawn_logging(command.stderr(File::create(&printed).unwrap()));
    let Err(status) = started else { return (None, "it started".to_owned()) };
    (status.code(), fs::read_to_string(printed).unwrap())
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    let database = Database::new();
    let pair = Authority::new().issue(database.folder(), 1);
    for half in flags(&pair).chunks(2) {
        let (code, printed) = refusal(&database, half);
        assert!(
            code == Some(1) && printed.contains("set both --tls-cert and --tls-key"),
            "{printed}"
        );
    }
}
