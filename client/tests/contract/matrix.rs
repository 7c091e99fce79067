//! Role x binding x operation: a table with the status of every combination. It is written
//! by hand, never derived from the policy that it tests.

use crate::support::{Actor, Binding, World, contract, name};
use http::{Method, StatusCode};
use orgtokens_server::caller::Role;
use orgtokens_server::name::Name;
use orgtokens_server::scope::RequestedScope;
use orgtokens_server::service::Operator;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The token that each role uses, in the order of the table's columns.
const COLUMNS: [(&str, Binding); 5] = [
    ("unrestricted", Binding::Unrestricted),
    ("organization", Binding::Organization("acme")),
    ("elsewhere", Binding::Organization("globex")),
    ("group, read", Binding::Group(&[RequestedScope::ReadOnly])),
    ("group, else", Binding::Group(&[RequestedScope::DbCreate, RequestedScope::GroupMintToken])),
];

/// The column of an outsider with an unrestricted token.
const OUTSIDER: usize = 5;

const ROLES: [Role; 4] = [Role::Owner, Role::Admin, Role::Member, Role::Viewer];

/// Each row is an operation on something in `acme` that another user created, unless the row says
/// otherwise. Each cell has the statuses for owner, admin, member and viewer with that token. The
/// last column is an outsider with an unrestricted token. Anonymous requests receive 401, but for a leak report.
#[rustfmt::skip]
const TABLE: [(&str, [&str; 6]); 34] = [
    // operation, variant           unrestricted       organization       elsewhere          group, read        group, else        outsider
    ("listOrganizationAPITokens",   ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("createOrganizationAPIToken",  ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("createOrganizationAPIToken group", ["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("getOrganizationAPIToken",     ["200 200 404 404", "200 200 404 404", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("revokeOrganizationAPIToken",  ["200 200 404 404", "200 200 404 404", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("rotateOrganizationAPIToken own",["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("rotateOrganizationAPIToken another's",["403 403 404 404", "403 403 404 404", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("revokeOrganizationAPITokens", ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("getTokenPolicy",              ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("updateTokenPolicy",           ["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("listOrganizationMemberAPITokens own",["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("listOrganizationMemberAPITokens another's",["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("revokeCredentials",           ["202 202 202 202", "202 202 202 202", "202 202 202 202", "202 202 202 202", "202 202 202 202", "202"]),
    ("listAPITokens",               ["200 200 200 200", "200 200 200 200", "200 200 200 200", "403 403 403 403", "403 403 403 403", "200"]),
    ("createAPIToken unrestricted", ["200 200 200 200", "403 403 403 403", "403 403 403 403", "403 403 403 403", "403 403 403 403", "200"]),
    ("createAPIToken organization", ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("createAPIToken group",        ["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("revokeAPIToken own",          ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("revokeAPIToken another's",    ["404 404 404 404", "404 404 404 404", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("validateAPIToken",            ["200 200 200 200", "200 200 200 200", "200 200 200 200", "200 200 200 200", "200 200 200 200", "200"]),
    ("getCurrentUser",              ["200 200 200 200", "200 200 200 200", "200 200 200 200", "403 403 403 403", "403 403 403 403", "200"]),
    ("listOrganizations",           ["200 200 200 200", "200 200 200 200", "200 200 200 200", "403 403 403 403", "403 403 403 403", "200"]),
    ("getOrganization",             ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("listOrganizationMembers",     ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("addOrganizationMember",       ["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("getOrganizationMember",       ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("updateMemberRole",            ["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("removeOrganizationMember",    ["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("listGroups",                  ["200 200 200 200", "200 200 200 200", "404 404 404 404", "200 200 200 200", "403 403 403 403", "404"]),
    ("createGroup",                 ["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("getGroup own",                ["200 200 200 200", "200 200 200 200", "404 404 404 404", "200 200 200 200", "403 403 403 403", "404"]),
    ("getGroup other",              ["200 200 200 200", "200 200 200 200", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("deleteGroup",                 ["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
    ("listOrganizationAuditLogs",   ["200 200 403 403", "200 200 403 403", "404 404 404 404", "403 403 403 403", "403 403 403 403", "404"]),
];

struct Request {
    method: Method,
    path: String,
    body: Option<Value>,
}

fn request(method: Method, path: &str) -> Request {
    Request { method, path: path.to_owned(), body: None }
}

impl Request {
    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

/// The id of no token.
const UNKNOWN: &str = "clGFZ4STEe6fljpFzIum8A";

const ACME: &str = "/v1/organizations/acme";

/// Builds the request of one row, on a target created for it alone.
async fn prepare(world: &World, owner: &Actor, asker: &Actor, row: &str, turn: usize) -> Request {
    if let Some(request) = read(owner, asker, row) {
        return request;
    }
    if let Some(request) = of_token(owner, row, turn).await {
        return request;
    }
    match row {
        "rotateOrganizationAPIToken own" => {
            let id = mint_for(world, asker, "rotated").await.unwrap_or_else(|| UNKNOWN.to_owned());
            request(Method::POST, &format!("{ACME}/api-tokens/{id}/rotate"))
        }
        "revokeAPIToken own" => {
            mint_for(world, asker, "own").await;
            request(Method::DELETE, "/v1/auth/api-tokens/own")
        }
        "revokeAPIToken another's" => {
            mint(owner, turn).await;
            request(Method::DELETE, &format!("/v1/auth/api-tokens/target-{turn}"))
        }
        "addOrganizationMember" => {
            let username = world.outsider().username;
            request(Method::POST, &format!("{ACME}/members")).with(json!({"username": username}))
        }
        "updateMemberRole" => {
            let username = world.user(Role::Member).username;
            request(Method::PATCH, &format!("{ACME}/members/{username}"))
                .with(json!({"role": "viewer"}))
        }
        "removeOrganizationMember" => {
            let username = world.user(Role::Member).username;
            request(Method::DELETE, &format!("{ACME}/members/{username}"))
        }
        "createGroup" => request(Method::POST, &format!("{ACME}/groups"))
            .with(json!({"name": format!("new-{turn}"), "location": "lhr"})),
        "deleteGroup" => {
            let group = json!({"name": format!("doomed-{turn}"), "location": "lhr"});
            owner.send(Method::POST, &format!("{ACME}/groups"), Some(group)).await;
            request(Method::DELETE, &format!("{ACME}/groups/doomed-{turn}"))
        }
        unknown => panic!("no request is prepared for this row: {unknown}"),
    }
}

/// Builds the request of a row about a token of the organization's owner.
async fn of_token(owner: &Actor, row: &str, turn: usize) -> Option<Request> {
    let token = format!("{ACME}/api-tokens");
    Some(match row {
        "getOrganizationAPIToken" => {
            request(Method::GET, &format!("{token}/{}", mint(owner, turn).await))
        }
        "revokeOrganizationAPIToken" => {
            request(Method::DELETE, &format!("{token}/{}", mint(owner, turn).await))
        }
        "rotateOrganizationAPIToken another's" => {
            request(Method::POST, &format!("{token}/{}/rotate", mint(owner, turn).await))
        }
        "revokeOrganizationAPITokens" => {
            let ids = json!({"ids": [mint(owner, turn).await]});
            request(Method::POST, &format!("{ACME}/api-token-revocations")).with(ids)
        }
        _ => return None,
    })
}

/// Builds the request of a row that needs no target of its own.
fn read(owner: &Actor, asker: &Actor, row: &str) -> Option<Request> {
    let new = |name: &str| request(Method::POST, &format!("/v1/auth/api-tokens/{name}"));
    let create = request(Method::POST, &format!("{ACME}/api-tokens"));
    Some(match row {
        "listOrganizationAPITokens" => request(Method::GET, &format!("{ACME}/api-tokens")),
        "listAPITokens" => request(Method::GET, "/v1/auth/api-tokens"),
        "createAPIToken unrestricted" => new("new-1"),
        "createAPIToken organization" => new("new-2").with(json!({"organization": "acme"})),
        "createAPIToken group" => new("new-3")
            .with(json!({"organization": "acme", "group": "default", "scopes": ["read"]})),
        "createOrganizationAPIToken" => create.with(json!({"name": "new-4"})),
        "createOrganizationAPIToken group" => {
            create.with(json!({"name": "new-5", "group": "default", "scopes": ["read"]}))
        }
        "getTokenPolicy" => request(Method::GET, &format!("{ACME}/token-policy")),
        "updateTokenPolicy" => {
            let policy = json!({"default_expiration": "never", "maximum_expiration": "never",
                "allow_unrestricted": true});
            request(Method::PUT, &format!("{ACME}/token-policy")).with(policy)
        }
        "listOrganizationMemberAPITokens own" => {
            request(Method::GET, &format!("{ACME}/members/{}/api-tokens", asker.username))
        }
        "listOrganizationMemberAPITokens another's" => {
            request(Method::GET, &format!("{ACME}/members/{}/api-tokens", owner.username))
        }
        "revokeCredentials" => request(Method::POST, "/v1/credentials/revoke")
            .with(json!({"credentials": ["orgt_unknown"]})),
        "validateAPIToken" => request(Method::GET, "/v1/auth/validate"),
        "getCurrentUser" => request(Method::GET, "/v1/user"),
        "listOrganizations" => request(Method::GET, "/v1/organizations"),
        "getOrganization" => request(Method::GET, ACME),
        "listOrganizationMembers" => request(Method::GET, &format!("{ACME}/members")),
        "getOrganizationMember" => {
            request(Method::GET, &format!("{ACME}/members/{}", owner.username))
        }
        "listGroups" => request(Method::GET, &format!("{ACME}/groups")),
        "getGroup own" => request(Method::GET, &format!("{ACME}/groups/default")),
        "getGroup other" => request(Method::GET, &format!("{ACME}/groups/other")),
        "listOrganizationAuditLogs" => request(Method::GET, &format!("{ACME}/audit-logs")),
        _ => return None,
    })
}

/// Mints a token that is bound to `acme`. Returns its id.
async fn mint(owner: &Actor, turn: usize) -> String {
    let path = format!("/v1/auth/api-tokens/target-{turn}");
    let minted = owner.send(Method::POST, &path, Some(json!({"organization": "acme"}))).await;
    minted.json()["id"].as_str().unwrap().to_owned()
}

/// Gives the asker's user a token, bound to `acme`, if the user is a member of it. Returns
/// its id.
async fn mint_for(world: &World, asker: &Actor, token: &str) -> Option<String> {
    let username = asker.username.contains('-').then(|| name::<Name>(&asker.username))?;
    let minted = world.server.run(async |service| {
        Operator(service).mint_token(&username, &name(&format!("to-mint-{token}"))).await
    });
    let laptop = minted.expect("minted");
    let user = world.with_token(asker.username.clone(), Some(laptop.reveal().to_owned()));
    let body = Some(json!({"organization": "acme"}));
    let minted = user.send(Method::POST, &format!("/v1/auth/api-tokens/{token}"), body).await;
    minted.json()["id"].as_str().map(str::to_owned)
}

/// Sends every row as each of `askers`, and compares the statuses with `cells`.
async fn check(world: &World, askers: &[Actor], cells: impl Fn(usize) -> Vec<&'static str>) {
    let owner = world.user(Role::Owner);
    let mut wrong = Vec::new();
    for (row, (label, _)) in TABLE.iter().enumerate() {
        for (place, asker) in askers.iter().enumerate() {
            let Request { method, path, body } =
                prepare(world, &owner, asker, label, row * 10 + place).await;
            let status = asker.send(method, &path, body).await.status;
            let expected = cells(row)[place];
            if status.as_str() != expected {
                wrong.push(format!("{label}, {}: {status} instead of {expected}", asker.username));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn check_column(label: &str) {
    let world = World::new().await;
    let column = COLUMNS.iter().position(|column| column.0 == label).expect("a column");
    let mut askers = Vec::new();
    for role in ROLES {
        askers.push(world.actor(role, COLUMNS[column].1));
    }
    check(&world, &askers, |row| TABLE[row].1[column].split(' ').collect()).await;
}

#[tokio::test]
async fn every_role_with_an_unrestricted_token_receives_what_the_table_says() {
    check_column("unrestricted").await;
}

#[tokio::test]
async fn every_role_with_an_organization_bound_token_receives_what_the_table_says() {
    check_column("organization").await;
}

#[tokio::test]
async fn every_role_with_a_token_bound_to_another_organization_receives_what_the_table_says() {
    check_column("elsewhere").await;
}

#[tokio::test]
async fn every_role_with_a_group_bound_token_that_reads_receives_what_the_table_says() {
    check_column("group, read").await;
}

#[tokio::test]
async fn every_role_with_a_group_bound_token_that_does_not_read_receives_what_the_table_says() {
    check_column("group, else").await;
}

#[tokio::test]
async fn an_outsider_receives_what_the_table_says() {
    let world = World::new().await;
    let outsider = world.outsider();
    check(&world, &[outsider], |row| vec![TABLE[row].1[OUTSIDER]]).await;
}

#[tokio::test]
async fn every_anonymous_request_but_a_leak_report_receives_401() {
    let world = World::new().await;
    let expected = |row: usize| if TABLE[row].0 == "revokeCredentials" { "202" } else { "401" };
    check(&world, &[world.anonymous()], |row| vec![expected(row)]).await;
}

#[test]
fn the_table_has_a_row_for_every_operation_of_the_contract() {
    let rows: BTreeSet<_> = TABLE.iter().map(|row| row.0.split(' ').next().unwrap()).collect();
    let operations: BTreeSet<_> =
        contract().operations().iter().map(|operation| operation.id).collect();
    assert_eq!(rows, operations);
}

#[tokio::test]
async fn every_403_for_a_narrow_token_says_insufficient_scope_and_no_403_for_a_role_does() {
    let world = World::new().await;
    let narrow = world.actor(Role::Owner, Binding::Group(&[RequestedScope::ReadOnly]));
    let refused = narrow.get("/v1/organizations/acme/members").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.header("www-authenticate"), r#"Bearer error="insufficient_scope""#);
    let low = world.user(Role::Member);
    let refused = low.get("/v1/organizations/acme/audit-logs").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.header("www-authenticate"), "");
}
