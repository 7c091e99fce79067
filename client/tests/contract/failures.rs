//! The client's error type: everything that is known of a failure, and never the token. Which
//! failures the server answers is tested elsewhere.

use crate::support::{Reply, StandIn, World};
use futures::TryStreamExt;
use orgtokens_client::{Client, Error, Failure, ResponseValue, types};
use orgtokens_server::caller::Role;
use std::time::Duration;

const NOWHERE: &str = "http://127.0.0.1:1";
const HTML: &[(&str, &str)] = &[("content-type", "text/html")];

fn failure<T>(result: Result<ResponseValue<T>, Error<types::Error>>) -> Failure {
    result.err().expect("a failure").into()
}

/// Asks a stand-in for the user's tokens. Returns how that failed.
async fn list(reply: Reply) -> Failure {
    let client = Client::with_token(&StandIn::start([reply]).await.url, "secret-text").unwrap();
    failure(client.list_api_tokens().send().await)
}

/// Asks a stand-in for a new token. Returns how that failed.
async fn mint(reply: Reply) -> Failure {
    let client = Client::with_token(&StandIn::start([reply]).await.url, "secret-text").unwrap();
    failure(client.create_api_token().token_name("ci-bot").send().await)
}

#[tokio::test]
async fn a_failure_has_the_status_message_and_request_id_of_the_server() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let failure = failure(owner.client.revoke_api_token().token_name("missing").send().await);
    assert_eq!(failure.status.unwrap(), 404);
    assert_eq!(
        failure.to_string(),
        "404 Not Found: no such token, or this credential does not reach it"
    );
    assert!(failure.request_id.is_some_and(|id| uuid::Uuid::parse_str(&id).is_ok()));
    assert_eq!(failure.retry_after, None);
}

