//! Calls every operation once through the generated client, as a user would. No request is
//! written by hand: `raw` tests what the client hides.

use crate::support::{Binding, World};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use orgtokens_client::types::{self, AssignableRole, OrganizationType, Role as WireRole, Scope};
use orgtokens_server::caller::Role;
use std::num::NonZeroU32;
use std::time::SystemTime;

const ACME: &str = "acme";

#[tokio::test]
async fn a_minted_token_is_listed_validated_and_revoked() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let minted = owner
        .client
        .create_api_token()
        .token_name("ci-bot")
        .body_map(|body| body.organization(ACME))
        .send()
        .await
        .unwrap();
    assert_eq!(minted.name, "ci-bot");

    let bot = world.with_token(owner.username.clone(), Some(minted.token.clone()));
    assert_eq!(bot.client.validate_api_token().send().await.unwrap().exp, -1);

    let list =
        owner.client.list_organization_api_tokens().organization_slug(ACME).send().await.unwrap();
    let [listed] = list.tokens.as_slice() else { panic!("one token: {list:?}") };
    let today = DateTime::<Utc>::from(SystemTime::now()).format("%Y-%m-%d").to_string();
    let expected = types::OrganizationToken {
        name: Some("ci-bot".to_owned()),
        id: Some(minted.id.clone()),
        organization: Some(ACME.to_owned()),
        group: None,
        scopes: vec![],
        owner: Some(types::TokenOwner {
            username: Some(owner.username.clone()),
            email: Some(format!("{}@example.com", owner.username)),
        }),
        created_at: Some(today.clone()),
    };
    assert_eq!(*listed, expected);
    assert_eq!(listed.created_on(), Some(today.parse().unwrap()));
    assert!(listed.parsed_scopes().unwrap().is_empty());

    let revoked = owner
        .client
        .revoke_organization_api_token()
        .organization_slug(ACME)
        .token_id(minted.id.as_str())
        .send()
        .await
        .unwrap();
    assert_eq!(revoked.token, minted.id);
    assert_eq!(bot.client.validate_api_token().send().await.unwrap_err().status().unwrap(), 401);
}

#[tokio::test]
async fn own_tokens_of_every_binding_are_listed_oldest_first_and_revoked_by_name() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let mint = owner.client.create_api_token();
    mint.token_name("plain").send().await.unwrap();
    let mint = owner.client.create_api_token();
    mint.token_name("bound").body_map(|body| body.organization(ACME)).send().await.unwrap();
    let scopes = vec![Scope::DbDelete, Scope::Read, Scope::DbDelete];
    let mint = owner.client.create_api_token().token_name("grouped");
    let mint = mint.body_map(|body| body.organization(ACME).group("default").scopes(scopes));
    mint.send().await.unwrap();

    let list = owner.client.list_api_tokens().send().await.unwrap();
    let shown: Vec<_> = list
        .tokens
        .iter()
        .map(|token| {
            (
                token.name.as_str(),
                token.organization.as_deref(),
                token.group.as_deref(),
                &token.scopes[..],
            )
        })
        .collect();
    let scopes = ["read".to_owned(), "db:delete".to_owned()];
    assert_eq!(
        shown,
        [
            ("laptop", None, None, &[][..]),
            ("plain", None, None, &[][..]),
            ("bound", Some(ACME), None, &[][..]),
            ("grouped", Some(ACME), Some("default"), &scopes[..]),
        ]
    );
    assert_eq!(list.tokens[3].parsed_scopes().unwrap(), [Scope::Read, Scope::DbDelete]);
    assert_eq!(list.tokens[3].created_on().unwrap().to_string(), list.tokens[3].created_at);

    let revoked = owner.client.revoke_api_token().token_name("bound").send().await.unwrap();
    assert_eq!(revoked.token, "bound");
    let list = owner.client.list_api_tokens().send().await.unwrap();
    assert_eq!(list.tokens.len(), 3);
}

#[tokio::test]
async fn the_caller_reads_its_user_and_organizations() {
    let world = World::new().await;
    let admin = world.actor(Role::Admin, Binding::Organization("globex"));
    let user = admin.client.get_current_user().send().await.unwrap().into_inner().user;
    assert_eq!((user.username, user.name), (admin.username.clone(), None));
    let bound = admin.client.list_organizations().send().await.unwrap().into_inner().organizations;
    assert_eq!(bound.iter().map(|one| one.slug.as_str()).collect::<Vec<_>>(), ["globex"]);

    let admin = world.user(Role::Admin);
    let get = admin.client.get_organization().organization_slug(ACME);
    let organization = get.send().await.unwrap().into_inner().organization;
    assert_eq!(organization.slug, ACME);
    assert_eq!(organization.type_, OrganizationType::Team);
    assert!(!(organization.overages || organization.blocked_reads || organization.blocked_writes));
}

