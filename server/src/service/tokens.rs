//! Lists and revokes tokens. [`minting`](super::minting) mints them.

use super::audit::{Actor, Event, REVOKE, record};
use super::list_cache::{CachedList, ListKey, Version};
use super::{InOrganization, Service, authorize, only_user, page_after};
use crate::access::{Action, Extent, OwnAction, decide, decide_own, may_do_all};
use crate::caller::Credential;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::records::{OrganizationToken, Page, Token, TokenDetails};
use crate::store::{
    Access, ChainHead, FoundDetails, FoundToken, Position, Purpose, Reach, Snapshot, TOKEN,
    TOKEN_DETAILS, TokenPage, Transaction, View, WriteLock,
};
use crate::token::TokenId;
use bytes::Bytes;
use chrono::{DateTime, Utc};

/// The position of a page of a list: after this token, in the list of the first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCursor(pub(super) Position, pub(super) ListKey);

/// Refuses a page of another list than the one before it: the caller's role decides what a list shows,
/// and has changed. The client would miss tokens or owners.
pub(super) fn require_same_list(after: Option<TokenCursor>, key: ListKey) -> Result<()> {
    let is_other = after.is_some_and(|after| after.1 != key);
    if is_other {
        Err(Error::Forbidden("your role has changed: read the list again"))
    } else {
        Ok(())
    }
}

impl Service {
    /// Lists the tokens of the caller's user within the token's binding, in the order of minting.
    pub async fn list_own_tokens(
        &self,
        credential: &Credential,
        after: Option<Position>,
    ) -> Result<Page<Token, Position>> {
        let range = page_after(after);
        self.read(View::TokenPage, |mut view| async move {
            let (access, page) = view.own_tokens(credential, range).await?;
            decide_own(&access.caller.binding, OwnAction::ManageTokens)?;
            Ok(page)
        })
        .await
    }

    /// Returns when the calling token expires, if it does.
    pub async fn validate(&self, credential: &Credential) -> Result<Option<DateTime<Utc>>> {
        Ok(self.store.access(credential, None).await?.access.caller.valid_until)
    }

    /// Revokes a token of the caller's user, within the token's binding.
    pub async fn revoke_own_token(&self, credential: &Credential, name: &Name) -> Result<()> {
        // The lock depends on the binding of the token.
        let find = |mut view: Snapshot| async move {
            Ok(view.access_to_own_token(credential, name).await?)
        };
        let (access, located) = self.read(View::Statement, find).await?;
        decide_own(&access.caller.binding, OwnAction::ManageTokens)?;
        let located = located.ok_or(Error::NO_TOKEN)?;
        let lock = match &located.token.organization {
            Some(slug) => WriteLock::Organization(slug.clone()),
            None => WriteLock::User(access.caller.user),
        };
        let located = located.token.id;
        self.write(credential, &lock, Purpose::Revocation, |mut change| async move {
            let (access, token) = change.access_to_own_token(credential, name).await?;
            let Access { caller, user_head, organization, .. } = access;
            // Another token may have got the name meanwhile.
            let bound = caller.binding.organization();
            let is_meant = |token: &FoundToken| {
                token.token.id == located && (bound.is_none() || token.organization == bound)
            };
            let token = token.filter(is_meant).ok_or(Error::NO_TOKEN)?;
            let head = organization.map_or(user_head, |reach| reach.head);
            revoke(&mut change, Actor::Caller(&caller), head, &token);
            Ok((change, ()))
        })
        .await
    }
}

