//! The operator's operations on users. A disabled user keeps tokens and memberships, but no server accepts
//! the tokens. A removed user loses both. Every organization keeps an owner who is not disabled.

use super::super::audit::{Actor, Event, RESERVED, record, revocations};
use super::super::members;
use super::{NO_USER, Operator};
use crate::error::{Error, Result};
use crate::name::{Email, Name};
use crate::store::{FoundUser, Membership, Purpose, Transaction};

impl Operator<'_> {
    /// Adds a user without memberships.
    pub async fn add_user(&self, username: &Name, email: &Email) -> Result<()> {
        self.write(Purpose::Change, async |change| add(change, username, email).await).await
    }

    /// Disables a user: every server refuses the user's tokens from now on.
    pub async fn disable_user(&self, username: &Name) -> Result<()> {
        self.write(Purpose::Revocation, async |change| {
            let user = lock(change, username).await?;
            for Membership { slug, target, .. } in change.memberships(user.id).await? {
                members::keep_an_owner(&slug, username, &target.ok_or(NO_USER)?)?;
            }
            set_disabled(change, user, true);
            Ok(())
        })
        .await
    }

    /// Enables a disabled user: every server accepts the user's tokens again.
    pub async fn enable_user(&self, username: &Name) -> Result<()> {
        self.write(Purpose::Change, async |change| {
            let user = lock(change, username).await?;
            set_disabled(change, user, false);
            Ok(())
        })
        .await
    }

    /// Removes a user: revokes all tokens, ends all memberships and erases the email address. Returns how
    /// many tokens were revoked.
    pub async fn remove_user(&self, username: &Name) -> Result<usize> {
        self.write(Purpose::Revocation, async |change| {
            change.set_timeouts(None);
            let user = lock(change, username).await?;
            let count = end_memberships(change, &user).await?;
            let revoked = change.delete_unrestricted_tokens(user.id).await?;
            change.delete_user(user.id);
            let events = revocations(&revoked, "user-rm").chain([Event::UserRm(username)]);
            record(change, user.head, Actor::Operator, events);
            Ok(count + revoked.len())
        })
        .await
    }
}

/// Adds a user.
pub(super) async fn add(change: &mut Transaction, username: &Name, email: &Email) -> Result<()> {
    if RESERVED.iter().any(|name| name.eq_ignore_ascii_case(username.as_str())) {
        return Err(Error::Invalid(format!(
            "no user may be named {username}, which is a reserved author of the audit log: choose \
             another name"
        )));
    }
    let taken = || format!("there is a user named {username} already: choose another name");
    let added = change.insert_user(username, email).await;
    let user = added.map_err(|error| Error::from(error).or_taken(taken))?;
    // An organization may have added a user of this name while an earlier one was being removed.
    end_memberships(change, &user).await?;
    record(change, user.head, Actor::Operator, [Event::UserAdd(username)]);
    Ok(())
}

/// Locks a user and the user's organizations. Returns the user.
async fn lock(change: &mut Transaction, username: &Name) -> Result<FoundUser> {
    change.lock_user_and_memberships(username);
    change.user(username).await?.ok_or(NO_USER)
}

/// Removes a user from all organizations. Returns how many tokens were revoked.
async fn end_memberships(change: &mut Transaction, user: &FoundUser) -> Result<usize> {
    let mut count = 0;
    for membership in change.memberships(user.id).await? {
        count += members::remove(change, Actor::Operator, membership, &user.username).await?;
    }
    Ok(count)
}

fn set_disabled(change: &mut Transaction, user: FoundUser, is_disabled: bool) {
    if user.is_disabled == is_disabled {
        return;
    }
    change.set_disabled(user.id, is_disabled);
    let name = &user.username;
    let event = if is_disabled { Event::UserDisable(name) } else { Event::UserEnable(name) };
    record(change, user.head, Actor::Operator, [event]);
}