#[tokio::test]
async fn members_are_added_read_changed_and_removed() {
    let world = World::new().await;
    let (admin, bob) = (world.user(Role::Admin), world.outsider());
    let add = admin.client.add_organization_member().organization_slug(ACME);
    let added = add.body_map(|body| body.username(bob.username.as_str())).send().await.unwrap();
    assert_eq!((added.member.as_str(), added.role), (bob.username.as_str(), WireRole::Member));

    let update =
        admin.client.update_member_role().organization_slug(ACME).username(bob.username.as_str());
    let updated = update.body_map(|body| body.role(AssignableRole::Viewer)).send().await.unwrap();
    assert_eq!(updated.member.role, WireRole::Viewer);

    let get = bob
        .client
        .get_organization_member()
        .organization_slug(ACME)
        .username(bob.username.as_str());
    let member = get.send().await.unwrap().into_inner().member;
    assert_eq!(member.email, format!("{}@example.com", bob.username));
    let list = bob.client.list_organization_members().organization_slug(ACME).send().await.unwrap();
    assert!(list.members.contains(&member) && list.members.is_sorted_by_key(|one| &one.username));

    let remove = admin.client.remove_organization_member().organization_slug(ACME);
    let removed = remove.username(bob.username.as_str()).send().await.unwrap();
    assert_eq!(removed.member, bob.username);
    let list =
        admin.client.list_organization_members().organization_slug(ACME).send().await.unwrap();
    assert!(!list.members.contains(&member));
}

#[tokio::test]
async fn groups_are_created_read_and_deleted() {
    let world = World::new().await;
    let admin = world.user(Role::Admin);
    let create = admin.client.create_group().organization_slug(ACME);
    let made =
        create.body_map(|body| body.name("blue").location("aws-us-east-1")).send().await.unwrap();
    let group = made.into_inner().group;
    assert_eq!((group.name.as_str(), group.primary.as_str()), ("blue", "aws-us-east-1"));
    assert_eq!(group.locations, ["aws-us-east-1"]);

    let get = admin.client.get_group().organization_slug(ACME).group_name("blue");
    assert_eq!(get.send().await.unwrap().into_inner().group, group);
    let list = admin.client.list_groups().organization_slug(ACME).send().await.unwrap();
    let names: Vec<_> = list.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["blue", "default", "other"]);

    let delete = admin.client.delete_group().organization_slug(ACME).group_name("blue");
    assert_eq!(delete.send().await.unwrap().into_inner().group, group);
    let get = admin.client.get_group().organization_slug(ACME).group_name("blue").send().await;
    assert_eq!(get.unwrap_err().status().unwrap(), 404);
}

#[tokio::test]
async fn the_audit_log_is_read_page_by_page_newest_first() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for name in ["one", "two", "three"] {
        let mint = owner.client.create_api_token().token_name(name);
        mint.body_map(|body| body.organization(ACME)).send().await.unwrap();
    }
    let read = |page: u32, size: u32| {
        let (page, size) = (NonZeroU32::new(page).unwrap(), NonZeroU32::new(size).unwrap());
        owner
            .client
            .list_organization_audit_logs()
            .organization_slug(ACME)
            .page(page)
            .page_size(size)
            .send()
    };
    let (first, second) = (read(1, 2).await.unwrap(), read(2, 2).await.unwrap());
    let messages: Vec<_> = first
        .audit_logs
        .iter()
        .chain(&second.audit_logs)
        .map(|entry| entry.message.clone())
        .collect();
    assert_eq!(messages[0], format!("minted token three of {}", owner.username));
    assert_eq!(messages[2], format!("minted token one of {}", owner.username));
    assert_eq!((first.pagination.page, first.pagination.page_size), (1, 2));
    assert_eq!(first.pagination.total_pages, first.pagination.total_rows.div_ceil(2));

    let whole =
        owner.client.list_organization_audit_logs().organization_slug(ACME).send().await.unwrap();
    assert_eq!(whole.pagination.page_size, 100);
    assert_eq!(u64::try_from(whole.audit_logs.len()).unwrap(), whole.pagination.total_rows);
    let beyond = read(1_000, 1_000).await.unwrap();
    assert!(beyond.audit_logs.is_empty());
}

#[tokio::test]
async fn the_audit_log_is_streamed_once_even_if_it_grows_meanwhile() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let mint = async |name: &str| {
        let mint = owner.client.create_api_token().token_name(name);
        mint.body_map(|body| body.organization(ACME)).send().await.unwrap();
    };
    for name in ["one", "two", "three", "four"] {
        mint(name).await;
    }
    let log = owner.client.list_organization_audit_logs().organization_slug(ACME);
    let whole = log.clone().send().await.unwrap().into_inner().audit_logs;
    for size in [1_u32, 2, 3, 1_000] {
        let mut entries = log.clone().page_size(size).stream();
        let mut streamed = vec![entries.try_next().await.unwrap().unwrap()];
        for change in 0..3 {
            mint(&format!("meanwhile-{size}-{change}")).await;
            streamed.extend(entries.try_next().await.unwrap());
        }
        streamed.extend(entries.try_collect::<Vec<_>>().await.unwrap());
        assert_eq!(streamed[streamed.len() - whole.len()..], whole, "pages of {size}");
        let newest = streamed.iter().filter(|entry| entry.message.contains("meanwhile")).count();
        assert_eq!(streamed.len(), whole.len() + newest, "no entry is new: pages of {size}");
        assert!(!streamed.iter().any(|entry| entry.message.contains(&format!("-{size}-"))));
    }
    let failure = world.user(Role::Member);
    let log = failure.client.list_organization_audit_logs().organization_slug(ACME);
    assert_eq!(log.stream().try_next().await.unwrap_err().status.unwrap(), 403);
}
