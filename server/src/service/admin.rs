//! What the server's own command line may do: it holds no token, so no policy
//! is asked. Its changes stand in the audit log as the operator's, but for a
//! new user, who belongs to nothing yet.

use super::Service;
use super::audit::{Actor, Event, record};
use super::{members, tokens};
use crate::access::{Binding, Role};
use crate::error::{Error, Result};
use crate::name::{Email, Name, Slug};
use crate::store::{self, AuditReport, CheckReport, Member, Transaction};
use crate::token::PlainToken;
use std::path::Path;

/// The verbs of whoever may run the command line on the database.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'a>(pub &'a Service);

/// The name of the token that `init` mints.
const FIRST_TOKEN: &str = "first";

impl Operator<'_> {
    /// Fills a new database: an organization, its owner, and an unrestricted token of theirs.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the database has an organization already; it is unchanged.
    pub async fn init(&self, slug: &Slug, username: &Name, email: &Email) -> Result<PlainToken> {
        let name = &FIRST_TOKEN.parse().map_err(|error: String| Error::internal(error))?;
        self.0
            .operate(move |mut change| async move {
                change.lock_database().await?;
                if change.is_initialised().await? {
                    return Err(Error::Conflict(
                        "the database was initialised already: nothing was changed".to_owned(),
                    ));
                }
                add_user(&mut change, username, email).await?;
                add_owner(&mut change, slug, username).await?;
                mint(change, username, name).await
            })
            .await
    }

    /// Adds a user, who is a member of nothing yet.
    pub async fn add_user(&self, username: &Name, email: &Email) -> Result<()> {
        self.0
            .operate(move |mut change| async move {
                add_user(&mut change, username, email).await?;
                Ok(change.commit().await?)
            })
            .await
    }

    /// Adds an organization with its owner.
    pub async fn add_organization(&self, slug: &Slug, owner: &Name) -> Result<()> {
        self.0
            .operate(move |mut change| async move {
                add_owner(&mut change, slug, owner).await?;
                Ok(change.commit().await?)
            })
            .await
    }

    /// Gives a user any role in an organization, whether they are a member or not.
    pub async fn set_member(&self, slug: &Slug, username: &Name, role: Role) -> Result<Member> {
        self.0
            .operate(move |mut change| async move {
                let organization = change.organization(slug).await?;
                let organization =
                    organization.ok_or(Error::NotFound("no such organization: add it first"))?;
                change.lock_organization(organization.id).await?;
                members::set_role(change, Actor::Operator, organization.id, username, role).await
            })
            .await
    }

    /// Copies everything to a new file, while it is in use.
    ///
    /// # Errors
    /// The store's own, which say more than a caller of the API may hear.
    pub async fn back_up(&self, target: &Path) -> store::Result<()> {
        self.0.store.back_up(target).await
    }

    /// Looks at everything that is kept.
    ///
    /// # Errors
    /// The store's own, as for [`Operator::back_up`].
    pub async fn check(&self) -> store::Result<CheckReport> {
        self.0.store.check().await
    }

    /// Holds the audit log against its hash chains.
    ///
    /// # Errors
    /// The store's own, as for [`Operator::back_up`].
    pub async fn verify_audit(&self) -> store::Result<AuditReport> {
        self.0.store.read().await?.verify_audit().await
    }

    /// Mints an unrestricted token for a user.
    pub async fn mint_token(&self, username: &Name, name: &Name) -> Result<PlainToken> {
        self.0.operate(move |change| async move { mint(change, username, name).await }).await
    }
}

async fn add_user(change: &mut Transaction, username: &Name, email: &Email) -> Result<()> {
    let taken = || format!("there is a user named {username} already: choose another name");
    let inserted = change.insert_user(username, email).await;
    inserted.map(|_| ()).map_err(|error| Error::taken(error, taken))
}

async fn add_owner(change: &mut Transaction, slug: &Slug, owner: &Name) -> Result<()> {
    let user = change.user(owner).await?.ok_or(Error::NO_USER)?;
    let taken = || format!("there is an organization {slug} already: choose another slug");
    let inserted = change.insert_organization(slug).await;
    let organization = inserted.map_err(|error| Error::taken(error, taken))?;
    change.put_member(organization, user.id, Role::Owner).await?;
    let event = Event::MemberAdd { username: owner, role: Role::Owner };
    record(change, Actor::Operator, Some(organization), event).await
}

async fn mint(mut change: Transaction, username: &Name, name: &Name) -> Result<PlainToken> {
    let user = change.user(username).await?.ok_or(Error::NO_USER)?;
    let owner = (user.id, username);
    Ok(tokens::mint(change, Actor::Operator, owner, name, Binding::Unrestricted).await?.token)
}
