//! Mint, list and revoke: what each caller sees and may revoke. Tokens that are revoked
//! together with something else are tested in `cascades`.

use crate::support::{Actor, Binding, World};
use http::{Method, StatusCode};
use orgtokens_server::caller::{Credential, Origin, Role};
use orgtokens_server::scope::RequestedScope;
use serde_json::{Value, json};

const LIST: &str = "/v1/organizations/acme/api-tokens";

async fn mint(actor: &Actor, name: &str, body: Value) -> String {
    let minted = actor.send(Method::POST, &format!("/v1/auth/api-tokens/{name}"), Some(body)).await;
    assert_eq!(minted.status, StatusCode::OK, "{}", minted.text);
    minted.json()["id"].as_str().unwrap().to_owned()
}

async fn listed(actor: &Actor, path: &str) -> Vec<Value> {
    let list = actor.get(path).await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.text);
    list.json()["tokens"].as_array().unwrap().clone()
}

async fn revoke(actor: &Actor, id: &str) -> StatusCode {
    actor.send(Method::DELETE, &format!("{LIST}/{id}"), None).await.status
}

#[tokio::test]
async fn owners_and_admins_see_all_tokens_with_owner_and_others_their_own_without() {
    let world = World::new().await;
    let (owner, member) = (world.user(Role::Owner), world.user(Role::Member));
    let (admin, viewer) = (world.user(Role::Admin), world.user(Role::Viewer));
    let mut ids = Vec::new();
    for actor in [&member, &owner, &viewer] {
        ids.push(mint(actor, "bound", json!({"organization": "acme"})).await);
        mint(actor, "plain", json!({})).await;
    }
    for actor in [&owner, &admin] {
        let list = listed(actor, LIST).await;
        assert_eq!(list.iter().map(|token| token["id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
        assert_eq!(list[0]["owner"]["username"], member.username.as_str());
    }
    for (actor, id) in [(&member, &ids[0]), (&viewer, &ids[2])] {
        let list = listed(actor, LIST).await;
        assert_eq!(list.len(), 1);
        assert_eq!(list[0]["id"], id.as_str());
        assert!(list[0].get("owner").is_none());
    }
}

#[tokio::test]
async fn group_and_scopes_are_present_on_group_bound_tokens_only_and_never_null() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    mint(&owner, "bound", json!({"organization": "acme"})).await;
    let grouped =
        json!({"organization": "acme", "group": "default", "scopes": ["full-access", "read"]});
    mint(&owner, "grouped", grouped).await;
    let list = listed(&owner, LIST).await;
    assert!(list[0].get("group").is_none() && list[0].get("scopes").is_none());
    assert_eq!(list[1]["group"], "default");
    let all = [
        "read",
        "db:create",
        "db:delete",
        "db:configure",
        "db:mint-token",
        "db:rotate-creds",
        "group:configure",
        "group:mint-token",
        "group:rotate-creds",
    ];
    assert_eq!(list[1]["scopes"], json!(all));
    let own = owner.get("/v1/auth/api-tokens").await;
    assert!(!own.text.contains("null") && own.json()["tokens"][0].get("organization").is_none());
}

#[tokio::test]
async fn unrestricted_tokens_are_never_listed_or_revoked_through_an_organization() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let id = mint(&owner, "plain", json!({})).await;
    assert!(listed(&owner, LIST).await.is_empty());
    assert_eq!(revoke(&owner, &id).await, StatusCode::NOT_FOUND);
    assert_eq!(listed(&owner, "/v1/auth/api-tokens").await.len(), 2);
}

#[tokio::test]
async fn tokens_that_may_not_be_revoked_answer_the_same_404_byte_for_byte() {
    let world = World::new().await;
    let (owner, member) = (world.user(Role::Owner), world.user(Role::Member));
    let elsewhere = world.actor(Role::Owner, Binding::Organization("globex"));
    let own = listed(&elsewhere, "/v1/auth/api-tokens").await;
    let gone = mint(&member, "gone", json!({"organization": "acme"})).await;
    assert_eq!(revoke(&member, &gone).await, StatusCode::OK);
    let ids = [
        mint(&owner, "bound", json!({"organization": "acme"})).await,
        own[0]["id"].as_str().unwrap().to_owned(),
        mint(&member, "plain", json!({})).await,
        gone,
        "clGFZ4STEe6fljpFzIum8A".to_owned(),
    ];
    let mut answers = Vec::new();
    for id in &ids {
        let answer = member.send(Method::DELETE, &format!("{LIST}/{id}"), None).await;
        answers.push((answer.status, answer.text));
    }
    assert_eq!(answers[0].0, StatusCode::NOT_FOUND);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_role_change_takes_effect_on_the_same_token_at_once() {
    let world = World::new().await;
    let (owner, member) = (world.user(Role::Owner), world.user(Role::Member));
    mint(&owner, "bound", json!({"organization": "acme"})).await;
    assert!(listed(&member, LIST).await.is_empty());
    world.set_role("acme", &member.username.parse().unwrap(), Role::Admin);
    assert_eq!(listed(&member, LIST).await.len(), 1);
    world.set_role("acme", &member.username.parse().unwrap(), Role::Viewer);
    assert!(listed(&member, LIST).await.is_empty());
}

#[tokio::test]
async fn an_organization_bound_token_reaches_only_own_tokens_of_its_organization() {
    let world = World::new().await;
    let bound = world.actor(Role::Admin, Binding::Organization("globex"));
    let names: Vec<_> = listed(&bound, "/v1/auth/api-tokens").await;
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["organization"], "globex");
    let laptop = bound.send(Method::DELETE, "/v1/auth/api-tokens/laptop", None).await;
    assert_eq!(laptop.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_token_name_is_taken_for_its_user_until_the_token_is_revoked() {
    let world = World::new().await;
    let (one, two) = (world.user(Role::Member), world.user(Role::Member));
    mint(&one, "ci-bot", json!({})).await;
    let again = one
        .send(Method::POST, "/v1/auth/api-tokens/ci-bot", Some(json!({"organization": "acme"})))
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.error().contains("ci-bot"));
    mint(&two, "ci-bot", json!({})).await;
    one.send(Method::DELETE, "/v1/auth/api-tokens/ci-bot", None).await;
    mint(&one, "ci-bot", json!({})).await;
}

#[tokio::test]
async fn of_many_mints_of_one_name_at_once_exactly_one_succeeds() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let mints = (0..12).map(|_| owner.send(Method::POST, "/v1/auth/api-tokens/same", None));
    let statuses: Vec<_> = futures::future::join_all(mints)
        .await
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 11, "{statuses:?}");
}

