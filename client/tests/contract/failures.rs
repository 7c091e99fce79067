//! The client's error type: a message for every failure, a status if the server answered,
//! and never the token. Which failures the server answers is tested elsewhere.

use crate::support::World;
use orgtokens_client::{Client, Failure};
use orgtokens_server::caller::Role;

#[tokio::test]
async fn a_failure_has_the_status_and_message_of_the_server() {
    let world = World::new().await;
    let owner = world.user(Role::Owner).await;
    let missing = owner.client.revoke_api_token().token_name("missing").send().await;
    let failure = Failure::from(missing.unwrap_err());
    assert_eq!(failure.status.unwrap(), 404);
    assert_eq!(failure.to_string(), "404 Not Found: no such token, or it is not yours to revoke");
}

#[tokio::test]
async fn a_failure_without_an_answer_says_why() {
    let client = Client::with_token("http://127.0.0.1:1", "secret-text").unwrap();
    let failure = Failure::from(client.validate_api_token().send().await.unwrap_err());
    assert_eq!(failure.status, None);
    assert!(failure.message.to_lowercase().contains("refused"), "{}", failure.message);
}

#[tokio::test]
async fn a_failure_before_the_request_says_which_value_is_wrong() {
    let client = Client::with_token("http://127.0.0.1:1", "secret-text").unwrap();
    let failure =
        Failure::from(client.revoke_api_token().token_name("a b").send().await.unwrap_err());
    assert_eq!(failure.status, None);
    assert!(failure.message.contains("token_name"), "{}", failure.message);
}

#[test]
fn the_client_never_shows_its_token() {
    let client = Client::with_token("http://127.0.0.1:1/", "secret-text").unwrap();
    assert!(!format!("{client:?}").contains("secret-text"));
    let failure = Client::with_token("http://127.0.0.1:1", "secret\ntext").unwrap_err();
    assert!(!failure.to_string().contains("secret"), "{failure}");
}
