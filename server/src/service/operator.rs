//! The operations of the server's own command line, on organizations, members and tokens. Those on users
//! are in `users`. Lists are read completely, without pages.
//!
//! The operator needs no token, and no policy limits them. Audit entries have the author `operator`.

mod users;
mod webhooks;

use super::audit::{Actor, Event, RESERVED, record};
use super::minting::{Grant, Mint};
use super::{Service, members, tokens};
use crate::caller::{Binding, Role};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::name::{Email, Name, Slug};
use crate::records::{
    AuditLogPage, Member, MintRequest, Organization, OrganizationToken, PageQuery, TokenPolicy,
};
use crate::store::{
    self, CheckReport, FoundToken, FoundUser, ListedUser, Membership, Purpose, Reach, Snapshot,
    TokenKey, Transaction, View, WriteLock,
};
use crate::token::PlainToken;

/// The operations of the command line on the database.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'a>(pub &'a Service);

/// The name of the token that `init` mints.
pub const FIRST_TOKEN: &str = "first";

const NO_ORGANIZATION: Error =
    Error::NotFound("no such organization: see `orgtokens-server organization list`");
const NO_USER: Error = Error::NotFound("no such user: see `orgtokens-server user list`");

impl Operator<'_> {
    /// Initializes a new database with an organization, its owner, and an unrestricted token of the owner.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the database has an organization already; it is unchanged.
    pub async fn init(&self, slug: &Slug, username: &Name, email: &Email) -> Result<PlainToken> {
        let name = FIRST_TOKEN.parse().map_err(|error: String| Error::internal(error))?;
        let mint = Mint::new(&name, &MintRequest::default())?;
        let new = &mint;
        self.write(Purpose::Change, async |change| {
            change.lock_database();
            if change.is_initialised().await? {
                return Err(Error::Conflict(
                    "the database was initialised already: nothing was changed".to_owned(),
                ));
            }
            users::add(change, username, email).await?;
            let user = change.user(username).await?.ok_or(NO_USER)?;
            add_organization(change, slug, &user).await?;
            insert_unrestricted(change, new, user);
            Ok(())
        })
        .await?;
        Ok(mint.into_minted().token)
    }

    /// Adds an organization with its owner.
    pub async fn add_organization(&self, slug: &Slug, owner: &Name) -> Result<()> {
        self.write(Purpose::Change, async |change| {
            let user = enabled_user(change, owner).await?;
            add_organization(change, slug, &user).await
        })
        .await
    }

    /// Resets the token policy of an organization to the default.
    pub async fn reset_token_policy(&self, slug: &Slug) -> Result<()> {
        self.write(Purpose::Change, async |change| {
            change.lock_organization_as_operator(slug);
            let found = change.organization(slug).await?.ok_or(NO_ORGANIZATION)?;
            let (policy, previous) = (&TokenPolicy::default(), &found.policy);
            if previous != policy {
                change.update_policy(found.id, policy);
                let event = Event::OrgTokenPolicyUpdate { policy, previous };
                record(change, found.head, Actor::Operator, [event]);
            }
            Ok(())
        })
        .await
    }

    /// Makes a user a member of an organization with any role, or changes the role of a member.
    pub async fn set_member(&self, slug: &Slug, username: &Name, role: Role) -> Result<Member> {
        self.write(Purpose::Change, async |change| {
            let membership = lock_member(change, slug, username).await?;
            members::set_role(change, Actor::Operator, membership, username, role)
        })
        .await
    }

    /// Removes a member, and revokes the member's tokens that are bound to the organization. Returns
    /// how many there were.
    pub async fn remove_member(&self, slug: &Slug, username: &Name) -> Result<usize> {
        self.write(Purpose::Revocation, async |change| {
            change.set_timeouts(None);
            let membership = lock_member(change, slug, username).await?;
            members::remove(change, Actor::Operator, membership, username).await
        })
        .await
    }

    /// Mints an unrestricted token for a user.
    pub async fn mint_token(&self, username: &Name, name: &Name) -> Result<PlainToken> {
        let mint = Mint::new(name, &MintRequest::default())?;
        let new = &mint;
        let attempt = async || {
            self.write(Purpose::Change, async |change| {
                let user = enabled_user(change, username).await?;
                insert_unrestricted(change, new, user);
                Ok(())
            })
            .await
        };
        let mut minted = attempt().await;
        // The name of an expired token is free.
        if let Err(Error::Taken) = minted
            && let Some(user) = self.snapshot().await?.user(username).await?
            && self.0.sweep_name(user.id, name).await?
        {
            minted = attempt().await;
        }
        let taken = || {
            format!(
                "{username} has a token named {name} already: revoke it, or choose another name"
            )
        };
        minted.map_err(|error| error.or_taken(taken))?;
        Ok(mint.into_minted().token)
    }

    /// Revokes a token of any user, and returns it.
    pub async fn revoke_token(&self, key: TokenKey<'_>) -> Result<FoundToken> {
        let no_token = || Error::NotFound("no such token: see `orgtokens-server token list`");
        self.write(Purpose::Revocation, async |change| {
            // The lock depends on the binding of the token.
            let (located, _) = change.token(key).await?.ok_or_else(no_token)?;
            match &located.token.organization {
                Some(slug) => change.lock_organization_as_operator(slug),
                None => change.lock_user_as_operator(&located.owner),
            }
            // By id, because another token may have got the name meanwhile.
            let found = change.token(TokenKey::Id(located.token.id)).await?;
            let (token, head) = found.ok_or_else(no_token)?;
            tokens::revoke(change, Actor::Operator, head, &token);
            Ok(token)
        })
        .await
    }

    /// Checks the whole database.
    ///
    /// # Errors
    /// The errors of the store, which contain details that clients of the API must not see.
    pub async fn check(&self) -> store::Result<CheckReport> {
        let mut report = self.0.store.check().await?;
        self.check_webhooks(&mut report).await?;
        for name in RESERVED.iter().filter_map(|name| name.parse::<Name>().ok()) {
            if self.0.store.read(View::Statement).await?.user(&name).await?.is_some() {
                report.faults.push(format!(
                    "a user is named {name}, which is a reserved author of the audit log: remove the \
                     user with `orgtokens-server user remove --username {name}`"
                ));
            }
        }
        Ok(report)
    }

    /// Lists all users, by username.
    pub async fn list_users(&self) -> Result<Vec<ListedUser>> {
        Ok(self.snapshot().await?.users().await?)
    }

    /// Lists all organizations, by slug.
    pub async fn list_organizations(&self) -> Result<Vec<Organization>> {
        Ok(self.snapshot().await?.all_organizations().await?)
    }

    /// Lists the members of an organization, by username.
    pub async fn list_members(&self, slug: &Slug) -> Result<Vec<Member>> {
        let mut view = self.snapshot().await?;
        let id = view.organization(slug).await?.ok_or(NO_ORGANIZATION)?.id;
        Ok(view.all_members(id).await?)
    }

    /// Lists tokens in the order of minting. `username` selects those of one user, `slug` those that are
    /// bound to one organization.
    pub async fn list_tokens(
        &self,
        username: Option<&Name>,
        slug: Option<&Slug>,
    ) -> Result<Vec<OrganizationToken>> {
        let mut view = self.snapshot().await?;
        let (mut user, mut organization) = (None, None);
        if let Some(username) = username {
            user = Some(view.user(username).await?.ok_or(NO_USER)?.id);
        }
        if let Some(slug) = slug {
            organization = Some(view.organization(slug).await?.ok_or(NO_ORGANIZATION)?.id);
        }
        Ok(view.tokens(user, organization).await?)
    }

    /// Returns a page of the audit log of an organization, or of the entries without an organization,
    /// newest first.
    pub async fn list_audit_logs(
        &self,
        slug: Option<&Slug>,
        query: PageQuery,
    ) -> Result<AuditLogPage> {
        let (skip, page_size) = (query.skipped(), query.page_size);
        let mut view = self.snapshot().await?;
        let (entries, total) = match slug {
            Some(slug) => {
                let Reach { id, head, .. } =
                    view.organization(slug).await?.ok_or(NO_ORGANIZATION)?;
                let last = head.entries - skip;
                (view.organization_audit_page(id, last, page_size).await?, head.entries)
            }
            None => view.unrestricted_audit_page(skip, page_size).await?,
        };
        Ok(AuditLogPage::new(entries, total, query))
    }

    /// Returns a snapshot without time limits, to read a list completely.
    async fn snapshot(&self) -> store::Result<Snapshot> {
        let mut view = self.0.store.read(View::Snapshot).await?;
        view.set_timeouts(None);
        Ok(view)
    }

    async fn write<T>(
        &self,
        purpose: Purpose,
        operation: impl AsyncFn(&mut Transaction) -> Result<T>,
    ) -> Result<T> {
        let operation = &operation;
        let owned = move |mut change: Transaction| async move {
            let value = operation(&mut change).await?;
            Ok((change, value))
        };
        self.0.transact(&WriteLock::None, purpose, owned).await
    }
}

