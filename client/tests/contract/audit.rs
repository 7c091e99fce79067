//! The audit log, read through the API: every change has an entry that names the acting
//! token. The hash chains are tested with the server.

use crate::support::{Actor, Binding, World};
use http::{Method, header};
use orgtokens_server::caller::Role;
use serde_json::{Value, json};

async fn newest(actor: &Actor, count: usize) -> Vec<Value> {
    let log =
        actor.get(&format!("/v1/organizations/acme/audit-logs?page_size={count}")).await.json();
    log["audit_logs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_kind_of_change_writes_its_entry_with_the_acting_token() {
    let world = World::new().await;
    let admin = world.actor(Role::Admin, Binding::Organization("acme"));
    let (one, two) = (world.outsider().username, world.user(Role::Member).username);
    let acme = "/v1/organizations/acme";
    let token = Some(json!({"organization": "acme"}));
    for (method, path, body, code, subject) in [
        (Method::POST, "/v1/auth/api-tokens/new".to_owned(), token, "user-token-create", "new"),
        (Method::DELETE, "/v1/auth/api-tokens/new".to_owned(), None, "user-token-revoke", "new"),
        (
            Method::POST,
            format!("{acme}/members"),
            Some(json!({"username": one})),
            "org-member-add",
            &one,
        ),
        (
            Method::PATCH,
            format!("{acme}/members/{two}"),
            Some(json!({"role": "viewer"})),
            "org-member-update",
            &two,
        ),
        (Method::DELETE, format!("{acme}/members/{two}"), None, "org-member-rm", &two),
        (
            Method::POST,
            format!("{acme}/groups"),
            Some(json!({"name": "g", "location": "lhr"})),
            "group-create",
            "g",
        ),
        (Method::DELETE, format!("{acme}/groups/g"), None, "group-delete", "g"),
    ] {
        let answer = admin.send(method, &path, body).await;
        assert_eq!(answer.status, 200, "{code}: {}", answer.text);
        let entry = newest(&admin, 1).await.remove(0);
        assert_eq!(entry["code"], code);
        assert_eq!(entry["author"], admin.username.as_str());
        assert_eq!(entry["origin"], "web");
        assert_eq!(entry["data"]["acting_token"]["name"], "bound", "{code}");
        assert!(entry["message"].as_str().unwrap().contains(subject), "{code}: {entry}");
    }
}

#[tokio::test]
async fn a_cascade_writes_an_entry_for_each_token_it_revokes() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for name in ["one", "two"] {
        let body = json!({"organization": "acme", "group": "default", "scopes": ["read"]});
        owner.send(Method::POST, &format!("/v1/auth/api-tokens/{name}"), Some(body)).await;
    }
    owner.send(Method::DELETE, "/v1/organizations/acme/groups/default", None).await;
    let entries = newest(&owner, 3).await;
    let changes: Vec<_> = entries
        .iter()
        .map(|entry| (entry["code"].as_str().unwrap(), entry["data"]["token"]["name"].as_str()))
        .collect();
    assert_eq!(
        changes,
        [
            ("group-delete", None),
            ("user-token-revoke", Some("two")),
            ("user-token-revoke", Some("one"))
        ]
    );
    assert_eq!(entries[1]["data"]["cause"], "group-delete");
}

#[tokio::test]
async fn an_entry_about_a_token_shows_its_binding() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let body = json!({"organization": "acme", "group": "default", "scopes": ["read-only"]});
    owner.send(Method::POST, "/v1/auth/api-tokens/new", Some(body)).await;
    owner.send(Method::DELETE, "/v1/auth/api-tokens/new", None).await;
    for entry in newest(&owner, 2).await {
        let token = &entry["data"]["token"];
        assert_eq!(token["organization"], "acme", "{entry}");
        assert_eq!((&token["group"], &token["scopes"]), (&json!("default"), &json!(["read"])));
    }
}

#[tokio::test]
async fn a_change_without_effect_writes_no_entry() {
    let world = World::new().await;
    let (owner, member) = (world.user(Role::Owner), world.user(Role::Member));
    let before = newest(&owner, 1_000).await;
    let path = format!("/v1/organizations/acme/members/{}", member.username);
    let same = owner.send(Method::PATCH, &path, Some(json!({"role": "member"}))).await;
    assert_eq!((same.status.as_u16(), &same.json()["member"]["role"]), (200, &json!("member")));
    assert_eq!(newest(&owner, 1_000).await, before);
}

#[tokio::test]
async fn a_failed_change_writes_no_entry() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let before = newest(&owner, 1_000).await;
    let taken = json!({"name": "default", "location": "lhr"});
    owner.send(Method::POST, "/v1/organizations/acme/groups", Some(taken)).await;
    owner.send(Method::DELETE, "/v1/auth/api-tokens/missing", None).await;
    owner.send(Method::DELETE, "/v1/organizations/acme/members/missing", None).await;
    assert_eq!(newest(&owner, 1_000).await, before);
}

#[tokio::test]
async fn the_origin_is_cli_if_the_user_agent_names_a_cli() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let headers =
        [(header::USER_AGENT.as_str(), "turso-cli/1.0"), ("content-type", "application/json")];
    let body = r#"{"organization": "acme"}"#;
    owner.send_text(Method::POST, "/v1/auth/api-tokens/new", &headers, body).await;
    assert_eq!(newest(&owner, 1).await[0]["origin"], "cli");
}

#[tokio::test]
async fn no_entry_shows_a_secret() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let minted = owner
        .send(Method::POST, "/v1/auth/api-tokens/new", Some(json!({"organization": "acme"})))
        .await;
    let log = owner.get("/v1/organizations/acme/audit-logs").await;
    assert!(!log.text.contains(minted.json()["token"].as_str().unwrap()));
    assert!(!log.text.contains(orgtokens_server::token::PREFIX));
}
