//! Webhooks: a real server delivers to a receiver over HTTP, on both backends.

mod receiver;

use crate::support::database::{Database, text};
use crate::support::{PATIENCE, Running, eventually};
use crate::tls::authority::Authority;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use receiver::{Received, Receiver};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TOKENS: &str = "/v1/organizations/acme/api-tokens";
const HELD_UNTIL: &str = "SELECT held_until FROM webhooks";
const THREE_DAYS: &str = "UPDATE webhook_deliveries SET queued_at = queued_at - 259200000";

/// Writes a file of settings with these webhooks, each with a URL and further lines.
fn settings(database: &Database, webhooks: &[(&str, &str, &str)]) -> PathBuf {
    let mut lines = String::new();
    for (name, url, more) in webhooks {
        let head = format!("[[webhook]]\nname = \"{name}\"\nurl = \"{url}\"");
        writeln!(lines, "{head}\nsecret = \"{SECRET}\"\n{more}").unwrap();
    }
    let path = database.folder().join("webhooks.toml");
    std::fs::write(&path, lines).unwrap();
    path
}

fn start(database: &Database, webhooks: &[(&str, &str, &str)]) -> Running {
    Running::spawn(&mut serve(database, webhooks)).unwrap()
}

fn serve(database: &Database, webhooks: &[(&str, &str, &str)]) -> Command {
    let mut command = database.command("serve");
    command.args(["--listen", "127.0.0.1:0", "--ops-listen", "0", "--config"]);
    command.arg(settings(database, webhooks));
    command
}

/// Starts a server whose log is returned too.
fn start_logging(mut command: Command, database: &Database) -> (Running, impl Fn() -> String) {
    let log = database.folder().join("log");
    command.stderr(std::fs::File::create(&log).unwrap());
    let server = Running::spawn_logging(&mut command).unwrap();
    (server, move || std::fs::read_to_string(&log).unwrap())
}

fn stop(mut server: Running) {
    server.signal(Signal::TERM);
    server.ended_within(PATIENCE).unwrap();
}