/// Locks and returns a user. Rejects a disabled user.
async fn enabled_user(change: &mut Transaction, username: &Name) -> Result<FoundUser> {
    change.lock_user_as_operator(username);
    let user = change.user(username).await?.ok_or(NO_USER)?;
    if user.is_disabled {
        let enable = "enable the user first, with `orgtokens-server user enable`";
        return Err(Error::Conflict(format!("{username} is disabled: {enable}")));
    }
    Ok(user)
}

/// Locks an organization and a user, and returns both.
async fn lock_member(change: &mut Transaction, slug: &Slug, username: &Name) -> Result<Membership> {
    change.lock_organization_as_operator(slug);
    // So that a user who becomes an owner is not disabled at the same time.
    change.lock_user_as_operator(username);
    change.membership(slug, username).await?.ok_or(NO_ORGANIZATION)
}

async fn add_organization(change: &mut Transaction, slug: &Slug, owner: &FoundUser) -> Result<()> {
    let taken = || format!("there is an organization {slug} already: choose another slug");
    let added = change.insert_organization(slug).await;
    let (id, head) = added.map_err(|error| Error::from(error).or_taken(taken))?;
    change.insert_member(id, owner.id, &owner.username, Role::Owner);
    let event = Event::OrgMemberAdd { username: &owner.username, role: Role::Owner };
    record(change, head, Actor::Operator, [event]);
    Ok(())
}

fn insert_unrestricted(change: &mut Transaction, mint: &Mint, owner: FoundUser) {
    let FoundUser { id: user, username, head, .. } = owner;
    let (binding, limits) = (Binding::Unrestricted, Limits::default());
    mint.add(change, Actor::Operator, Grant { user, owner: &username, binding, limits, head });
}
