//! No escalation, by generated attempts: every credential runs every operation, and no
//! credential that results may reach more than the one that ran the operation. The tests find out
//! what a credential reaches by trying, not from the policy.

use bytes::Bytes;
use chrono::DateTime;
use orgtokens_server::caller::{Credential, Origin, Role};
use orgtokens_server::error::{Error, Result};
use orgtokens_server::name::{Name, Slug};
use orgtokens_server::records::{
    MintRequest, MintedToken, OrganizationToken, Page, PageQuery, RotateTokenRequest, TokenPolicy,
};
use orgtokens_server::scope::RequestedScope;
use orgtokens_server::service::{Operator, Service};
use orgtokens_server::store::Store;
use orgtokens_server::token::{PlainToken, TokenId};
use serde_json::json;
use std::collections::BTreeSet;
use std::str::FromStr;
use tempfile::TempDir;

const ORGANIZATIONS: [&str; 2] = ["acme", "globex"];
const GROUPS: [&str; 2] = ["one", "two"];
const ROLES: [Role; 4] = [Role::Owner, Role::Admin, Role::Member, Role::Viewer];
/// mallory tries to escalate; alice is the other user.
const USERS: [&str; 2] = ["mallory", "alice"];

/// Every shape of a mint request: each organization and group, with the narrowest and the widest
/// scopes.
fn shapes() -> Vec<MintRequest> {
    let mut shapes = vec![MintRequest::default()];
    for slug in ORGANIZATIONS {
        let organization = Some(word(slug));
        shapes.push(MintRequest { organization: organization.clone(), ..MintRequest::default() });
        for group in GROUPS {
            for scope in
                [RequestedScope::DbCreate, RequestedScope::Read, RequestedScope::FullAccess]
            {
                let (group, scopes) = (Some(word(group)), Some(vec![scope]));
                shapes.push(MintRequest { organization: organization.clone(), group, scopes });
            }
        }
    }
    shapes
}

