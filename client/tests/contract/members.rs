//! Members: who may change whom, and the last owner that every organization keeps. The
//! tokens that a removal revokes are tested in `cascades`.

use crate::support::{World, name};
use http::{Method, StatusCode};
use orgtokens_server::caller::Role;
use orgtokens_server::service::Operator;
use serde_json::json;

const MEMBERS: &str = "/v1/organizations/acme/members";

#[tokio::test]
async fn the_last_owner_can_neither_be_removed_nor_given_another_role() {
    let world = World::new().await;
    let admin = world.user(Role::Admin);
    let path = format!("{MEMBERS}/founder");
    let removed = admin.send(Method::DELETE, &path, None).await;
    assert_eq!(removed.status, StatusCode::CONFLICT, "{}", removed.text);
    let demoted = admin.send(Method::PATCH, &path, Some(json!({"role": "viewer"}))).await;
    assert_eq!(demoted.status, StatusCode::CONFLICT);
    let by_operator = world.server.run(async |service| {
        Operator(service).set_member(&name("acme"), &name("founder"), Role::Admin).await
    });
    assert!(by_operator.is_err());

    let second = world.user(Role::Owner);
    assert_eq!(admin.send(Method::DELETE, &path, None).await.status, StatusCode::OK);
    let own = format!("{MEMBERS}/{}", second.username);
    let left = second.send(Method::DELETE, &own, None).await;
    assert_eq!(left.status, StatusCode::CONFLICT, "this is the last owner now");
    assert!(left.error().contains(&second.username));
}

#[tokio::test]
async fn every_member_may_remove_themself() {
    let world = World::new().await;
    for role in [Role::Owner, Role::Admin, Role::Member, Role::Viewer] {
        let leaver = world.user(role);
        let path = format!("{MEMBERS}/{}", leaver.username);
        assert_eq!(
            leaver.send(Method::DELETE, &path, None).await.status,
            StatusCode::OK,
            "{role:?}"
        );
        assert_eq!(leaver.get(MEMBERS).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn adding_an_existing_member_is_409_and_an_unknown_user_or_member_is_404() {
    let world = World::new().await;
    let (admin, member) = (world.user(Role::Admin), world.user(Role::Member));
    let add =
        |username: &str| admin.send(Method::POST, MEMBERS, Some(json!({"username": username})));
    assert_eq!(add(&member.username).await.status, StatusCode::CONFLICT);
    assert_eq!(add("no-such-user").await.status, StatusCode::NOT_FOUND);
    let outsider = world.outsider();
    let path = format!("{MEMBERS}/{}", outsider.username);
    for (method, body) in [
        (Method::GET, None),
        (Method::PATCH, Some(json!({"role": "viewer"}))),
        (Method::DELETE, None),
    ] {
        assert_eq!(
            admin.send(method.clone(), &path, body).await.status,
            StatusCode::NOT_FOUND,
            "{method}"
        );
    }
}

#[tokio::test]
async fn a_group_name_is_unique_in_its_organization() {
    let world = World::new().await;
    let admin = world.user(Role::Admin);
    let group = json!({"name": "default", "location": "lhr"});
    let taken = admin.send(Method::POST, "/v1/organizations/acme/groups", Some(group)).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert!(taken.error().contains("default"));
}