#[tokio::test]
async fn a_page_of_a_proxy_keeps_its_status_and_says_what_it_is() {
    for status in [401, 403, 429, 500, 502, 520] {
        let failure = list(Reply::Answer(status, HTML, "<h1>no</h1>")).await;
        assert_eq!(failure.status.unwrap(), status);
        assert!(failure.message.contains("text/html"), "{failure}");
    }
    let failure = list(Reply::Answer(302, &[("location", "/login")], "")).await;
    assert_eq!(failure.status.unwrap(), 302);
    let welcome = list(Reply::Answer(200, HTML, "<h1>welcome</h1>")).await;
    let start = "200 OK: the response is text/html, not this API's JSON: check the base URL";
    assert!(welcome.to_string().starts_with(start), "{welcome}");
    let other = list(Reply::Answer(200, &[], r#"{"tokens": 1}"#)).await;
    assert_eq!(other.status.unwrap(), 200);
    assert!(other.message.contains("does not match the contract"), "{other}");
}

#[tokio::test]
async fn a_response_that_breaks_off_keeps_its_status() {
    let failure = list(Reply::BreakOff(r#"{"tokens": [{"#)).await;
    assert!(failure.to_string().starts_with("200 OK: the response broke off: "), "{failure}");
    assert!(!mint(Reply::BreakOff("{")).await.outcome_unknown(), "200 says that it was made");
}

#[tokio::test]
async fn an_undocumented_status_keeps_the_sentence_of_the_server() {
    let failure = list(Reply::Answer(418, &[], r#"{"error": "a teapot", "code": 7}"#)).await;
    assert_eq!(failure.to_string(), "418 I'm a teapot: a teapot");
}

#[tokio::test]
async fn a_failure_says_how_long_to_wait() {
    let busy = |headers| Reply::Answer(429, headers, r#"{"error": "slow down"}"#);
    let seconds = list(busy(&[("retry-after", "7"), ("x-request-id", "one")])).await;
    assert_eq!(seconds.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(seconds.request_id.as_deref(), Some("one"));
    let past = list(busy(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")])).await;
    assert_eq!(past.retry_after, Some(Duration::ZERO));
    let future = list(busy(&[("retry-after", "Sat, 06 Nov 2094 08:49:37 GMT")])).await;
    assert!(future.retry_after > Some(Duration::from_secs(1_000_000)));
    let older = list(busy(&[("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT")])).await;
    assert_eq!(older.retry_after, Some(Duration::ZERO));
    let nonsense = list(busy(&[("retry-after", "soon")])).await;
    assert_eq!(nonsense.retry_after, None);
}

#[tokio::test]
async fn the_outcome_is_unknown_if_a_change_may_have_been_made() {
    let unavailable = Reply::Answer(503, &[], r#"{"error": "the outcome is unknown"}"#);
    let nonsense = Reply::Answer(503, &[("retry-after", "soon")], "{}");
    let page = Reply::Answer(200, HTML, "<h1>");
    let moved = Reply::Answer(302, HTML, "<h1>");
    let replies = [unavailable, nonsense, page, moved, Reply::Answer(504, HTML, ""), Reply::Close];
    for reply in replies {
        assert!(mint(reply.clone()).await.outcome_unknown());
        assert!(!list(reply).await.outcome_unknown(), "a list changes nothing");
    }
    let later = &[("retry-after", "0")];
    for reply in [Reply::Answer(503, later, "{}"), Reply::Answer(409, &[], "{}")] {
        assert!(!mint(reply).await.outcome_unknown());
    }
    let client = Client::with_token(NOWHERE, "secret-text").unwrap();
    let unreached = failure(client.create_api_token().token_name("ci-bot").send().await);
    assert!(!unreached.outcome_unknown());
}

#[tokio::test]
async fn a_failure_without_an_answer_says_why() {
    let client = Client::with_token(NOWHERE, "secret-text").unwrap();
    let failure = failure(client.validate_api_token().send().await);
    assert_eq!(failure.status, None);
    assert!(failure.message.to_lowercase().contains("refused"), "{}", failure.message);
}

#[tokio::test]
async fn a_refused_argument_is_named_with_the_rule_of_the_document() {
    let client = Client::with_token(NOWHERE, "secret-text").unwrap();
    let name = failure(client.revoke_api_token().token_name("a b").send().await);
    assert_eq!(name.status, None);
    let start = "token_name: `a b` is not allowed: 1 to 64 letters, digits,";
    assert!(name.message.starts_with(start), "{name}");

    let revoke = client.revoke_organization_api_token().organization_slug("my-org");
    let id = failure(revoke.token_id("orgt_a-secret-pasted-by-mistake").send().await);
    assert!(id.message.starts_with("token_id: `orgt_a-secret-pasted...` is not"), "{id}");

    let log = client.list_organization_audit_logs().organization_slug("my-org");
    for size in [0_u32, 1_001] {
        let page = failure(log.clone().page_size(size).send().await);
        assert_eq!(page.message, "page_size: use a whole number from 1 to 1000");
    }

    let mint = client.create_api_token().token_name("ci-bot");
    let group = failure(mint.body_map(|body| body.group("ä")).send().await);
    assert!(group.message.starts_with("group: `ä` is not allowed: 1 to 64 letters"), "{group}");

    let mint = client.create_organization_api_token().organization_slug("my-org");
    let missing = failure(mint.clone().send().await);
    assert_eq!(missing.message, "name: it is required, so set it");
    let missing = failure(client.create_api_token().send().await);
    assert_eq!(missing.message, "token_name: it is required, so set it");
    let expiration = failure(mint.body_map(|body| body.name("ci").expiration("30x")).send().await);
    let start = "expiration: `30x` is not allowed: a duration of weeks,";
    assert!(expiration.message.starts_with(start), "{expiration}");
    let rotate = client.rotate_organization_api_token().organization_slug("my-org");
    let rotate = rotate.token_id("clGFZ4STEe6fljpFzIum8A").body_map(|body| body.overlap("never"));
    let overlap = failure(rotate.send().await);
    let start = "overlap: `never` is not allowed: a duration of at most `7d`, such as `1h`";
    assert!(overlap.message.starts_with(start), "{overlap}");

    let add = client.add_organization_member().organization_slug("my-org");
    let role = failure(add.body_map(|body| body.username("bob").role("owner")).send().await);
    assert_eq!(
        role.message,
        "role: `owner` is not allowed: use one of `admin`, `member`, `viewer`"
    );
    let token = types::OrganizationToken::builder().scopes(["db:fly".to_owned()]);
    let scope = types::OrganizationToken::try_from(token).unwrap().parsed_scopes().unwrap_err();
    assert!(scope.message.starts_with("`db:fly` is not allowed: use one of `read`, "), "{scope}");
}

#[tokio::test]
async fn a_path_has_no_variable_that_would_name_another_path() {
    let server = StandIn::start([Reply::Close]).await;
    let client = Client::with_token(&server.url, "secret-text").unwrap();
    for slug in ["", ".", ".."] {
        let show = client.get_organization().organization_slug(slug);
        let refused = failure(show.send().await).message;
        let rule = "it is not empty, `.` or `..`";
        assert_eq!(refused, format!("organization_slug: `{slug}` is not allowed: {rule}"));
        let log = client.list_organization_audit_logs().organization_slug(slug);
        assert!(log.stream().try_next().await.is_err());
        let name = client.get_group().organization_slug("acme").group_name(slug);
        let refused = failure(name.send().await).message;
        assert!(refused.starts_with(&format!("group_name: `{slug}` is not")), "{refused}");
    }
    assert!(server.requests().is_empty());
    // Every other text is one part of the path, and the server judges it.
    for slug in ["...", "a b", "../x", "%2e%2e", "?"] {
        let show = client.get_organization().organization_slug(slug);
        assert!(failure(show.send().await).status.is_none());
        let asked = server.requests().pop().unwrap().uri().to_string();
        let variable = asked.strip_prefix("/v1/organizations/").unwrap();
        assert!(!variable.contains(['/', '?']), "{asked}");
    }
}

#[test]
fn the_client_never_shows_its_token() {
    let client = Client::with_token("http://127.0.0.1:1/", "secret-text").unwrap();
    assert!(!format!("{client:?}").contains("secret-text"));
    let failure = Client::with_token(NOWHERE, "secret\ntext").unwrap_err();
    assert!(!failure.to_string().contains("secret"), "{failure}");
}

#[tokio::test]
async fn a_list_that_is_none_is_never_taken_for_an_empty_one() {
    for reply in [Reply::Answer(200, HTML, "<p>"), Reply::BreakOff(r#"{"tokens":["#)] {
        let server = StandIn::start([reply]).await;
        let client = Client::with_token(&server.url, "secret-text").unwrap();
        let list = client.list_organization_api_tokens().organization_slug("my-org");
        let failure = failure(list.send().await);
        assert_eq!(failure.status.unwrap(), 200, "{failure}");
        assert!(failure.message.starts_with("the response "), "{failure}");
    }
}