/// Every operation of the contract, with its target.
#[derive(Clone, Debug)]
enum Operation {
    ReadUser,
    ListOrganizations,
    ListOwnTokens,
    RevokeOwnToken,
    Mint(MintRequest),
    GetOrganization(&'static str),
    ListTokens(&'static str),
    RevokeToken(&'static str),
    GetToken(&'static str),
    /// Of the organization, or of one of its groups.
    CreateToken(&'static str, Option<&'static str>),
    /// The newest token that the caller lists.
    RotateToken(&'static str),
    RevokeTokens(&'static str),
    GetPolicy(&'static str),
    UpdatePolicy(&'static str),
    ListMemberTokens(&'static str, &'static str),
    ListMembers(&'static str),
    GetMember(&'static str, &'static str),
    AddMember(&'static str, &'static str, Role),
    UpdateMember(&'static str, &'static str, Role),
    RemoveMember(&'static str, &'static str),
    ListGroups(&'static str),
    GetGroup(&'static str, &'static str),
    CreateGroup(&'static str, &'static str),
    DeleteGroup(&'static str, &'static str),
    ListAuditLogs(&'static str),
}

fn operations() -> Vec<Operation> {
    use Operation::*;
    let mut all = vec![ReadUser, ListOrganizations, ListOwnTokens, RevokeOwnToken];
    all.extend(shapes().into_iter().map(Mint));
    for slug in ORGANIZATIONS {
        all.extend([GetOrganization(slug), ListTokens(slug), RevokeToken(slug), ListMembers(slug)]);
        all.extend([ListGroups(slug), ListAuditLogs(slug), GetToken(slug), RotateToken(slug)]);
        all.extend([RevokeTokens(slug), GetPolicy(slug), UpdatePolicy(slug)]);
        all.extend([None, Some(GROUPS[0])].map(|group| CreateToken(slug, group)));
        all.extend(USERS.map(|user| ListMemberTokens(slug, user)));
        for user in USERS {
            all.push(GetMember(slug, user));
            for role in [Role::Admin, Role::Member, Role::Viewer] {
                all.extend([AddMember(slug, user, role), UpdateMember(slug, user, role)]);
            }
        }
        all.extend(GROUPS.iter().flat_map(|group| {
            [GetGroup(slug, group), CreateGroup(slug, group), DeleteGroup(slug, group)]
        }));
    }
    // Removals come last: after them most other operations are refused.
    all.extend(ORGANIZATIONS.iter().flat_map(|slug| USERS.map(|user| RemoveMember(slug, user))));
    all
}

impl Operation {
    /// Runs it on a target that exists or, if `is_harmless`, on one that does not.
    #[expect(clippy::too_many_lines, reason = "one arm for each operation")]
    async fn run(
        &self,
        service: &Service,
        caller: &Credential,
        is_harmless: bool,
    ) -> Result<Option<MintedToken>> {
        use Operation::*;
        let target = |name: &'static str| word(if is_harmless { "missing" } else { name });
        let slugs = ORGANIZATIONS.map(word::<Slug>);
        let within = |at: &str| {
            let slug = slugs.iter().find(|slug| slug.as_str() == at).expect("an organization");
            service.within(caller, slug)
        };
        // A taken name is refused after every other check, and nothing is minted.
        let unknown = TokenId::generate(DateTime::UNIX_EPOCH);
        let new_name = if is_harmless { "taken".to_owned() } else { unknown.to_string() };
        let nothing = match self {
            Mint(request) => {
                return service.mint_token(caller, &word(&new_name), request).await.map(Some);
            }
            CreateToken(at, group) => {
                let mut request = json!({"name": new_name});
                if let Some(group) = group {
                    request["group"] = json!(group);
                    request["scopes"] = json!(["full-access"]);
                }
                let request = serde_json::from_value(request).unwrap();
                return within(at).create_token(request).await.map(|new| Some(new.minted));
            }
            RotateToken(at) => {
                let listed = within(at).list_tokens(None, text).await;
                let listed = listed.map(|(ids, _)| String::from_utf8_lossy(&ids).into_owned());
                let newest = listed.unwrap_or_default().split_whitespace().last().map(word);
                let id = newest.filter(|_| !is_harmless).unwrap_or(unknown);
                let rotated = within(at).rotate_token(id, RotateTokenRequest::default()).await;
                return rotated.map(|rotated| Some(rotated.created.minted));
            }
            GetToken(at) => within(at).get_token(unknown).await.map(drop),
            RevokeTokens(at) => {
                let request = json!({"ids": [unknown]});
                within(at).revoke_tokens(serde_json::from_value(request).unwrap()).await.map(drop)
            }
            GetPolicy(at) => within(at).get_policy().await.map(drop),
            // It is the policy that the organization has, so nothing changes.
            UpdatePolicy(at) => within(at).update_policy(TokenPolicy::default()).await.map(drop),
            ListMemberTokens(at, user) => {
                within(at).list_member_tokens(&word(user), None).await.map(drop)
            }
            ReadUser => service.get_user(caller).await.map(drop),
            ListOrganizations => service.list_organizations(caller, None).await.map(drop),
            ListOwnTokens => service.list_own_tokens(caller, None).await.map(drop),
            RevokeOwnToken => service.revoke_own_token(caller, &target("spare")).await,
            GetOrganization(at) => within(at).get().await.map(drop),
            ListTokens(at) => within(at).list_tokens(None, text).await.map(drop),
            RevokeToken(at) => within(at).revoke_token(unknown).await,
            ListMembers(at) => within(at).list_members(None).await.map(drop),
            GetMember(at, user) => within(at).get_member(&word(user)).await.map(drop),
            AddMember(at, user, role) => {
                within(at).add_member(&target(user), *role).await.map(drop)
            }
            UpdateMember(at, user, role) => {
                within(at).update_member(&target(user), *role).await.map(drop)
            }
            RemoveMember(at, user) => within(at).remove_member(&target(user)).await,
            ListGroups(at) => within(at).list_groups(None).await.map(drop),
            GetGroup(at, group) => within(at).get_group(&word(group)).await.map(drop),
            // A group that exists is refused only after the policy has allowed the request.
            CreateGroup(at, group) => {
                let group = if is_harmless { group.to_string() } else { format!("{group}-new") };
                within(at).create_group(word(&group), word("lhr")).await.map(drop)
            }
            DeleteGroup(at, group) => within(at).delete_group(&target(group)).await.map(drop),
            ListAuditLogs(at) => {
                within(at).list_audit_logs(PageQuery::default(), None).await.map(drop)
            }
        };
        nothing.map(|()| None)
    }
}

fn word<T: FromStr<Err = String>>(text: &str) -> T {
    text.parse().unwrap()
}

/// Returns whether the policy allowed it, even if it failed afterwards.
fn is_allowed<T>(outcome: &Result<T>) -> bool {
    match outcome {
        Err(Error::NotFound(_)) => {
            outcome.as_ref().err().map(Error::to_string) != Some(Error::NO_ORGANIZATION.to_string())
        }
        Err(Error::Forbidden(_) | Error::TokenTooNarrow(_) | Error::DeadCredential) => false,
        Err(Error::Internal(_) | Error::Unavailable(_)) => panic!("{:?}", outcome.as_ref().err()),
        _ => true,
    }
}

/// Returns the ids of a page; none of a list that is refused.
fn ids<T, C>(page: Result<Page<T, C>>, id: fn(&T) -> TokenId) -> Vec<TokenId> {
    page.map(|page| page.items.iter().map(id).collect()).unwrap_or_default()
}

/// A database in which mallory has a role in acme and is a member of globex, with one credential
/// of each binding.
struct World {
    _folder: TempDir,
    service: Service,
    credentials: Vec<PlainToken>,
    tokens: BTreeSet<TokenId>,
}

impl World {
    async fn new(role: Role) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.db").display());
        let service = Service::new(Store::create(&url).await.unwrap());
        let operator = Operator(&service);
        let [mallory, alice] = USERS.map(word::<Name>);
        let email = "user@example.com".parse().unwrap();
        operator.init(&word("acme"), &alice, &email).await.unwrap();
        operator.add_organization(&word("globex"), &alice).await.unwrap();
        operator.add_user(&mallory, &email).await.unwrap();
        for slug in ORGANIZATIONS {
            operator.set_member(&word(slug), &mallory, Role::Owner).await.unwrap();
        }
        let mut credentials = vec![operator.mint_token(&mallory, &word("taken")).await.unwrap()];
        let caller = Credential::new(&credentials[0], Origin::Web);
        for slug in ORGANIZATIONS {
            for group in GROUPS {
                service
                    .within(&caller, &word(slug))
                    .create_group(word(group), word("lhr"))
                    .await
                    .unwrap();
            }
        }
        for (index, shape) in shapes().iter().enumerate().skip(1) {
            let name = word(&format!("bound{index}"));
            credentials.push(service.mint_token(&caller, &name, shape).await.unwrap().token);
        }
        operator.mint_token(&mallory, &word("spare")).await.unwrap();
        // mallory minted them all as an owner, and now gets the role under test.
        operator.set_member(&word("acme"), &mallory, role).await.unwrap();
        operator.set_member(&word("globex"), &mallory, Role::Member).await.unwrap();
        let mut world = Self { _folder: folder, service, credentials, tokens: BTreeSet::new() };
        for credential in &world.credentials {
            let credential = Credential::new(credential, Origin::Web);
            let caller = world.service.authenticate(&credential).await.unwrap();
            world.tokens.insert(caller.token);
        }
        world
    }

    /// Returns everything that a credential may do, and every initial token that it sees.
    async fn reach(&self, credential: &PlainToken) -> BTreeSet<String> {
        let caller = Credential::new(credential, Origin::Web);
        if self.service.authenticate(&caller).await.is_err() {
            return BTreeSet::new();
        }
        let mut reach = BTreeSet::new();
        for operation in operations() {
            if is_allowed(&operation.run(&self.service, &caller, true).await) {
                reach.insert(format!("{operation:?}"));
            }
        }
        let mut seen = ids(self.service.list_own_tokens(&caller, None).await, |item| item.id);
        for slug in ORGANIZATIONS {
            let listed = self.service.within(&caller, &word(slug)).list_tokens(None, text).await;
            let listed = listed.map(|(ids, _)| String::from_utf8_lossy(&ids).into_owned());
            let ids = listed.unwrap_or_default();
            seen.extend(ids.split_whitespace().map(|id| id.parse::<TokenId>().unwrap()));
        }
        reach.extend(seen.iter().filter(|id| self.tokens.contains(id)).map(ToString::to_string));
        reach
    }
}

/// Returns the ids of the tokens on a page.
#[expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "as a service calls it"
)]
fn text(tokens: Vec<OrganizationToken>) -> Result<Bytes> {
    let ids = tokens.iter().map(|item| item.token.id.to_string());
    Ok(ids.collect::<Vec<_>>().join(" ").into())
}

/// Runs all operations in turn with one credential, and checks what each of them gives.
async fn try_everything(role: Role, credential: usize) {
    let world = World::new(role).await;
    let credential = &world.credentials[credential];
    let mut before = Vec::new();
    for own in &world.credentials {
        before.push(world.reach(own).await);
    }
    let reach = world.reach(credential).await;
    let caller = Credential::new(credential, Origin::Web);
    let binding = world.service.authenticate(&caller).await.unwrap().binding;
    for operation in operations() {
        let what = format!("{role:?} {binding:?} {operation:?}");
        let outcome = operation.run(&world.service, &caller, false).await;
        if let Ok(Some(minted)) = outcome {
            let obtained = world.reach(&minted.token).await;
            let wider: Vec<_> = obtained.difference(&reach).collect();
            assert!(wider.is_empty(), "{what} minted a token that reaches {wider:?}");
        } else if outcome.is_ok()
            && matches!(operation, Operation::AddMember(..) | Operation::UpdateMember(..))
        {
            for (own, before) in world.credentials.iter().zip(&before) {
                let now = world.reach(own).await;
                let wider: Vec<_> = now.difference(before).collect();
                assert!(wider.is_empty(), "{what} widened another credential: {wider:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_obtains_a_wider_one_with_any_operation() {
    for role in ROLES {
        for credential in 0..shapes().len() {
            try_everything(role, credential).await;
        }
    }
}
