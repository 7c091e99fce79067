//! Minting, listing and revoking tokens. A secret is returned once and never stored.

use super::audit::{Actor, Event, REVOKE, record};
use super::texts::{List, Text, Version};
use super::{InOrganization, MintPolicy, Service, page_size, policy, reach};
use crate::access::{Action, Extent, OwnAction, decide, decide_own, may_do_all};
use crate::caller::{Binding, Caller, Credential, UserId};
use crate::clock;
use crate::error::{Error, Result};
use crate::expiration::Expiration;
use crate::limits::{AllowedIps, Limits};
use crate::name::Name;
use crate::records::{
    CreateTokenRequest, CreatedToken, MintRequest, MintedToken, OrganizationToken, Page, Token,
    TokenDetails, TokenPolicy,
};
use crate::scope::Scopes;
use crate::store::{
    Access, ChainHead, FoundDetails, FoundToken, GROUP, Position, Purpose, Reach, Snapshot, TOKEN,
    TOKEN_DETAILS, TokenPage, Transaction, Turn, View,
};
use crate::token::{PlainToken, TokenId};
use bytes::Bytes;
use chrono::{DateTime, Utc};

const UNRESTRICTED: Error =
    Error::Forbidden("this server mints no unrestricted tokens: name an `organization`");

pub(super) const NO_ADDRESS: Error = Error::TokenTooNarrow(
    "this token is accepted from none of the addresses in `allowed_ips`, or too many networks remain: \
     name some of its own",
);

