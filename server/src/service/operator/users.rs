//! The operator's operations on users. A disabled user keeps everything, but no server accepts a
//! token of theirs; a removed one loses all tokens and memberships. An organization keeps an owner
//! whose tokens are accepted.

use super::super::audit::{Actor, Event, RESERVED, record, revocations};
use super::super::members;
use super::{NO_USER, Operator};
use crate::error::{Error, Result};
use crate::name::{Email, Name};
use crate::store::{FoundUser, Membership, Purpose, Transaction};

impl Operator<'_> {
    /// Adds a user, who is a member of nothing yet.
    pub async fn add_user(&self, username: &Name, email: &Email) -> Result<()> {
        self.write(Purpose::Change, async |change| add(change, username, email).await).await
    }

    /// Makes every server refuse the tokens of a user from now on.
    pub async fn disable_user(&self, username: &Name) -> Result<()> {
        self.write(Purpose::Revocation, async |change| {
            let user = lock(change, username).await?;
            for Membership { slug, target, .. } in change.memberships(user.id).await? {
                members::keep_an_owner(&slug, username, &target.ok_or(NO_USER)?)?;
            }
            set_disabled(change, username, user, true);
            Ok(())
        })
        .await
    }

    /// Makes the servers accept the tokens of a disabled user again.
    pub async fn enable_user(&self, username: &Name) -> Result<()> {
        self.write(Purpose::Change, async |change| {
            let user = lock(change, username).await?;
            set_disabled(change, username, user, false);
            Ok(())
        })
        .await
    }

    /// Revokes all tokens of a user, ends all memberships and erases the email address. Returns how
    /// many tokens there were.
    pub async fn remove_user(&self, username: &Name) -> Result<usize> {
        self.write(Purpose::Revocation, async |change| {
            change.set_timeouts(None);
            let user = lock(change, username).await?;
            let count = end_memberships(change, username, &user).await?;
            let revoked = change.delete_unrestricted_tokens(user.id).await?;
            change.delete_user(user.id);
            let events = revocations(&revoked, "user-rm").chain([Event::UserRemove(username)]);
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
            "no user may be named {username}: the audit log gives this name to others, choose \
             another one"
        )));
    }
    let taken = || format!("there is a user named {username} already: choose another name");
    let added = change.insert_user(username, email).await;
    let user = added.map_err(|error| Error::from(error).or_taken(taken))?;
    // An organization may have added the user again at the moment of an earlier removal.
    end_memberships(change, username, &user).await?;
    record(change, user.head, Actor::Operator, [Event::UserAdd(username)]);
    Ok(())
}

/// Locks a user and the organizations that the user is a member of, and returns the user.
async fn lock(change: &mut Transaction, username: &Name) -> Result<FoundUser> {
    change.lock_user_and_memberships(username);
    change.user(username).await?.ok_or(NO_USER)
}

/// Removes a user from all organizations. Returns how many tokens were revoked.
async fn end_memberships(
    change: &mut Transaction,
    username: &Name,
    user: &FoundUser,
) -> Result<usize> {
    let mut count = 0;
    for membership in change.memberships(user.id).await? {
        count += members::remove(change, Actor::Operator, membership, username).await?;
    }
    Ok(count)
}

fn set_disabled(change: &mut Transaction, username: &Name, user: FoundUser, is_disabled: bool) {
    if user.is_disabled != is_disabled {
        change.set_disabled(user.id, is_disabled);
        let event =
            if is_disabled { Event::UserDisable(username) } else { Event::UserEnable(username) };
        record(change, user.head, Actor::Operator, [event]);
    }
}
