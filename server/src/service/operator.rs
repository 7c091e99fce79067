//! The operations of the server's own command line. It holds no token, so no policy is asked. The
//! audit log names the operator as their author; a new user belongs to nothing yet, so adding one
//! has no entry.

use super::audit::{Actor, Event, record};
use super::tokens::Mint;
use super::{Service, members, retry};
use crate::caller::{Binding, Role};
use crate::error::{Error, Result};
use crate::name::{Email, Name, Slug};
use crate::records::{Member, MintRequest};
use crate::store::{self, AuditReport, CheckReport, FoundUser, Purpose, Transaction, Turn, View};
use crate::token::PlainToken;
use std::path::Path;

/// The operations of the command line on the database.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'a>(pub &'a Service);

/// The name of the token that `init` mints.
const FIRST_TOKEN: &str = "first";

impl Operator<'_> {
    /// Fills a new database: an organization, its owner, and an unrestricted token of the owner.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the database has an organization already; it is unchanged.
    pub async fn init(&self, slug: &Slug, username: &Name, email: &Email) -> Result<PlainToken> {
        let name = FIRST_TOKEN.parse().map_err(|error: String| Error::internal(error))?;
        let mint = Mint::new(&name, &MintRequest::default())?;
        let new = &mint;
        self.write(async |change| {
            change.lock_database();
            if change.is_initialised().await? {
                return Err(Error::Conflict(
                    "the database was initialised already: nothing was changed".to_owned(),
                ));
            }
            let user = add_user(change, username, email).await?;
            add_organization(change, slug, (&user, username)).await?;
            mint_for(change, new, username, user);
            Ok(())
        })
        .await?;
        Ok(mint.into_minted().token)
    }

    /// Adds a user, who is a member of nothing yet.
    pub async fn add_user(&self, username: &Name, email: &Email) -> Result<()> {
        self.write(async |change| {
            add_user(change, username, email).await?;
            Ok(())
        })
        .await
    }

    /// Adds an organization with its owner.
    pub async fn add_organization(&self, slug: &Slug, owner: &Name) -> Result<()> {
        self.write(async |change| {
            let user = change.user(owner).await?.ok_or(Error::NO_USER)?;
            add_organization(change, slug, (&user, owner)).await?;
            Ok(())
        })
        .await
    }

    /// Gives a user any role in an organization.
    pub async fn set_member(&self, slug: &Slug, username: &Name, role: Role) -> Result<Member> {
        self.write(async |change| {
            change.lock_organization_as_operator(slug);
            let found = change.organization_and_user(slug, username).await?;
            let no_organization = Error::NotFound("no such organization: add it first");
            let (reach, target) = found.ok_or(no_organization)?;
            let actor = Actor::Operator;
            let member = members::set_role(change, actor, reach, username, target, role)?;
            Ok(member)
        })
        .await
    }

    /// Mints an unrestricted token for a user.
    pub async fn mint_token(&self, username: &Name, name: &Name) -> Result<PlainToken> {
        let mint = Mint::new(name, &MintRequest::default())?;
        let new = &mint;
        let minted = self.write(async |change| {
            change.lock_user_as_operator(username);
            let user = change.user(username).await?.ok_or(Error::NO_USER)?;
            mint_for(change, new, username, user);
            Ok(())
        });
        let taken = || {
            format!(
                "{username} has a token named {name} already: revoke it, or choose another name"
            )
        };
        minted.await.map_err(|error| error.or_taken(taken))?;
        Ok(mint.into_minted().token)
    }

    /// Copies everything to a new file, while it is in use.
    ///
    /// # Errors
    /// The store's own, which say more than a client of the API may learn.
    pub async fn back_up(&self, target: &Path) -> store::Result<()> {
        self.0.store.back_up(target).await
    }

    /// Checks the whole database.
    ///
    /// # Errors
    /// The store's own, as for [`Operator::back_up`].
    pub async fn check(&self) -> store::Result<CheckReport> {
        self.0.store.check().await
    }

    /// Compares the audit log with its hash chains.
    ///
    /// # Errors
    /// The store's own, as for [`Operator::back_up`].
    pub async fn verify_audit(&self) -> store::Result<AuditReport> {
        self.0.store.read(View::Snapshot).await?.verify_audit().await
    }

    async fn write<T>(&self, operation: impl AsyncFn(&mut Transaction) -> Result<T>) -> Result<T> {
        retry(async || {
            let mut change = self.0.store.write(&Turn::Free, Purpose::Change).await?;
            let value = operation(&mut change).await?;
            change.commit().await?;
            Ok(value)
        })
        .await
    }
}

async fn add_user(change: &mut Transaction, username: &Name, email: &Email) -> Result<FoundUser> {
    let taken = || format!("there is a user named {username} already: choose another name");
    let added = change.insert_user(username, email).await;
    added.map_err(|error| Error::from(error).or_taken(taken))
}

async fn add_organization(
    change: &mut Transaction,
    slug: &Slug,
    (user, owner): (&FoundUser, &Name),
) -> Result<()> {
    let taken = || format!("there is an organization {slug} already: choose another slug");
    let added = change.insert_organization(slug).await;
    let (id, head) = added.map_err(|error| Error::from(error).or_taken(taken))?;
    change.insert_member(id, user.id, owner, Role::Owner);
    let event = Event::MemberAdd { username: owner, role: Role::Owner };
    record(change, head, Actor::Operator, [event]);
    Ok(())
}

fn mint_for(
    change: &mut Transaction,
    mint: &Mint,
    username: &Name,
    FoundUser { id, head }: FoundUser,
) {
    mint.add(change, Actor::Operator, (id, username), &Binding::Unrestricted, head);
}
