//! The contract and the page to try it, without a browser: when they are served, that the page loads
//! only files of this server, and the server address in the contract.

use crate::support::Running;
use crate::support::database::Database;

const CONTRACT: &str = include_str!("../../../openapi.yaml");
const PAGE: [&str; 4] = ["/docs", "/docs/page.js", "/docs/swagger-ui.css", "/openapi.yaml"];

fn start(arguments: &[&str]) -> (Running, Database) {
    let database = Database::new();
    (Running::start(&database, &[&["--docs"], arguments].concat()), database)
}

fn text(server: &Running, path: &str, headers: &[&str]) -> String {
    let answer = server.ask("GET", path, headers, "");
    assert_eq!(answer.status, 200, "{path}");
    String::from_utf8(answer.body).unwrap()
}

/// Returns the address that the contract names, as it is written there.
fn address(server: &Running, headers: &[&str]) -> String {
    let contract = text(server, "/openapi.yaml", headers);
    let line = contract.lines().find_map(|line| line.strip_prefix("  - url: "));
    line.unwrap().to_owned()
}

#[test]
fn without_docs_neither_the_contract_nor_the_page_is_served() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    for path in PAGE {
        assert_eq!(server.ask("GET", path, &[], "").status, 404, "{path}");
    }
}

#[test]
fn each_file_has_its_media_type_and_a_policy_that_allows_only_this_server() {
    let (server, _database) = start(&[]);
    for (path, kind) in PAGE.iter().chain(&["/docs/swagger-ui-bundle.js"]).zip([
        "text/html; charset=utf-8",
        "text/javascript; charset=utf-8",
        "text/css; charset=utf-8",
        "application/yaml",
        "text/javascript; charset=utf-8",
    ]) {
        let answer = server.ask("GET", path, &[], "");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").unwrap();
        let mut rules = policy.split("; ");
        assert_eq!(rules.next(), Some("default-src 'none'"));
        let sources = rules.flat_map(|rule| rule.split(' ').skip(1));
        let own = ["'none'", "'self'", "data:"];
        assert!(sources.clone().all(|source| own.contains(&source)), "{policy}");
    }
    assert_eq!(server.ask("GET", "/docs/other.js", &[], "").status, 404);
}

#[test]
fn the_page_loads_only_files_of_this_server() {
    let (server, _database) = start(&[]);
    let page = text(&server, "/docs", &[]);
    let links: Vec<_> = ["href=\"", "src=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .filter(|link| *link != "data:,")
        .collect();
    assert_eq!(links.len(), 3, "{links:?}");
    for link in links {
        assert!(text(&server, &format!("/{link}"), &[]).len() > 100, "{link}");
    }
    let program = text(&server, "/docs/page.js", &[]);
    assert!(!page.contains("//") && !program.contains("//"), "{page}{program}");
    assert!(program.contains("url: \"openapi.yaml\""), "{program}");
    assert!(program.contains("validatorUrl: null"), "{program}");
}

#[test]
fn the_contract_is_the_document_with_the_address_of_this_server() {
    let (server, _database) = start(&[]);
    let shown = text(&server, "/openapi.yaml", &[]);
    assert_eq!(shown.lines().count(), CONTRACT.lines().count());
    let changed: Vec<_> =
        shown.lines().zip(CONTRACT.lines()).filter(|(shown, line)| shown != line).collect();
    assert_eq!(
        changed,
        [
            ("  - url: \"http://localhost\"", "  - url: https://api.turso.tech"),
            ("    description: This server", "    description: Turso's Platform API"),
        ]
    );
}

#[test]
fn x_forwarded_proto_counts_only_from_a_trusted_proxy() {
    let said = ["X-Forwarded-Proto: https"];
    let (server, _database) = start(&[]);
    assert_eq!(address(&server, &said), "\"http://localhost\"");
    let (server, _database) = start(&["--trusted-proxy", "127.0.0.1"]);
    assert_eq!(address(&server, &said), "\"https://localhost\"");
    assert_eq!(address(&server, &["X-Forwarded-Proto: javascript"]), "\"http://localhost\"");
}

#[test]
fn without_a_host_the_address_is_relative() {
    let (server, _database) = start(&[]);
    let answer = server.send(b"GET /openapi.yaml HTTP/1.0\r\n\r\n");
    assert!(String::from_utf8(answer.body).unwrap().contains("\n  - url: \"/\"\n"));
}
