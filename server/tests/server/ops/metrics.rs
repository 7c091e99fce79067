//! The metrics: each one counts the right events, and those of the dashboard and the alerts exist.

use super::{OPS, start};
use crate::support::database::Database;
use crate::support::{PATIENCE, Running, eventually};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;

/// Without last use, whose writes would count as changes.
const WITHOUT_LAST_USE: [&str; 3] = [OPS[0], OPS[1], "--no-last-use"];
/// The header of Prometheus 2.42.
const OPENMETRICS: &str = "Accept: application/openmetrics-text;version=1.0.0,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n";

/// Returns the samples, by name and labels as they are written.
pub fn scrape(server: &Running) -> BTreeMap<String, f64> {
    let samples = exposition(server);
    let samples = samples.lines().filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    samples.map(pair).collect()
}

/// Returns the text of the metrics.
fn exposition(server: &Running) -> String {
    exposition_as(server, OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8")
}

/// Requests the metrics with this header line. The answer must have this media type.
fn exposition_as(server: &Running, accept: &str, kind: &str) -> String {
    let answer = server.ask_ops_with("GET", "/metrics", accept);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some(kind), "{accept}");
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(text.ends_with("\n# EOF\n"), kind.contains("openmetrics"), "{text}");
    text
}

#[test]
fn without_openmetrics_in_accept_the_older_text_format_is_returned() {
    let database = Database::new();
    let server = start(&database);
    server.ask("GET", "/v1/auth/validate", &[], "");
    for accept in ["", "Accept: */*\r\n", "Accept: text/plain;version=0.0.4\r\n"] {
        let text = exposition_as(&server, accept, "text/plain; version=0.0.4; charset=utf-8");
        // In this format a counter has the name of its samples.
        assert!(text.contains("\n# TYPE orgtokens_requests_total counter\n"), "{text}");
        assert!(text.contains("\norgtokens_requests_total{operation="), "{text}");
        assert!(text.contains("\n# TYPE orgtokens_ready gauge\n"), "{text}");
    }
}

/// Returns the names of all possible samples, also of metrics without a value.
fn names(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let names = types.flat_map(|(name, kind)| {
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_count", "_sum"],
            "info" => &["_info"],
            kind => panic!("{kind}"),
        };
        suffixes.iter().map(move |suffix| format!("{name}{suffix}"))
    });
    names.collect()
}

#[test]
fn requests_are_counted_by_operation_and_status_and_timed() {
    for database in Database::on_each() {
        let server = start(&database);
        let before = scrape(&server);
        assert!(!before.keys().any(|name| name.contains("operation=")), "{before:?}");
        for _ in 0..3 {
            server.ask_as(&database.token, "GET", "/v1/auth/validate", "");
        }
        server.ask("GET", "/v1/auth/validate", &[], "");
        server.ask_as(&database.token, "GET", "/v1/organizations/acme/api-tokens", "");
        server.ask_as(&database.token, "GET", "/v1/current-user", "");
        server.ask("GET", "/no-such-path-with-a-secret", &[], "");
        let after = scrape(&server);
        for (operation, status, count) in [
            ("validateAPIToken", 200, 3.0),
            ("validateAPIToken", 401, 1.0),
            ("listOrganizationAPITokens", 200, 1.0),
            ("compat_get_user", 200, 1.0),
            ("-", 404, 1.0),
        ] {
            let labels = format!("{{operation=\"{operation}\",status=\"{status}\"}}");
            assert_eq!(after[&format!("orgtokens_requests_total{labels}")], count, "{labels}");
        }
        let requests = after.keys().filter(|name| name.starts_with("orgtokens_requests_total"));
        assert_eq!(requests.count(), 5);
        let duration = |part: &str| after[&format!("orgtokens_request_duration_seconds_{part}")];
        let validate = "operation=\"validateAPIToken\"";
        assert_eq!(duration(&format!("count{{{validate}}}")), 4.0);
        assert_eq!(duration(&format!("bucket{{le=\"+Inf\",{validate}}}")), 4.0);
        assert!(duration(&format!("bucket{{le=\"0.00005\",{validate}}}")) < 4.0);
        assert!(duration(&format!("bucket{{le=\"10.0\",{validate}}}")) > 0.0);
        let sum = duration(&format!("sum{{{validate}}}"));
        assert!(sum > 0.0 && sum < PATIENCE.as_secs_f64(), "{sum}");
        assert!(!exposition(&server).contains("secret"));
    }
}

#[test]
fn commits_live_tokens_and_the_pool_are_counted_on_each_backend() {
    for database in Database::on_each() {
        let server = Running::start(&database, &WITHOUT_LAST_USE);
        let is_live = |count| has_live_tokens(&server, count);
        assert!(is_live(1.0));
        for name in ["one", "two"] {
            let path = format!("/v1/auth/api-tokens/{name}");
            assert_eq!(server.ask_as(&database.token, "POST", &path, "{}").status, 200);
        }
        // A mint that is refused commits nothing.
        let again = server.ask_as(&database.token, "POST", "/v1/auth/api-tokens/one", "{}");
        assert_eq!(again.status, 409);
        assert!(is_live(3.0));
        let samples = scrape(&server);
        let pool = samples.get("orgtokens_pool_size").copied();
        if database.is_in_a_file() {
            assert_eq!(pool, None);
        } else {
            let [busy, idle] = ["busy", "idle"].map(|n| samples[&format!("orgtokens_pool_{n}")]);
            assert_eq!((pool, samples["orgtokens_pool_timeouts_total"]), (Some(16.0), 0.0));
            assert!(busy + idle > 0.0 && busy + idle <= 16.0, "{busy} {idle}");
        }
        let commits = ["s_total", "_changes_count", "_changes_sum", "_changes_bucket{le=\"1.0\"}"];
        for name in commits.map(|name| format!("orgtokens_commit{name}")) {
            assert_eq!(samples[&name], 2.0, "{name}");
        }
        database.tamper("UPDATE tokens SET expires_at = 1 WHERE name = 'two'");
        assert!(is_live(2.0));
    }
}