impl InOrganization<'_> {
    /// Returns the result of [`Self::list_tokens`] without the database, if the cache has it and it has one
    /// page.
    pub fn cached_tokens(self) -> Option<Bytes> {
        let answer = self.service.store.cached_access(self.credential, Some(self.slug))?;
        self.unchanged_tokens(&answer.access)
    }

    /// Returns the cached list of the caller, if it is unchanged.
    fn unchanged_tokens(&self, access: &Access) -> Option<Bytes> {
        let (key, version) = list_key(access).ok()?;
        // The later of both times: a cached access is old, and the server's clock may be behind PostgreSQL's.
        let now = || access.time.max(self.service.store.clock().now());
        self.service.list_cache.get(&key, version?, now)
    }

    /// Lists the tokens that are bound to an organization, in the order of minting: all of them for owners
    /// and admins, the caller's own for other members. Returns a page, serialized by `write`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if the caller sees other tokens than on the previous page.
    pub async fn list_tokens(
        self,
        after: Option<TokenCursor>,
        write: impl Fn(Vec<OrganizationToken>) -> Result<Bytes>,
    ) -> Result<(Bytes, Option<TokenCursor>)> {
        let range = page_after(after.map(|after| after.0));
        let (write, cache) = (&write, &self.service.list_cache);
        let sees_all = |role| may_do_all(role, Action::ManageTokens);
        let (credential, slug, store) = (self.credential, self.slug, &self.service.store);
        if after.is_none()
            && let Some(bytes) = self.cached_tokens()
        {
            return Ok((bytes, None));
        }
        // If the list has probably not changed, it is enough to authenticate the caller.
        if after.is_none()
            && let Some(latest) = store.last_known_access(credential, slug)
            && self.unchanged_tokens(&latest.access).is_some()
            && let Some(bytes) =
                self.unchanged_tokens(&store.access(credential, Some(slug)).await?.access)
        {
            return Ok((bytes, None));
        }
        // In a box, so that the futures of requests that are answered from the cache stay small.
        Box::pin(self.read(View::TokenPage, |mut view| async move {
            let listed = view.organization_tokens(credential, slug, sees_all, range);
            let (access, page) = listed.await?;
            let (key, version) = list_key(&access)?;
            require_same_list(after, key)?;
            let TokenPage { tokens, valid_until } = page;
            let bytes = write(tokens.items)?;
            if let Some(version) = version
                && after.is_none()
                && tokens.next.is_none()
            {
                cache.insert(key, CachedList { version, valid_until, bytes: bytes.clone() });
            }
            Ok((bytes, tokens.next.map(|position| TokenCursor(position, key))))
        }))
        .await
    }

    /// Returns a token that the caller can list. Callers who can list all tokens also see the owner.
    pub async fn get_token(self, id: TokenId) -> Result<TokenDetails> {
        self.read(View::Statement, |mut view| async move {
            let found = view.access_to(&TOKEN_DETAILS, self.credential, self.slug, id).await?;
            let (access, token) = found;
            let (caller, _, extent) = authorize(access, Action::ManageTokens)?;
            let FoundDetails { mut details, .. } = token
                .filter(|token| extent == Extent::All || token.user == caller.user)
                .ok_or(Error::NO_TOKEN)?;
            if extent == Extent::Own {
                details.owner = None;
            }
            Ok(details)
        })
        .await
    }

    /// Revokes a token that the caller can list.
    pub async fn revoke_token(self, id: TokenId) -> Result<()> {
        self.write(Purpose::Revocation, |mut change| async move {
            let (access, token) = change.access_to(&TOKEN, self.credential, self.slug, id).await?;
            let (caller, reach, extent) = authorize(access, Action::ManageTokens)?;
            let token = token.filter(|token| {
                token.organization == Some(reach.id)
                    && (extent == Extent::All || token.user == caller.user)
            });
            let token = token.ok_or(Error::NO_TOKEN)?;
            revoke(&mut change, Actor::Caller(&caller), reach.head, &token);
            Ok((change, ()))
        })
        .await
    }
}

/// Returns the key of the list that the caller sees, and its version if the store can tell it.
fn list_key(access: &Access) -> Result<(ListKey, Option<Version>)> {
    let reach = access.organization.as_ref().ok_or(Error::NO_ORGANIZATION)?;
    let Reach { id, role, head, .. } = reach;
    let extent = decide(&access.caller.binding, reach.place(), *role, Action::ManageTokens)?;
    let key = ListKey(*id, only_user(extent, &access.caller));
    let version = |foreign_commits| Version { hash: head.hash, foreign_commits };
    Ok((key, access.foreign_commits.map(version)))
}

/// Revokes a token, with its audit entry.
pub(super) fn revoke(
    change: &mut Transaction,
    actor: Actor<'_>,
    head: ChainHead,
    found: &FoundToken,
) {
    change.delete_token(found);
    let event = Event::UserTokenRevoke { token: &found.token, owner: &found.owner, cause: REVOKE };
    record(change, head, actor, [event]);
}
