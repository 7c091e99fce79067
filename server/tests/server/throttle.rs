//! Too many bad credentials: which clients are refused, and which are not. No test here
//! sleeps or measures time.

use crate::support::Running;
use crate::support::database::Database;

const PATH: &str = "/v1/auth/validate";

/// The statuses of so many bad credentials in a row, sent with these header lines.
fn statuses(server: &Running, count: usize, headers: &[&str]) -> Vec<u16> {
    let bad = ["Authorization: Bearer orgt_bad"];
    let lines = [&bad[..], headers].concat();
    (0..count).map(|_| server.ask("GET", PATH, &lines, "").status).collect()
}

#[test]
fn too_many_bad_credentials_receive_429_and_a_good_one_is_served() {
    let (database, other) = (Database::new(), Database::new());
    let server = Running::start(&database, &["--bad-credentials-per-second", "1"]);
    assert_eq!(statuses(&server, 1, &[]), [401]);
    // Well formed and unknown, at once after the first: that is above the rate.
    let refused = server.ask_as(&other.token, "GET", PATH, "");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert!(!refused.error().is_empty());
    for _ in 0..20 {
        let statuses = statuses(&server, 2, &[]);
        assert!(statuses.contains(&429), "{statuses:?}");
        assert_eq!(server.ask_as(&database.token, "GET", PATH, "").status, 200);
    }
    // A missing credential is not a bad one.
    assert_eq!(server.ask("GET", PATH, &[], "").status, 401);
}

#[test]
fn a_trusted_proxy_names_the_client_of_bad_credentials() {
    let database = Database::new();
    let rate = ["--bad-credentials-per-second", "1"];
    let trusting = [&rate[..], &["--trusted-proxy", "127.0.0.0/8"]].concat();
    let server = Running::start(&database, &trusting);
    assert_eq!(statuses(&server, 1, &["X-Forwarded-For: 192.0.2.1"]), [401]);
    assert_eq!(statuses(&server, 1, &["X-Forwarded-For: 192.0.2.2"]), [401]);
    assert_eq!(statuses(&server, 1, &["X-Forwarded-For: 192.0.2.1, 192.0.2.2"]), [429]);
    let server = Running::start(&database, &rate);
    assert_eq!(statuses(&server, 1, &["X-Forwarded-For: 192.0.2.1"]), [401]);
    assert_eq!(statuses(&server, 1, &["X-Forwarded-For: 192.0.2.2"]), [429]);
}