fn has_live_tokens(server: &Running, count: f64) -> bool {
    eventually(PATIENCE, || scrape(server).get("orgtokens_live_tokens") == Some(&count))
}

#[test]
fn many_live_tokens_are_counted_completely() {
    let database = Database::new();
    let server = start(&database);
    // They are counted in parts of 2,048: with the first one, these are whole parts, and then more.
    database.add_tokens(2 * 2_048 - 1);
    assert!(has_live_tokens(&server, 4_096.0));
    database.tamper("DELETE FROM tokens WHERE position % 2 = 0");
    database.tamper("UPDATE tokens SET position = position * 1000");
    assert!(has_live_tokens(&server, 2_048.0));
    database.tamper("DELETE FROM tokens");
    assert!(has_live_tokens(&server, 0.0));
}

#[test]
fn an_exhausted_pool_is_shown_as_busy_and_its_timeouts_are_counted() {
    for database in Database::on_each().into_iter().filter(|database| !database.is_in_a_file()) {
        let server = Running::start(&database, &[&OPS[..], &["--pool-size", "1"]].concat());
        let lock = "BEGIN; LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT";
        // Validations could share one connection.
        let path = "/v1/organizations/acme/members";
        let ask = || server.ask_as(&database.token, "GET", path, "").status;
        let is_busy = || {
            thread::scope(|scope| {
                let holder = scope.spawn(|| database.tamper(lock));
                let mut is_busy = false;
                while !holder.is_finished() {
                    let asked: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
                    is_busy |= asked.into_iter().any(|status| status.join().unwrap() == 503);
                }
                is_busy
            })
        };
        // Repeated, because the requests may not overlap the first lock.
        assert!(eventually(PATIENCE, is_busy));
        assert!(scrape(&server)["orgtokens_pool_timeouts_total"] > 0.0);
        assert_eq!(scrape(&server)["orgtokens_pool_size"], 1.0);
    }
}

#[test]
fn changes_that_share_a_commit_are_counted_as_one_batch() {
    let database = Database::new();
    let server = Running::start(&database, &WITHOUT_LAST_USE);
    let mut minted = 0;
    let has_shared = eventually(PATIENCE, || {
        thread::scope(|scope| {
            for index in minted..minted + 8 {
                let path = format!("/v1/auth/api-tokens/t{index}");
                let mint = move |server: &Running, token: &str| {
                    assert_eq!(server.ask_as(token, "POST", &path, "{}").status, 200);
                };
                let (server, token) = (&server, &database.token);
                scope.spawn(move || mint(server, token));
            }
        });
        minted += 8;
        let samples = scrape(&server);
        assert_eq!(samples["orgtokens_commit_changes_sum"], f64::from(minted));
        assert_eq!(samples["orgtokens_commits_total"], samples["orgtokens_commit_changes_count"]);
        let alone = samples["orgtokens_commit_changes_bucket{le=\"1.0\"}"];
        alone < samples["orgtokens_commits_total"]
    });
    assert!(has_shared, "no two of {minted} mints shared a commit");
}

#[test]
fn credentials_that_are_refused_or_throttled_are_counted() {
    let database = Database::new();
    let limit = ["--bad-credentials-per-second", "1"];
    let server = Running::start(&database, &[&OPS[..], &limit].concat());
    let counts = || {
        let samples = scrape(&server);
        ["refused", "throttled"].map(|what| samples[&format!("orgtokens_credentials_{what}_total")])
    };
    // No credential, and a good one.
    server.ask("GET", "/v1/auth/validate", &[], "");
    server.ask_as(&database.token, "GET", "/v1/auth/validate", "");
    assert_eq!(counts(), [0.0, 0.0]);
    let mut statuses = BTreeMap::<u16, f64>::new();
    assert!(eventually(PATIENCE, || {
        let status = server.ask_as("orgt_bad", "GET", "/v1/auth/validate", "").status;
        *statuses.entry(status).or_default() += 1.0;
        status == 429
    }));
    let [refused, throttled] = counts();
    // A credential above the limit is refused before it is looked up.
    assert_eq!([refused, throttled], [statuses[&401], statuses[&429]]);
}

#[test]
fn every_metric_of_the_dashboard_and_the_alerts_exists_and_every_metric_is_used() {
    let database = Database::new();
    let server = start(&database);
    let names = names(&exposition(&server));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let alerts: Value = serde_saphyr::from_str(&read("alerts.yml")).unwrap();
    let mut used = BTreeSet::new();
    for (file, document, least) in [("grafana.json", dashboard, 20), ("alerts.yml", alerts, 10)] {
        let expressions = expressions(&document);
        assert!(expressions.len() >= least, "{file}: {expressions:?}");
        for expression in expressions {
            let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words.filter(|word| word.starts_with("orgtokens_")) {
                assert!(names.contains(word), "{file} asks for {word}: {expression}");
                used.insert(word.to_owned());
            }
        }
    }
    let is_used = |name: &&String| {
        let family = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
        used.contains(*name)
            || family.is_some_and(|family| used.contains(&format!("{family}_bucket")))
    };
    let unused: Vec<_> = names.iter().filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "neither shown nor watched: {unused:?}");
}

/// Returns every expression of a document, however deep.
fn expressions(document: &Value) -> Vec<&str> {
    match document {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                // A query is that of a variable of the dashboard.
                ("expr" | "query", Value::String(text)) => vec![text.as_str()],
                _ => expressions(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}
