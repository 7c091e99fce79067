//! How a client is set up: what its requests carry, and when they are sent again.

use crate::support::{Reply, StandIn};
use http::header::{AUTHORIZATION, USER_AGENT};
use orgtokens_client::{Client, Failure};
use std::time::Duration;

const EXPIRY: Reply = Reply::Answer(200, &[], r#"{"exp": -1}"#);
const REVOKED: Reply = Reply::Answer(200, &[], r#"{"token": "ci-bot"}"#);
const LATER: Reply = Reply::Answer(503, &[("retry-after", "0")], r#"{"error": "later"}"#);
const UNKNOWN: Reply = Reply::Answer(503, &[], r#"{"error": "the outcome is unknown"}"#);

async fn with_retries(replies: impl IntoIterator<Item = Reply>) -> (StandIn, Client) {
    let server = StandIn::start(replies).await;
    let client = Client::builder(&server.url).retries(2).build().unwrap();
    (server, client)
}

#[test]
fn a_base_url_that_cannot_be_one_is_refused_with_a_sentence() {
    for (url, says) in [
        ("https://api.turso.tech/v1", "leave /v1 out"),
        ("https://api.turso.tech/v1/", "leave /v1 out"),
        ("api.turso.tech", "scheme and host"),
        ("ftp://api.turso.tech", "scheme and host"),
        ("https://api.turso.tech?x", "scheme and host"),
    ] {
        let failure = Client::builder(url).build().unwrap_err();
        assert!(failure.message.contains(says), "{url}: {failure}");
    }
    for url in ["https://api.turso.tech/", "http://localhost:8080", "http://a/path/v10"] {
        Client::builder(url).build().unwrap();
    }
}

#[tokio::test]
async fn every_request_carries_the_token_and_the_user_agent() {
    let server = StandIn::start([EXPIRY]).await;
    let own = reqwest::Client::builder().user_agent("own").build().unwrap();
    let plain = Client::builder(&format!("{}/", server.url));
    let own = plain.clone().token("secret-text").http_client(own);
    for builder in [own.clone().user_agent("deploy/1.0"), own, plain] {
        builder.build().unwrap().validate_api_token().send().await.unwrap();
    }
    let requests = server.requests();
    let sent = |name| {
        let values = requests.iter().map(|request| request.headers().get(&name));
        values.map(|value| value.map_or("", |value| value.to_str().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(sent(AUTHORIZATION), ["Bearer secret-text", "Bearer secret-text", ""]);
    let ours = concat!("orgtokens-client/", env!("CARGO_PKG_VERSION"));
    assert_eq!(sent(USER_AGENT), ["deploy/1.0", "own", ours]);
    assert!(requests.iter().all(|request| request.uri() == "/v1/auth/validate"));
}

#[tokio::test]
async fn a_request_ends_with_its_time_limit() {
    let server = StandIn::start([Reply::Hang]).await;
    let client = Client::builder(&server.url).timeout(Duration::from_millis(1)).build().unwrap();
    let failure = Failure::from(client.validate_api_token().send().await.unwrap_err());
    assert!(failure.message.contains("timed out"), "{failure}");
}

#[tokio::test]
async fn a_read_is_sent_again_after_a_passing_failure() {
    let (server, client) = with_retries([LATER, Reply::Close, EXPIRY]).await;
    client.validate_api_token().send().await.unwrap();
    assert_eq!(server.requests().len(), 3);

    let (server, client) = with_retries([Reply::BreakOff("{"), EXPIRY]).await;
    client.validate_api_token().send().await.unwrap();
    assert_eq!(server.requests().len(), 2);

    let (server, client) = with_retries([LATER]).await;
    let failure = Failure::from(client.validate_api_token().send().await.unwrap_err());
    assert_eq!((failure.status.unwrap().as_u16(), server.requests().len()), (503, 3));

    let forbidden = Reply::Answer(403, &[], r#"{"error": "no"}"#);
    let (server, client) = with_retries([forbidden]).await;
    client.validate_api_token().send().await.unwrap_err();
    assert_eq!(server.requests().len(), 1, "a refusal does not pass");
}

#[tokio::test]
async fn a_change_is_sent_again_only_if_the_server_asks_for_it() {
    let (server, client) = with_retries([LATER, REVOKED]).await;
    client.revoke_api_token().token_name("ci-bot").send().await.unwrap();
    assert_eq!(server.requests().len(), 2);
    for reply in [UNKNOWN, Reply::Close, Reply::Answer(502, &[], "")] {
        let (server, client) = with_retries([reply, REVOKED]).await;
        let revoked = client.revoke_api_token().token_name("ci-bot").send().await;
        assert!(Failure::from(revoked.unwrap_err()).outcome_unknown());
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn no_operation_that_gives_a_secret_is_sent_again() {
    let (server, client) = with_retries([LATER]).await;
    let create = client.create_organization_api_token().organization_slug("acme");
    create.body_map(|body| body.name("ci")).send().await.unwrap_err();
    assert_eq!(server.requests().len(), 1);
    let rotate = client.rotate_organization_api_token().organization_slug("acme");
    rotate.token_id("clGFZ4STEe6fljpFzIum8A").send().await.unwrap_err();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_mint_is_never_sent_again() {
    let minted = Reply::Answer(200, &[], r#"{"name": "ci-bot", "id": "id", "token": "t"}"#);
    for reply in [LATER, UNKNOWN, Reply::Close, Reply::BreakOff("{")] {
        let (server, client) = with_retries([reply, minted.clone()]).await;
        client.create_api_token().token_name("ci-bot").send().await.unwrap_err();
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_wait_longer_than_the_time_limit_is_left_to_the_caller() {
    let hour = Reply::Answer(429, &[("retry-after", "3600")], r#"{"error": "slow down"}"#);
    let (server, client) = with_retries([hour]).await;
    let failure = Failure::from(client.validate_api_token().send().await.unwrap_err());
    assert_eq!(failure.retry_after, Some(Duration::from_hours(1)));
    assert_eq!(server.requests().len(), 1);
}
