//! No escalation: a credential cannot obtain a wider one, and what it cannot reach does
//! not exist for it. These attempts are chosen by hand; the server's own tests generate
//! more.

use crate::support::{Binding, World};
use http::{Method, StatusCode};
use orgtokens_server::caller::Role;
use orgtokens_server::scope::RequestedScope;
use serde_json::{Value, json};

#[tokio::test]
async fn an_organization_bound_token_mints_no_unrestricted_token_with_any_empty_body() {
    let world = World::new().await;
    let bound = world.actor(Role::Owner, Binding::Organization("acme"));
    for (headers, body) in [
        (&[][..], ""),
        (&[("content-type", "application/json")][..], ""),
        (&[("content-type", "application/json")][..], "{}"),
    ] {
        let path = "/v1/auth/api-tokens/wider";
        let refused = bound.send_text(Method::POST, path, headers, body).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{body:?}");
    }
}

#[tokio::test]
async fn an_organization_bound_token_reaches_no_other_organization_of_its_user() {
    let world = World::new().await;
    let bound = world.actor(Role::Owner, Binding::Organization("globex"));
    for body in [
        json!({"organization": "acme"}),
        json!({"organization": "acme", "group": "default", "scopes": ["read"]}),
    ] {
        let refused = bound.send(Method::POST, "/v1/auth/api-tokens/wider", Some(body)).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_group_bound_token_with_every_scope_reaches_no_token_member_or_audit_operation() {
    let world = World::new().await;
    let bound = world.actor(Role::Owner, Binding::Group(&[RequestedScope::FullAccess]));
    let acme = "/v1/organizations/acme";
    let token = Some(json!({"organization": "acme", "group": "default", "scopes": ["read"]}));
    for (method, path, body) in [
        (Method::GET, "/v1/auth/api-tokens".to_owned(), None),
        (Method::POST, "/v1/auth/api-tokens/same".to_owned(), token),
        (Method::POST, "/v1/auth/api-tokens/wider".to_owned(), None),
        (Method::DELETE, "/v1/auth/api-tokens/bound".to_owned(), None),
        (Method::GET, format!("{acme}/api-tokens"), None),
        (Method::DELETE, format!("{acme}/api-tokens/clGFZ4STEe6fljpFzIum8A"), None),
        (Method::GET, format!("{acme}/members"), None),
        (Method::POST, format!("{acme}/members"), Some(json!({"username": "founder"}))),
        (Method::DELETE, format!("{acme}/members/{}", bound.username), None),
        (Method::GET, format!("{acme}/audit-logs"), None),
        (Method::DELETE, format!("{acme}/groups/default"), None),
    ] {
        let refused = bound.send(method.clone(), &path, body).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}");
        assert_eq!(refused.header("www-authenticate"), r#"Bearer error="insufficient_scope""#);
    }
}

#[tokio::test]
async fn a_group_bound_token_is_refused_a_mint_before_the_body_is_parsed() {
    let world = World::new().await;
    let bound = world.actor(Role::Owner, Binding::Group(&[RequestedScope::FullAccess]));
    for (path, body) in [("/v1/auth/api-tokens/x", "{bad"), ("/v1/auth/api-tokens/a%20b", "")] {
        let refused = bound.send_text(Method::POST, path, &[], body).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn organizations_out_of_reach_answer_the_same_404_byte_for_byte() {
    let world = World::new().await;
    let member = world.user(Role::Owner);
    let bound = world.actor(Role::Owner, Binding::Organization("globex"));
    let grouped = world.actor(Role::Owner, Binding::Group(&[RequestedScope::FullAccess]));
    let mut answers = Vec::new();
    for (actor, slugs) in [
        (&member, ["nowhere", "globex"]),
        (&bound, ["nowhere", "acme"]),
        (&grouped, ["nowhere", "globex"]),
    ] {
        for slug in slugs {
            for rest in [
                "",
                "/api-tokens",
                "/members",
                "/members/founder",
                "/groups",
                "/groups/default",
                "/audit-logs",
            ] {
                let answer = actor.get(&format!("/v1/organizations/{slug}{rest}")).await;
                answers.push((answer.status, answer.text));
            }
        }
    }
    assert_eq!(answers[0].0, StatusCode::NOT_FOUND);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn the_api_never_gives_the_role_of_owner() {
    let world = World::new().await;
    let (owner, member, new) =
        (world.user(Role::Owner), world.user(Role::Member), world.outsider());
    let members = "/v1/organizations/acme/members";
    let add: Value = json!({"username": new.username, "role": "owner"});
    let refused = owner.send(Method::POST, members, Some(add)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let path = format!("{members}/{}", member.username);
    let refused = owner.send(Method::PATCH, &path, Some(json!({"role": "owner"}))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.error().contains("owner"));
}
