//! Mints tokens. A secret is returned once and never stored.

use super::audit::{Actor, Event, record};
use super::{InOrganization, Service, authorize, policy};
use crate::access::{Action, OwnAction, decide_own};
use crate::caller::{Binding, Caller, Credential, UserId};
use crate::clock;
use crate::error::{Error, Result};
use crate::expiration::Expiration;
use crate::limits::{AllowedIps, Limits};
use crate::name::{Name, parse_positive};
use crate::records::{
    CreateTokenRequest, CreatedToken, MintRequest, MintedToken, Token, TokenPolicy,
};
use crate::scope::Scopes;
use crate::store::{Access, ChainHead, GROUP, Purpose, Transaction, WriteLock};
use crate::token::{PlainToken, TokenId};
use clap::ArgAction::Set;
use clap::Args;
use clap::builder::BoolishValueParser;
use std::num::NonZeroU32;

const UNRESTRICTED: Error =
    Error::Forbidden("this server mints no unrestricted tokens: name an `organization`");

pub(super) const NO_ADDRESS: Error = Error::TokenTooNarrow(
    "the calling token is accepted from none of the addresses in `allowed_ips`, or the two lists have \
     too many networks in common: use a few of the addresses that the calling token is accepted from",
);

/// Limits on mints, in addition to the policy of `access`. Concurrent mints do not lock each other out,
/// so together they may exceed a limit. The operator's own mints are not limited.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct MintPolicy {
    /// How many live tokens a user may have, without limit by default; `token mint` is not limited
    #[arg(long, value_name = "N", env = "ORGTOKENS_MAX_TOKENS_PER_USER")]
    #[arg(value_parser = parse_positive::<NonZeroU32>)]
    pub max_tokens_per_user: Option<NonZeroU32>,
    /// How many live tokens may be bound to an organization or its groups, without limit by default
    #[arg(long, value_name = "N", env = "ORGTOKENS_MAX_TOKENS_PER_ORGANIZATION")]
    #[arg(value_parser = parse_positive::<NonZeroU32>)]
    pub max_tokens_per_organization: Option<NonZeroU32>,
    /// Refuse to mint unrestricted tokens: a mint must name an organization
    #[arg(long, env = "ORGTOKENS_REFUSE_UNRESTRICTED_MINTS")]
    #[arg(action = Set, default_value = "false", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub refuse_unrestricted_mints: bool,
}

impl Service {
    /// Rejects a caller who may not mint any token, before the body of the request is read.
    pub async fn require_may_mint(&self, credential: &Credential) -> Result<()> {
        let caller = self.authenticate(credential).await?;
        decide_own(&caller.binding, OwnAction::ManageTokens).map(|_| ())
    }

    /// Mints a token for the caller's user. It is no wider than the calling token.
    pub async fn mint_token(
        &self,
        credential: &Credential,
        name: &Name,
        request: &MintRequest,
    ) -> Result<MintedToken> {
        let mint = Mint::new(name, request)?;
        let lock = match &request.organization {
            Some(slug) => WriteLock::Organization(slug.clone()),
            None if self.mint_policy.refuse_unrestricted_mints => return Err(UNRESTRICTED),
            None => WriteLock::User(match credential.accepted_as() {
                Some((_, user)) => user,
                None => self.authenticate(credential).await?.user,
            }),
        };
        Ok(self.mint(credential, &lock, mint).await?.minted)
    }

    async fn mint(
        &self,
        credential: &Credential,
        lock: &WriteLock,
        mint: Mint,
    ) -> Result<CreatedToken> {
        let (new, name) = (&mint, &mint.token.name);
        let attempt = || async move {
            self.write(credential, lock, Purpose::Change, |mut change| async move {
                let Authorized { caller, head, binding, policy } =
                    new.authorize(&mut change, credential).await?;
                self.mint_policy.check_quotas(&mut change, caller.user, &binding).await?;
                let expires_at = policy::expiry(policy.as_ref(), new.expiration, head.time)?;
                let limits = Limits { expires_at, allowed_ips: new.allowed_ips.clone() };
                let limits = limits.within(&caller.outer_limits()).ok_or(NO_ADDRESS)?;
                let expires_at = limits.expires_at;
                let (user, owner) = (caller.user, &caller.username);
                let grant = Grant { user, owner, binding, limits, head };
                new.add(&mut change, Actor::Caller(&caller), grant);
                Ok((change, expires_at))
            })
            .await
        };
        let mut minted = attempt().await;
        // The name of an expired token is free.
        if let (Err(Error::Taken), Some((_, user))) = (&minted, credential.accepted_as())
            && self.sweep_name(user, name).await?
        {
            minted = attempt().await;
        }
        // Does not describe the token that has the name, because the caller may not reach it.
        let taken = || format!("the token name {name} is not available: choose another one");
        let expires_at = minted.map_err(|error| error.or_taken(taken))?;
        Ok(CreatedToken { minted: mint.into_minted(), expires_at })
    }
}

