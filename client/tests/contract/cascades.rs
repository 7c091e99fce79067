//! Cascades: deleting a group or removing a member revokes the tokens bound to it, at once
//! and for good. Tokens that are bound elsewhere must survive.

use crate::support::{Actor, Binding, World, name};
use http::{Method, StatusCode};
use orgtokens_server::caller::Role;
use orgtokens_server::scope::RequestedScope;
use serde_json::json;

const GROUPS: &str = "/v1/organizations/acme/groups";
const MEMBERS: &str = "/v1/organizations/acme/members";

async fn is_alive(actor: &Actor) -> bool {
    actor.get("/v1/auth/validate").await.status == StatusCode::OK
}

#[tokio::test]
async fn deleting_a_group_revokes_its_tokens_and_a_new_group_of_that_name_inherits_none() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let bound = world.actor(Role::Admin, Binding::Group(&[RequestedScope::FullAccess]));
    let other = world.actor(Role::Admin, Binding::Organization("acme"));
    assert!(is_alive(&bound).await);
    let deleted = owner.send(Method::DELETE, &format!("{GROUPS}/default"), None).await;
    assert_eq!(deleted.status, StatusCode::OK);
    assert!(!is_alive(&bound).await && is_alive(&other).await);

    let again = json!({"name": "default", "location": "lhr"});
    let made = owner.send(Method::POST, GROUPS, Some(again)).await.json();
    assert_ne!(made["group"]["uuid"], deleted.json()["group"]["uuid"]);
    assert!(!is_alive(&bound).await);
    let list = owner.get("/v1/organizations/acme/api-tokens").await.json();
    assert_eq!(list["tokens"].as_array().unwrap().len(), 1, "the organization-bound one is left");
}

#[tokio::test]
async fn removing_a_member_revokes_the_tokens_bound_there_and_adding_back_revives_none() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let grouped = world.actor(Role::Admin, Binding::Group(&[RequestedScope::Read]));
    let bound = world.actor(Role::Member, Binding::Organization("acme"));
    let elsewhere = world.actor(Role::Member, Binding::Organization("globex"));
    let unrestricted = world.user(Role::Member);
    for actor in [&grouped, &bound, &elsewhere, &unrestricted] {
        let path = format!("{MEMBERS}/{}", actor.username);
        assert_eq!(owner.send(Method::DELETE, &path, None).await.status, StatusCode::OK);
    }
    assert!(!is_alive(&grouped).await && !is_alive(&bound).await);
    assert!(is_alive(&elsewhere).await, "bound to another organization");
    assert!(is_alive(&unrestricted).await, "bound to none");
    let gone = unrestricted.get("/v1/organizations/acme").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);

    for actor in [&grouped, &bound] {
        let back = json!({"username": actor.username, "role": "admin"});
        assert_eq!(owner.send(Method::POST, MEMBERS, Some(back)).await.status, StatusCode::OK);
        assert!(!is_alive(actor).await);
    }
    let list = owner.get("/v1/organizations/acme/api-tokens").await.json();
    assert!(list["tokens"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_member_who_leaves_with_a_bound_token_gets_an_answer_and_the_token_is_revoked() {
    let world = World::new().await;
    let leaver = world.actor(Role::Viewer, Binding::Organization("acme"));
    let left = leaver.send(Method::DELETE, &format!("{MEMBERS}/{}", leaver.username), None).await;
    assert_eq!(left.json(), json!({"member": leaver.username}));
    assert!(!is_alive(&leaver).await);
}

#[tokio::test]
async fn a_token_that_revokes_itself_gets_an_answer_and_is_revoked() {
    let world = World::new().await;
    let bound = world.actor(Role::Member, Binding::Organization("acme"));
    let revoked = bound.send(Method::DELETE, "/v1/auth/api-tokens/bound", None).await;
    assert_eq!(revoked.json(), json!({"token": "bound"}));
    assert!(!is_alive(&bound).await);
}

#[tokio::test]
async fn a_lower_role_limits_the_tokens_that_were_minted_before() {
    let world = World::new().await;
    let bound = world.actor(Role::Owner, Binding::Organization("acme"));
    assert_eq!(bound.get("/v1/organizations/acme/audit-logs").await.status, StatusCode::OK);
    world.set_role("acme", &name(&bound.username), Role::Viewer);
    assert_eq!(bound.get("/v1/organizations/acme/audit-logs").await.status, StatusCode::FORBIDDEN);
}
