//! The generated client over HTTPS, with an authority that only it trusts.

#[path = "../../../server/tests/support/authority.rs"]
mod authority;

use crate::support::World;
use authority::Authority;
use http::{HeaderMap, HeaderValue};
use orgtokens_client::Client;
use orgtokens_server::caller::Role;
use orgtokens_server::log::{Format, Log};
use orgtokens_server::server::{Server, Settings};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn the_client_reads_over_https_and_the_server_knows_it_behind_a_proxy() {
    let world = World::new().await;
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let pair = authority.issue(folder.path(), 1);
    // Else the log begins with a warning.
    fs::set_permissions(&pair.key, Permissions::from_mode(0o600)).unwrap();
    let mut settings = Settings::default();
    (settings.tls.tls_cert, settings.tls.tls_key) = (Some(pair.certificate), Some(pair.key));
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let (reader, writer) = std::io::pipe().unwrap();
    let log = Log::start(Format::Json, writer).logger();
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let service = world.server.run(async |service| service.clone());
    let server = Server::start(&settings, service, any, log).unwrap();

    let url = format!("{}://{}", server.scheme(), server.address());
    let proxied = HeaderValue::from_static("2001:db8::1");
    let http_client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_der(&authority.der).unwrap()])
        .default_headers(HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), proxied)]))
        .build()
        .unwrap();
    let owner = world.user(Role::Owner);
    let client = Client::builder(&url).token(&owner.token.unwrap()).http_client(http_client);
    let user = client.build().unwrap().get_current_user().send().await.unwrap();
    assert_eq!(user.user.username, owner.username);

    let line = BufReader::new(reader).lines().next().unwrap().unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["client"], &line["status"]), (&"2001:db8::1".into(), &200.into()), "{line}");
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
}