impl InOrganization<'_> {
    /// Mints a token that is bound to the organization or to one of its groups. It is no wider than the
    /// calling token.
    pub async fn create_token(self, request: CreateTokenRequest) -> Result<CreatedToken> {
        let CreateTokenRequest { name, group, scopes, expiration, allowed_ips } = request;
        let request = MintRequest { organization: Some(self.slug.clone()), group, scopes };
        let mint = Mint { expiration, allowed_ips, ..Mint::new(&name, &request)? };
        let lock = WriteLock::Organization(self.slug.clone());
        self.service.mint(self.credential, &lock, mint).await
    }
}

impl MintPolicy {
    /// Rejects a mint above a quota.
    async fn check_quotas(
        &self,
        change: &mut Transaction,
        user: UserId,
        binding: &Binding,
    ) -> Result<()> {
        let limits = [self.max_tokens_per_user, self.max_tokens_per_organization];
        if limits == [None, None] {
            return Ok(());
        }
        // The store does not count if the limit is 0.
        let [user_limit, organization_limit] =
            limits.map(|limit| limit.map_or(0, |limit| limit.get().into()));
        let bound = binding.organization();
        let (of_user, of_organization) =
            change.count_tokens(user, user_limit, bound, organization_limit).await?;
        check_quota("a user", user_limit, of_user)?;
        check_quota("an organization", organization_limit, of_organization)
    }
}

fn check_quota(owner: &str, limit: i64, count: i64) -> Result<()> {
    if limit == 0 || count < limit {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "the limit of tokens for {owner} is {limit}, and it is reached: revoke a token that is not \
         needed, or ask the operator to raise the limit"
    )))
}

/// A mint that the policy allows.
struct Authorized {
    caller: Caller,
    head: ChainHead,
    binding: Binding,
    policy: Option<TokenPolicy>,
}

/// What a new token is granted, and the audit chain that its entry is added to.
pub(super) struct Grant<'a> {
    pub user: UserId,
    /// The name of the user.
    pub owner: &'a Name,
    pub binding: Binding,
    pub limits: Limits,
    pub head: ChainHead,
}

/// Generates a secret.
pub(super) fn new_secret() -> Result<PlainToken> {
    PlainToken::generate().map_err(|error| Error::internal(format!("no random bits: {error}")))
}

/// A token to mint. Its id and secret are generated before the transaction, so that a retry keeps them.
pub(super) struct Mint {
    token: Token,
    secret: PlainToken,
    expiration: Option<Expiration>,
    allowed_ips: Option<AllowedIps>,
}

impl Mint {
    /// Prepares a token.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `organization`, `group` and `scopes` do not fit together.
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

    /// Authenticates the caller, and applies the policy of `access`.
    async fn authorize(
        &self,
        change: &mut Transaction,
        credential: &Credential,
    ) -> Result<Authorized> {
        let Token { organization, group, scopes, .. } = &self.token;
        let Some(slug) = organization else {
            let Access { caller, user_head, .. } = change.access(credential, None).await?;
            decide_own(&caller.binding, OwnAction::MintUnrestricted)?;
            let (head, binding) = (user_head, Binding::Unrestricted);
            return Ok(Authorized { caller, head, binding, policy: None });
        };
        let (Some(group), Some(scopes)) = (group, *scopes) else {
            let access = change.access(credential, Some(slug)).await?;
            let (caller, reach, _) = authorize(access, Action::MintToken)?;
            let (binding, policy) = (Binding::Organization(reach.id), Some(reach.policy));
            return Ok(Authorized { caller, head: reach.head, binding, policy });
        };
        let (access, group) = change.access_to(&GROUP, credential, slug, group).await?;
        let (caller, reach, _) = authorize(access, Action::MintGroupToken)?;
        let group = group.ok_or(Error::NO_GROUP)?.uuid;
        let binding = Binding::Group { organization: reach.id, group, scopes };
        Ok(Authorized { caller, head: reach.head, binding, policy: Some(reach.policy) })
    }

    /// Inserts the token, with its audit entry.
    pub fn add(&self, change: &mut Transaction, actor: Actor<'_>, grant: Grant<'_>) {
        let Grant { user, owner, binding, limits, head } = grant;
        let token = Token { created_at: head.time, ..self.token.clone() };
        change.insert_token(&token, &self.secret.digest(), user, &binding, &limits);
        let event = Event::UserTokenCreate { token: &token, limits: &limits, owner };
        record(change, head, actor, [event]);
    }

    /// Returns the token with its secret, for the answer.
    pub fn into_minted(self) -> MintedToken {
        MintedToken { name: self.token.name, id: self.token.id, token: self.secret }
    }
}