#[tokio::test]
async fn mint_refuses_every_meaningless_combination_and_mints_nothing() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for (body, says) in [
        (json!({"group": "default"}), "organization"),
        (json!({"group": "default", "scopes": ["read"]}), "organization"),
        (json!({"organization": "acme", "group": "default"}), "scopes"),
        (json!({"organization": "acme", "group": "default", "scopes": []}), "scopes"),
        (json!({"organization": "acme", "scopes": ["read"]}), "group"),
        (json!({"organization": "acme", "scopes": []}), "group"),
        (json!({"scopes": ["read"]}), "group"),
        (json!({"organization": "acme", "group": "default", "scopes": ["db:fly"]}), "db:fly"),
        (json!({"organisation": "acme"}), "organisation"),
        (json!({"organization": null}), "null"),
        (json!({"organization": "acme", "group": null}), "null"),
        (json!({"organization": "acme", "group": "default", "scopes": null}), "null"),
        (json!({"organization": ""}), "organization slug"),
        (json!({"organization": "a b"}), "a b"),
        (json!({"organization": ["acme"]}), "string"),
        (json!({"organization": "acme", "group": "default", "scopes": "read"}), "sequence"),
    ] {
        let refused = owner.send(Method::POST, "/v1/auth/api-tokens/new", Some(body.clone())).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(refused.error().contains(says), "{body}: {}", refused.error());
    }
    assert_eq!(listed(&owner, "/v1/auth/api-tokens").await.len(), 1);
}

#[tokio::test]
async fn mint_for_an_unknown_or_invisible_organization_or_group_is_404() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for body in [
        json!({"organization": "nowhere"}),
        json!({"organization": "globex"}),
        json!({"organization": "acme", "group": "missing", "scopes": ["read"]}),
        json!({"organization": "nowhere", "group": "default", "scopes": ["read"]}),
    ] {
        let refused = owner.send(Method::POST, "/v1/auth/api-tokens/new", Some(body.clone())).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{body}");
    }
}

#[tokio::test]
async fn a_list_longer_than_a_page_is_complete_and_in_order() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let token = owner.token.as_ref().unwrap().parse().unwrap();
    let credential = Credential::new(&token, Origin::Web);
    let request = orgtokens_server::records::MintRequest {
        organization: Some("acme".parse().unwrap()),
        ..Default::default()
    };
    let minted = world.server.run(async |service| {
        let mut ids = Vec::new();
        for number in 0..4_001 {
            let name = format!("t-{number}").parse().unwrap();
            let minted = service.mint_token(&credential, &name, &request).await.unwrap();
            ids.push(minted.id.to_string());
        }
        ids
    });
    let list = listed(&owner, LIST).await;
    assert_eq!(list.iter().map(|token| token["id"].as_str().unwrap()).collect::<Vec<_>>(), minted);
    assert_eq!(listed(&owner, "/v1/auth/api-tokens").await.len(), minted.len() + 1);
}