impl Service {
    /// Lists the tokens of the caller's user within the token's binding, in the order of minting.
    pub async fn list_own_tokens(
        &self,
        credential: &Credential,
        after: Option<Position>,
    ) -> Result<Page<Token, Position>> {
        let range = (after.unwrap_or(0), page_size(after.as_ref()));
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

    /// Requires that the caller may mint anything at all, before the request is read.
    pub async fn may_mint(&self, credential: &Credential) -> Result<()> {
        let caller = self.authenticate(credential).await?;
        decide_own(&caller.binding, OwnAction::ManageTokens).map(|_| ())
    }

    /// Mints a token for the caller's user, no wider than the caller's own.
    pub async fn mint_token(
        &self,
        credential: &Credential,
        name: &Name,
        request: &MintRequest,
    ) -> Result<MintedToken> {
        let mint = Mint::new(name, request)?;
        let turn = match &request.organization {
            Some(slug) => Turn::Organization(slug.clone()),
            None if self.mint_policy.refuse_unrestricted_mints => return Err(UNRESTRICTED),
            None => Turn::User(match credential.accepted_as() {
                Some((_, user)) => user,
                None => self.authenticate(credential).await?.user,
            }),
        };
        Ok(self.mint(credential, &turn, mint).await?.minted)
    }

    async fn mint(&self, credential: &Credential, turn: &Turn, mint: Mint) -> Result<CreatedToken> {
        let (new, name) = (&mint, &mint.token.name);
        let attempt = || async move {
            self.write(credential, turn, Purpose::Change, |mut change| async move {
                let Minter { caller, head, binding, policy } =
                    new.minter(&mut change, credential).await?;
                self.mint_policy.require_room(&mut change, caller.user, &binding).await?;
                let expires_at = policy::expiry(policy.as_ref(), new.expiration, head.time)?;
                let limits = Limits { expires_at, allowed_ips: new.allowed_ips.clone() };
                let limits = limits.within(&caller.outer_limits()).ok_or(NO_ADDRESS)?;
                let owner = (caller.user, &caller.username);
                new.add(&mut change, Actor::Caller(&caller), owner, (&binding, &limits), head);
                Ok((change, limits.expires_at))
            })
            .await
        };
        let mut minted = attempt().await;
        // The name of a token that has expired is free.
        if let (Err(Error::Taken), Some((_, user))) = (&minted, credential.accepted_as())
            && self.sweep_name(user, name).await?
        {
            minted = attempt().await;
        }
        // It says nothing about the token that has the name: the caller may not reach it.
        let taken = || format!("the token name {name} is not available: choose another one");
        let expires_at = minted.map_err(|error| error.or_taken(taken))?;
        Ok(CreatedToken { minted: mint.into_minted(), expires_at })
    }

    /// Revokes a token of the caller's user, within the token's binding.
    pub async fn revoke_own_token(&self, credential: &Credential, name: &Name) -> Result<()> {
        // What to lock depends on where the token is bound.
        let find = |mut view: Snapshot| async move {
            Ok(view.access_to_own_token(credential, name).await?)
        };
        let (access, located) = self.read(View::Statement, find).await?;
        decide_own(&access.caller.binding, OwnAction::ManageTokens)?;
        let located = located.ok_or(Error::NO_TOKEN)?;
        let turn = match &located.token.organization {
            Some(slug) => Turn::Organization(slug.clone()),
            None => Turn::User(access.caller.user),
        };
        let located = located.token.id;
        self.write(credential, &turn, Purpose::Revocation, |mut change| async move {
            let (access, token) = change.access_to_own_token(credential, name).await?;
            let Access { caller, user_head, organization, .. } = access;
            // A token that got the name meanwhile is another one.
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
    /// Returns the first page of [`Self::list_tokens`], if it is the only one and known without the
    /// database.
    pub fn remembered_tokens(self) -> Option<Bytes> {
        let answer = self.service.store.remembered_access(self.credential, Some(self.slug))?;
        self.unchanged_tokens(&answer.access)
    }

    fn unchanged_tokens(&self, access: &Access) -> Option<Bytes> {
        let (list, version) = list(access).ok()?;
        // A remembered access is old, and a server's clock is not PostgreSQL's.
        let now = || access.time.max(self.service.store.clock().now());
        self.service.texts.get(&list, version?, now)
    }

    /// Lists the tokens that act on an organization, in the order of minting: all of them for owners
    /// and admins, the caller's own for other members. Returns what `write` makes of a page.
    pub async fn list_tokens(
        self,
        after: Option<Position>,
        write: impl Fn(Vec<OrganizationToken>) -> Result<Bytes>,
    ) -> Result<(Bytes, Option<Position>)> {
        let range = (after.unwrap_or(0), page_size(after.as_ref()));
        let (write, texts) = (&write, &self.service.texts);
        let sees_all = |role| may_do_all(role, Action::ManageTokens);
        let (credential, slug, store) = (self.credential, self.slug, &self.service.store);
        if after.is_none()
            && let Some(text) = self.remembered_tokens()
        {
            return Ok((text, None));
        }
        // If the list has probably not changed, it is enough to ask who asks.
        if after.is_none()
            && let Some(latest) = store.latest_access(credential, slug)
            && self.unchanged_tokens(&latest.access).is_some()
            && let Some(text) =
                self.unchanged_tokens(&store.access(credential, Some(slug)).await?.access)
        {
            return Ok((text, None));
        }
        // In a box, it takes no space in the futures of requests that read nothing.
        Box::pin(self.read(View::TokenPage, |mut view| async move {
            let listed = view.organization_tokens(credential, slug, sees_all, range);
            let (access, page) = listed.await?;
            let (list, version) = list(&access)?;
            let TokenPage { tokens, valid_until } = page;
            let text = write(tokens.items)?;
            if let Some(version) = version
                && after.is_none()
                && tokens.next.is_none()
            {
                texts.insert(list, Text { version, valid_until, bytes: text.clone() });
            }
            Ok((text, tokens.next))
        }))
        .await
    }

    /// Returns a token that the caller could list, with its owner for those who list all.
    pub async fn get_token(self, id: TokenId) -> Result<TokenDetails> {
        self.read(View::Statement, |mut view| async move {
            let asked =
                view.access_to(&TOKEN_DETAILS, self.credential, self.slug, id.as_bytes()).await?;
            let (access, token) = asked;
            let (caller, _, extent) = reach(access, Action::ManageTokens)?;
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

    /// Mints a token that is bound to the organization or to one of its groups, no wider than the
    /// caller's own.
    pub async fn create_token(self, request: CreateTokenRequest) -> Result<CreatedToken> {
        let CreateTokenRequest { name, group, scopes, expiration, allowed_ips } = request;
        let request = MintRequest { organization: Some(self.slug.clone()), group, scopes };
        let mint = Mint { expiration, allowed_ips, ..Mint::new(&name, &request)? };
        let turn = Turn::Organization(self.slug.clone());
        self.service.mint(self.credential, &turn, mint).await
    }

    /// Revokes a token that the caller could list.
    pub async fn revoke_token(self, id: TokenId) -> Result<()> {
        self.write(Purpose::Revocation, |mut change| async move {
            let (access, token) =
                change.access_to(&TOKEN, self.credential, self.slug, id.as_bytes()).await?;
            let (caller, reach, extent) = reach(access, Action::ManageTokens)?;
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

/// Returns the list that the caller sees, and the version that it has, if that can be told.
fn list(access: &Access) -> Result<(List, Option<Version>)> {
    let reach = access.organization.as_ref().ok_or(Error::NO_ORGANIZATION)?;
    let Reach { id, role, head, .. } = reach;
    let extent = decide(&access.caller.binding, reach.place(), *role, Action::ManageTokens)?;
    let list = List(*id, (extent == Extent::Own).then_some(access.caller.user));
    let version = |foreign_commits| Version { hash: head.hash, foreign_commits };
    Ok((list, access.foreign_commits.map(version)))
}

impl MintPolicy {
    /// Refuses a mint above a quota.
    async fn require_room(
        &self,
        change: &mut Transaction,
        user: UserId,
        binding: &Binding,
    ) -> Result<()> {
        let limits = [self.max_tokens_per_user, self.max_tokens_per_organization];
        if limits == [None, None] {
            return Ok(());
        }
        // Without a limit nothing is counted.
        let limits = limits.map(|limit| limit.map_or(0, |limit| limit.get().into()));
        let organization = (binding.organization(), limits[1]);
        let counts = change.count_tokens((user, limits[0]), organization).await?;
        for (index, of_what) in ["a user", "an organization"].into_iter().enumerate() {
            let limit = limits[index];
            if limit > 0 && counts[index] >= limit {
                return Err(Error::Conflict(format!(
                    "the limit for the tokens of {of_what} is {limit}, and it is reached: revoke one \
                     that is not needed, or ask the operator to raise the limit"
                )));
            }
        }
        Ok(())
    }
}

/// Who mints a token, where it acts, and what its organization says of it.
struct Minter {
    caller: Caller,
    head: ChainHead,
    binding: Binding,
    policy: Option<TokenPolicy>,
}

/// Returns a new secret.
pub(super) fn new_secret() -> Result<PlainToken> {
    PlainToken::generate().map_err(|error| Error::internal(format!("no random bits: {error}")))
}

/// A token to mint. Its id and secret are made once, so that a transaction can run again.
pub(super) struct Mint {
    token: Token,
    secret: PlainToken,
    expiration: Option<Expiration>,
    allowed_ips: Option<AllowedIps>,
}

impl Mint {
    /// Makes a token.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the parts of the request do not fit together.
    pub fn new(name: &Name, request: &MintRequest) -> Result<Self> {
        let MintRequest { organization, group, scopes } = request.clone();
        let invalid = |problem: &str| Err(Error::Invalid(problem.to_owned()));
        match (&organization, &group, scopes.as_deref()) {
            (_, None, Some(_)) => {
                return invalid("`scopes` need a `group`: name the group, or leave the scopes out");
            }
            (None, Some(_), _) => return invalid("`group` needs its `organization`: name it"),
            (_, Some(_), None | Some([])) => {
                return invalid("`group` needs `scopes`: name one at least, such as `read`");
            }
            (_, None, None) | (Some(_), Some(_), Some(_)) => {}
        }
        let secret = new_secret()?;
        let scopes = scopes.as_deref().map(Scopes::expand);
        let created_at = clock::system_time();
        let (name, id) = (name.clone(), TokenId::generate(created_at));
        let token = Token { name, id, organization, group, scopes, created_at };
        Ok(Self { token, secret, expiration: None, allowed_ips: None })
    }

    /// Returns who mints the token, if the policy of `access` allows it.
    async fn minter(&self, change: &mut Transaction, credential: &Credential) -> Result<Minter> {
        let Token { organization, group, scopes, .. } = &self.token;
        let Some(slug) = organization else {
            let Access { caller, user_head, .. } = change.access(credential, None).await?;
            decide_own(&caller.binding, OwnAction::MintUnrestricted)?;
            let (head, binding) = (user_head, Binding::Unrestricted);
            return Ok(Minter { caller, head, binding, policy: None });
        };
        let (Some(group), Some(scopes)) = (group, *scopes) else {
            let access = change.access(credential, Some(slug)).await?;
            let (caller, reach, _) = reach(access, Action::MintToken)?;
            let (binding, policy) = (Binding::Organization(reach.id), Some(reach.policy));
            return Ok(Minter { caller, head: reach.head, binding, policy });
        };
        let (access, group) = change.access_to(&GROUP, credential, slug, group.as_str()).await?;
        let (caller, reach, _) = reach(access, Action::MintGroupToken)?;
        let group = group.ok_or(Error::NO_GROUP)?.uuid;
        let binding = Binding::Group { organization: reach.id, group, scopes };
        Ok(Minter { caller, head: reach.head, binding, policy: Some(reach.policy) })
    }

    /// Adds the token of a user, with its audit entry.
    pub fn add(
        &self,
        change: &mut Transaction,
        actor: Actor<'_>,
        (user, owner): (UserId, &Name),
        (binding, limits): (&Binding, &Limits),
        head: ChainHead,
    ) {
        let token = Token { created_at: head.time, ..self.token.clone() };
        change.insert_token(&token, &self.secret.digest(), user, binding, limits);
        let event = Event::TokenCreate { token: &token, limits, owner };
        record(change, head, actor, [event]);
    }

    /// Returns the answer that shows the secret.
    pub fn into_minted(self) -> MintedToken {
        MintedToken { name: self.token.name, id: self.token.id, token: self.secret }
    }
}

/// Revokes a token, with its audit entry.
pub(super) fn revoke(
    change: &mut Transaction,
    actor: Actor<'_>,
    head: ChainHead,
    found: &FoundToken,
) {
    change.delete_token(found);
    let event = Event::TokenRevoke { token: &found.token, owner: &found.owner, cause: REVOKE };
    record(change, head, actor, [event]);
}