/// Mints a token with this name for the organization.
fn mint(server: &Running, owner: &str, name: &str) {
    let answer = server.ask_as(owner, "POST", TOKENS, &json!({"name": name}).to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Waits until the receiver has accepted the mints of these tokens, each once, in this order.
fn accepts(receiver: &Receiver, names: &[&str]) -> bool {
    eventually(2 * PATIENCE, || minted(&receiver.accepted()) == names)
}

fn minted(received: &[Received]) -> Vec<String> {
    let bodies = received.iter().map(Received::json);
    let minted = bodies.filter(|body| body["type"] == "user-token-create");
    minted.map(|body| body["data"]["data"]["token"]["name"].as_str().unwrap().to_owned()).collect()
}

fn set_aside(database: &Database) -> Value {
    serde_json::from_str(&database.run("webhook list", &["--format", "json"])).unwrap()
}

#[test]
fn deliveries_are_signed_ordered_and_filtered() {
    for database in Database::on_each() {
        let (all, some) = (Receiver::start(), Receiver::start());
        let filter = "organizations = [\"acme\"]\ncodes = [\"user-token-revoke\"]";
        let server = start(&database, &[("all", &all.url, ""), ("some", &some.url, filter)]);
        for name in ["a", "b", "c"] {
            mint(&server, &database.token, name);
        }
        server.ask_as(&database.token, "POST", "/v1/auth/api-tokens/own", "");
        server.ask_as(&database.token, "DELETE", "/v1/auth/api-tokens/a", "");
        assert!(eventually(PATIENCE, || all.accepted().len() == 5 && some.accepted().len() == 1));
        let received = all.accepted();
        let of_acme: Vec<_> = received.iter().map(Received::json).collect();
        let of_acme: Vec<_> =
            of_acme.iter().filter(|body| body["data"]["organization"] == "acme").collect();
        let codes: Vec<_> = of_acme.iter().map(|body| body["type"].as_str().unwrap()).collect();
        let create = "user-token-create";
        assert_eq!(codes, [create, create, create, "user-token-revoke"]);
        assert_eq!(of_acme[0]["data"]["author"], "alice");
        let log = server.ask_as(&database.token, "GET", "/v1/organizations/acme/audit-logs", "");
        let mut newest = log.json()["audit_logs"][0].clone();
        newest["organization"] = "acme".into();
        assert_eq!(of_acme[3]["data"], newest, "the entry as the API shows it");
        for message in received.iter().chain(&some.accepted()) {
            message.verify(SECRET);
        }
        assert_eq!(some.accepted()[0].json()["type"], "user-token-revoke");
        let metrics = server.ask_ops("GET", "/metrics");
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        let delivered = "orgtokens_webhook_attempts_total{webhook=\"all\",outcome=\"delivered\"} 5";
        assert!(metrics.contains(delivered), "{metrics}");
    }
}

#[test]
fn a_failed_message_is_retried_with_the_same_id_before_later_messages() {
    for database in Database::on_each() {
        let receiver = Receiver::start();
        receiver.answer_first(&[500, 503]);
        let server = start(&database, &[("a", &receiver.url, "")]);
        for name in ["a", "b"] {
            mint(&server, &database.token, name);
        }
        assert!(accepts(&receiver, &["a", "b"]));
        let all = receiver.received();
        assert_eq!(minted(&all), ["a", "a", "a", "b"]);
        assert!(
            all[1..3].iter().all(|again| again.header("webhook-id") == all[0].header("webhook-id"))
        );
        for message in &all {
            message.verify(SECRET);
        }
    }
}

#[test]
fn a_killed_server_loses_no_message() {
    for database in Database::on_each() {
        let receiver = Receiver::start();
        receiver.answer(500);
        let webhooks = [("a", &*receiver.url, "")];
        let mut server = start(&database, &webhooks);
        for name in ["a", "b"] {
            mint(&server, &database.token, name);
        }
        assert!(eventually(PATIENCE, || !receiver.received().is_empty()));
        // The last event may be only in the audit log, or already in the queue.
        mint(&server, &database.token, "c");
        server.signal(Signal::KILL);
        server.ended_within(PATIENCE).unwrap();
        receiver.answer(200);
        let _server = start(&database, &webhooks);
        assert!(accepts(&receiver, &["a", "b", "c"]));
    }
}

#[test]
fn a_dead_url_or_a_failing_organization_delays_no_others() {
    for database in Database::on_each() {
        let (receiver, dead) = (Receiver::start(), "http://127.0.0.1:1/hook");
        receiver.refuse_bodies_with("\"organization\":\"acme\"");
        database.run("organization add", &["--organization", "other", "--owner", "alice"]);
        let server = start(&database, &[("dead", dead, ""), ("good", &receiver.url, "")]);
        mint(&server, &database.token, "a");
        let other = TOKENS.replace("acme", "other");
        let answer = server.ask_as(&database.token, "POST", &other, "{\"name\": \"b\"}");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(accepts(&receiver, &["b"]));
        receiver.refuse_bodies_with("nothing");
        assert!(accepts(&receiver, &["b", "a"]));
    }
}

#[test]
fn of_two_servers_one_delivers() {
    for database in Database::on_each() {
        let receiver = Receiver::start();
        let webhooks = [("a", &*receiver.url, "")];
        let servers = [start(&database, &webhooks), start(&database, &webhooks)];
        let names: Vec<_> = (0..20).map(|number| format!("t{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            mint(&servers[number % 2], &database.token, name);
        }
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert!(accepts(&receiver, &names), "{:?}", minted(&receiver.accepted()));
        assert_eq!(receiver.received().len(), names.len(), "each arrives once");
        // The same server renews its lease.
        let holder = || database.ask::<String>("SELECT holder FROM webhooks");
        let first = holder();
        for _ in 0..2 {
            let before = database.ask::<i64>(HELD_UNTIL);
            assert!(eventually(PATIENCE, || database.ask::<i64>(HELD_UNTIL) != before));
            assert_eq!(holder(), first);
        }
        // A server that stops releases the lease, so that the other one takes over.
        let [one, two] = servers;
        stop(one);
        mint(&two, &database.token, "last");
        assert!(eventually(2 * PATIENCE, || minted(&receiver.accepted()).last().unwrap() == "last"));
        stop(two);
        assert_eq!(database.ask::<i64>(HELD_UNTIL), 0);
    }
}

#[test]
fn a_message_that_fails_for_three_days_is_set_aside_listed_and_retried() {
    for database in Database::on_each() {
        let receiver = Receiver::start();
        receiver.answer(500);
        let server = start(&database, &[("a", &receiver.url, "")]);
        mint(&server, &database.token, "a");
        assert!(eventually(PATIENCE, || !receiver.received().is_empty()));
        assert_eq!(set_aside(&database), json!({"deliveries": []}));
        database.tamper(THREE_DAYS);
        let listed = || set_aside(&database)["deliveries"].as_array().unwrap().clone();
        assert!(eventually(PATIENCE, || listed().len() == 1));
        let one = listed().remove(0);
        assert_eq!(one["failure"], "the receiver answered 500");
        assert_eq!([&one["webhook"], &one["place"]], ["a", "organization acme"]);
        assert!(
            database
                .run("check", &[])
                .contains("webhook a has 0 waiting deliveries, and 1 set aside")
        );
        // Later messages are not delayed.
        receiver.answer(200);
        mint(&server, &database.token, "b");
        assert!(accepts(&receiver, &["b"]));
        let mut unknown = database.command("webhook retry");
        let refused = unknown.args(["--id", "msg_unknown"]).output().unwrap();
        assert!(!refused.status.success() && text(&refused).contains("webhook list"));
        let retried = database.run("webhook retry", &["--webhook", "a"]);
        assert_eq!(retried, "1 delivery will be tried again\n");
        assert!(accepts(&receiver, &["b", "a"]));
        assert_eq!(one["id"], receiver.accepted()[1].header("webhook-id"));
    }
}

#[test]
fn a_redirect_is_a_failure_and_is_not_followed() {
    let (database, receiver, other) = (Database::new(), Receiver::start(), Receiver::start());
    receiver.redirect_to(&other.url);
    let server = start(&database, &[("a", &receiver.url, "")]);
    mint(&server, &database.token, "a");
    assert!(eventually(PATIENCE, || receiver.received().len() > 1), "it is tried again");
    assert!(other.received().is_empty());
    database.tamper(THREE_DAYS);
    let failure = || set_aside(&database)["deliveries"][0]["failure"].clone();
    let redirects = "the receiver answered 307, and redirects are not followed";
    assert!(eventually(PATIENCE, || failure() == redirects));
}

#[test]
fn https_certificates_are_verified_with_system_authorities_or_a_file() {
    let (database, authority) = (Database::new(), Authority::new());
    let receiver = Receiver::start_with(Some(&authority.issue(database.folder(), 1)));
    let authorities = database.folder().join("ca.pem");
    let pem = STANDARD.encode(&authority.der);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
    std::fs::write(&authorities, pem).unwrap();
    let webhooks = [("a", &*receiver.url, "")];
    let (server, log) = start_logging(serve(&database, &webhooks), &database);
    mint(&server, &database.token, "a");
    let failure = "invalid peer certificate: UnknownIssuer";
    assert!(eventually(PATIENCE, || log().contains(failure)), "{}", log());
    assert!(receiver.received().is_empty());
    stop(server);
    let mut trusting = serve(&database, &webhooks);
    let _server = Running::spawn(trusting.env("SSL_CERT_FILE", &authorities)).unwrap();
    assert!(accepts(&receiver, &["a"]));
}

#[test]
fn a_webhook_that_is_gone_from_the_settings_is_removed_and_starts_fresh_if_it_returns() {
    for database in Database::on_each() {
        let (receiver, other) = (Receiver::start(), Receiver::start());
        receiver.answer(500);
        let webhooks = [("a", &*receiver.url, ""), ("b", &*other.url, "")];
        let server = start(&database, &webhooks);
        mint(&server, &database.token, "old");
        assert!(eventually(PATIENCE, || !receiver.received().is_empty()));
        let known = || database.ask::<String>("SELECT min(name) FROM webhooks");
        // Another server delivers to it, so this one does not remove it.
        stop(start(&database, &webhooks[1..]));
        assert_eq!(known(), "a");
        stop(server);
        let (server, log) = start_logging(serve(&database, &webhooks[1..]), &database);
        let removed = "a webhook that is no longer in the settings was removed";
        assert!(log().contains(removed) && log().contains("\"waiting\":1"), "{}", log());
        assert_eq!(known(), "b");
        assert!(!database.run("check", &[]).contains("webhook a"));
        mint(&server, &database.token, "meanwhile");
        assert!(accepts(&other, &["old", "meanwhile"]));
        stop(server);
        receiver.answer(200);
        let server = start(&database, &webhooks);
        mint(&server, &database.token, "new");
        assert!(accepts(&receiver, &["new"]), "{:?}", minted(&receiver.accepted()));
    }
}

#[test]
fn an_expiry_is_announced_seven_days_and_one_day_before() {
    for database in Database::on_each() {
        let receiver = Receiver::start();
        let webhooks = [("a", &*receiver.url, "codes = [\"token-expiring\"]")];
        let server = start(&database, &webhooks);
        for (name, expiration) in
            [("week", "7d1h"), ("day", "1d1h"), ("fresh", "6d"), ("later", "9d")]
        {
            let body = json!({"name": name, "expiration": expiration}).to_string();
            assert_eq!(server.ask_as(&database.token, "POST", TOKENS, &body).status, 200);
        }
        drop(server);
        // Two hours pass.
        database.tamper(
            "UPDATE tokens SET created_at = created_at - 7200000, expires_at = expires_at - 7200000;
             UPDATE webhooks SET announced_at = announced_at - 7200000, held_until = 0",
        );
        let _server = start(&database, &webhooks);
        assert!(eventually(PATIENCE, || receiver.accepted().len() == 2));
        let messages = receiver.accepted();
        let tokens: Vec<_> =
            messages.iter().map(|message| message.json()["data"].clone()).collect();
        assert_eq!([&tokens[0]["token"]["name"], &tokens[1]["token"]["name"]], ["week", "day"]);
        for data in &tokens {
            assert_eq!([&data["token"]["owner"], &data["organization"]], ["alice", "acme"]);
            assert!(data["token"]["expires_at"].as_str().unwrap().ends_with('Z'), "{data}");
            assert_eq!(data["token"]["id"].as_str().unwrap().len(), 22);
        }
    }
}

#[test]
fn no_output_shows_a_secret() {
    let (database, receiver) = (Database::new(), Receiver::start());
    let url = format!("{}/c2VjcmV0", receiver.url);
    let webhooks = [("a", &*url, ""), ("dead", "http://127.0.0.1:1/c2VjcmV0", "")];
    let (server, shown) = start_logging(serve(&database, &webhooks), &database);
    mint(&server, &database.token, "a");
    assert!(accepts(&receiver, &["a"]));
    assert!(
        eventually(PATIENCE, || shown().contains("a webhook's delivery failed")),
        "{}",
        shown()
    );
    let mut check = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
    check.args(["config", "check", "--config"]).arg(settings(&database, &webhooks));
    let checked = text(&check.output().unwrap());
    assert!(checked.contains("[[webhook]]") && checked.contains("name = \"dead\""), "{checked}");
    let metrics = String::from_utf8(server.ask_ops("GET", "/metrics").body).unwrap();
    for output in [shown(), checked, metrics, set_aside(&database).to_string()] {
        assert!(!output.contains("c2VjcmV0") && !output.contains("MfKQ"), "{output}");
    }
}

#[test]
fn an_invalid_webhook_is_refused_by_serve_and_config_check() {
    let database = Database::new();
    let path = settings(&database, &[("a", "ftp://c2VjcmV0", "")]);
    for command in ["serve", "config check"] {
        let mut refused = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
        refused.args(command.split(' '));
        let refused = refused.arg("--config").arg(&path).output().unwrap();
        let error = text(&refused);
        assert!(
            !refused.status.success() && error.contains("webhook `a`: the url must start with"),
            "{error}"
        );
        assert!(error.contains("line 1") && !error.contains("c2VjcmV0"), "{error}");
    }
}

#[test]
fn an_entry_that_becomes_visible_late_is_delivered() {
    for database in Database::on_each().into_iter().filter(|database| !database.is_in_a_file()) {
        let receiver = Receiver::start();
        let server = start(&database, &[("a", &receiver.url, "")]);
        let open = database.open_transaction(
            "INSERT INTO audit_log (organization_id, sequence, code, message, origin, author,
             created_at, data, hash) VALUES (1, 1000000, 'user-token-create', '', 'web', 'x', 0,
             '{\"token\": {\"name\": \"late\"}}', decode(repeat('00', 32), 'hex'))",
        );
        mint(&server, &database.token, "a");
        // The audit log is read at least once between two of these times.
        for _ in 0..2 {
            let held = || database.ask::<i64>(HELD_UNTIL);
            let before = held();
            assert!(eventually(PATIENCE, || held() != before));
        }
        open.commit();
        assert!(accepts(&receiver, &["late", "a"]), "{:?}", minted(&receiver.accepted()));
    }
}