#[tokio::test]
async fn a_group_bound_token_lists_and_gets_only_its_own_group() {
    let world = World::new().await;
    let bound = world.actor(Role::Owner, Binding::Group(&[RequestedScope::Read]));
    let list = bound.get("/v1/organizations/acme/groups").await.json();
    assert_eq!(list["groups"].as_array().unwrap().len(), 1);
    assert_eq!(list["groups"][0]["name"], "default");
    let other = bound.get("/v1/organizations/acme/groups/other").await;
    let missing = bound.get("/v1/organizations/acme/groups/missing").await;
    assert_eq!((other.status, &other.text), (missing.status, &missing.text), "both are hidden");
}

#[tokio::test]
async fn a_token_is_created_with_its_limits_and_shown_with_them() {
    let world = World::new().await;
    let member = world.user(Role::Member);
    let body =
        json!({"name": "ci", "expiration": "2w1d30m", "allowed_ips": ["127.0.0.0/8", "::1/128"]});
    let created = member.send(Method::POST, LIST, Some(body)).await;
    assert_eq!(created.status, StatusCode::OK, "{}", created.text);
    let created = created.json();
    let path = format!("{LIST}/{}", created["id"].as_str().unwrap());
    let shown = member.get(&path).await.json()["token"].clone();
    assert_eq!(shown["expires_at"], created["expires_at"]);
    assert_eq!(shown["allowed_ips"], json!(["127.0.0.0/8", "::1"]));
    let time = |name: &str| shown[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>();
    let life = time("expires_at").unwrap() - time("created_at").unwrap();
    assert_eq!(life, chrono::TimeDelta::seconds(15 * 86_400 + 1_800));
    assert!(shown.get("owner").is_none());
    let shown = world.user(Role::Admin).get(&path).await.json();
    assert_eq!(shown["token"]["owner"]["username"], member.username.as_str());

    let token = created["token"].as_str().unwrap().to_owned();
    let bot = world.with_token(member.username.clone(), Some(token));
    let exp = bot.get("/v1/auth/validate").await.json()["exp"].as_i64().unwrap();
    assert_eq!(exp, time("expires_at").unwrap().timestamp());
    let listed = listed(&member, LIST).await;
    assert!(listed[0].get("expires_at").is_none(), "the documented list stays as it is");
}

#[tokio::test]
async fn a_malformed_limit_is_refused_with_what_to_write() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for (member, value, word) in [
        ("expiration", json!("0s"), "30d"),
        ("expiration", json!("soon"), "30d"),
        ("expiration", json!("2020-01-01T00:00:00Z"), "passed"),
        ("expiration", json!(30), "string"),
        ("expiration", json!(null), "null"),
        ("allowed_ips", json!([]), "1 to 100"),
        ("allowed_ips", json!(["10.0.0.0/33"]), "10.0.0.0/8"),
        ("allowed_ips", json!(null), "null"),
        ("organization", json!("acme"), "organization"),
        ("scopes", json!(["read"]), "group"),
    ] {
        let mut body = json!({"name": "ci"});
        body[member] = value.clone();
        let refused = owner.send(Method::POST, LIST, Some(body)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{member} {value}");
        assert!(refused.error().contains(word), "{}", refused.error());
        assert!(!refused.error().contains(" line "), "{}", refused.error());
    }
    let refused = owner.send(Method::POST, LIST, Some(json!({}))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(listed(&owner, LIST).await.is_empty());
}

#[tokio::test]
async fn a_name_that_a_live_token_has_is_taken() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let create = async || owner.send(Method::POST, LIST, Some(json!({"name": "ci"}))).await;
    assert_eq!(create().await.status, StatusCode::OK);
    let taken = create().await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert!(taken.error().contains("choose another"), "{}", taken.error());
}

#[tokio::test]
async fn an_unrestricted_token_is_refused_a_policy_that_keeps_it_out() {
    let world = World::new().await;
    let (owner, bound) =
        (world.user(Role::Owner), world.actor(Role::Owner, Binding::Organization("acme")));
    let path = "/v1/organizations/acme/token-policy";
    let policy = json!({"default_expiration": "never", "maximum_expiration": "never",
        "allow_unrestricted": false});
    let refused = owner.send(Method::PUT, path, Some(policy.clone())).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let set = bound.send(Method::PUT, path, Some(policy.clone())).await;
    assert_eq!((set.status, set.json()["policy"].clone()), (StatusCode::OK, policy));
    for path in [path, LIST, "/v1/organizations/acme"] {
        assert_eq!(owner.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(bound.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_tokens_of_a_group_are_selected() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    mint(&owner, "bound", json!({"organization": "acme"})).await;
    let grouped = json!({"organization": "acme", "group": "default", "scopes": ["read"]});
    mint(&owner, "grouped", grouped).await;
    let path = "/v1/organizations/acme/api-token-revocations";
    let request = json!({"filter": {"group": "default"}, "dry_run": true});
    let selected = owner.send(Method::POST, path, Some(request)).await.json();
    assert_eq!(selected["tokens"].as_array().unwrap().len(), 1);
    assert_eq!(selected["tokens"][0]["owner"], owner.username.as_str());
    assert_eq!((&selected["more"], &selected["dry_run"]), (&json!(false), &json!(true)));
}
