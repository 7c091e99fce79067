//! The list of checks: the quickest to fail come first, the tests last. What a check looks at is its
//! command's business.

use xshell::{Shell, cmd};

use super::Check;
use postgres_cluster::{NOT_INSTALLED, is_installed};

/// Where the contract tests record their traffic, which the check after them reads.
pub const TRAFFIC: &str = "target/contract-traffic";
const REASONS: &str = "client/tests/contract/not-seen.txt";

/// Returns the checks in the order in which they run.
///
/// They share one set of features, so that nothing is built twice: with it the command line is checked.
pub fn checks(shell: &Shell) -> Vec<Check<'_>> {
    let lints = "clippy --workspace --all-features --all-targets -- --deny warnings".split(' ');
    let docs = "RUSTDOCFLAGS=--deny=warnings";
    // Many tests wait: three at once keep two cores busy.
    let nextest =
        "nextest run --workspace --all-features --no-fail-fast --test-threads 3".split(' ');
    // The tests of the PostgreSQL backend, the contract tests, and those of the program that have a
    // part over PostgreSQL.
    let over_postgres = "test(/^postgres::/)|binary(contract)|\
                         test(/^(audit|crash|operator|ops|revocation|upgrade)::/)";
    let has_nextest = cmd!(shell, "cargo nextest --version").quiet().ignore_stderr().read().is_ok();
    let (postgres, tests) = if has_nextest {
        let run = nextest.clone();
        (
            cmd!(shell, "cargo xtask postgres -- cargo {run...} -E {over_postgres}"),
            cmd!(shell, "cargo {nextest...}"),
        )
    } else {
        let packages = "--package orgtokens-server --test store --test server \
                        --package orgtokens-client --test contract"
            .split(' ');
        (
            cmd!(shell, "cargo xtask postgres -- cargo test --all-features {packages...}"),
            cmd!(shell, "cargo test --workspace --all-features --all-targets --no-fail-fast"),
        )
    };
    let readme = "--package orgtokens-server --test server -- --ignored readme".split(' ');
    vec![
        Check::new("format", cmd!(shell, "cargo fmt --all --check")),
        Check::new("lints", cmd!(shell, "cargo {lints...}")),
        Check::new(
            "docs",
            cmd!(shell, "env {docs} cargo doc --workspace --all-features --no-deps"),
        ),
        Check::new("contract", cmd!(shell, "cargo xtask diff")),
        Check::new("breaking", cmd!(shell, "cargo xtask breaking")),
        Check {
            skip: (!is_installed()).then_some(NOT_INSTALLED),
            ..Check::new("postgres", postgres)
        },
        Check::new("doc-tests", cmd!(shell, "cargo test --workspace --all-features --doc")),
        Check::new("tests", tests.env("ORGTOKENS_TEST_TRAFFIC", crate::root().join(TRAFFIC))),
        Check::new(
            "traffic",
            cmd!(shell, "cargo xtask check-traffic {TRAFFIC} --reasons {REASONS}"),
        ),
        Check {
            skip: Some("it builds another workspace: use --complete"),
            ..Check::new("readme", cmd!(shell, "cargo test {readme...}"))
        },
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_of_check_is_run() {
        let shell = crate::shell().expect("a shell");
        let names: Vec<_> = super::checks(&shell).iter().map(|check| check.name).collect();
        let expected =
            "format lints docs contract breaking postgres doc-tests tests traffic readme";
        assert_eq!(names.join(" "), expected);
    }
}
