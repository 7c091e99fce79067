//! Minting, listing and revoking tokens. What a caller may mint or end is
//! decided in `access`, never here; a secret is handed out once, and never
//! kept.

use super::audit::{Actor, Event, record};
use super::{Service, reach, reach_to_change};
use crate::access::{Action, Binding, Caller, Extent, OwnAction, UserId, decide_own};
use crate::error::{Error, Result};
use crate::name::{Name, Slug};
use crate::scope::{RequestedScope, Scopes};
use crate::store::{NewToken, Snapshot, Store, Token, TokenFilter, Transaction};
use crate::token::{PlainToken, TokenId};
use chrono::Utc;
use std::sync::Arc;

/// How many tokens of a list are held in memory at once.
const PAGE: u32 = 2_000;

/// What a mint request asks for, as it was sent.
#[derive(Clone, Debug, Default)]
pub struct MintRequest {
    /// The organization to bind to.
    pub organization: Option<Slug>,
    /// The group to bind to.
    pub group: Option<Name>,
    /// What the token may do in the group.
    pub scopes: Option<Vec<RequestedScope>>,
}

/// A token that was just minted: the one time that its secret is known.
#[derive(Debug)]
pub struct Minted {
    /// Its public id.
    pub id: TokenId,
    /// The credential.
    pub token: PlainToken,
}

/// A list of tokens, read page by page however long it is.
#[derive(Debug)]
pub struct TokenPages {
    store: Arc<Store>,
    filter: TokenFilter,
    first: Option<Vec<Token>>,
    after: Option<TokenId>,
    /// Whether the caller may see who minted each token.
    pub with_owner: bool,
}

impl TokenPages {
    async fn new(
        store: &Arc<Store>,
        view: &mut Snapshot,
        filter: TokenFilter,
        with_owner: bool,
    ) -> Result<Self> {
        let first = Some(view.tokens(filter, None, PAGE).await?);
        Ok(Self { store: Arc::clone(store), filter, first, after: None, with_owner })
    }

    /// The next page, oldest tokens first; whether it is the last one; `None` after that.
    pub async fn next(&mut self) -> Result<Option<(Vec<Token>, bool)>> {
        let page = match (self.first.take(), self.after) {
            (Some(first), _) => first,
            (None, Some(after)) => {
                self.store.read().await?.tokens(self.filter, Some(after), PAGE).await?
            }
            (None, None) => return Ok(None),
        };
        let is_last = page.len() < PAGE as usize;
        self.after = page.last().filter(|_| !is_last).map(|token| token.id);
        Ok(Some((page, is_last)))
    }
}

impl Service {
    /// The tokens that act on an organization: all of them for owners and admins, the
    /// caller's own for everybody else.
    pub async fn list_organization_tokens(
        &self,
        caller: &Caller,
        slug: &Slug,
    ) -> Result<TokenPages> {
        self.view(move |mut view| async move {
            let (organization, extent) =
                reach(&mut view, caller, slug, Action::ManageTokens).await?;
            let filter = match extent {
                Extent::All => TokenFilter::Organization(organization.id),
                Extent::Own => TokenFilter::UserIn(organization.id, caller.user),
            };
            TokenPages::new(&self.store, &mut view, filter, extent == Extent::All).await
        })
        .await
    }

    /// Revokes a token that the caller could list.
    pub async fn revoke_organization_token(
        &self,
        caller: &Caller,
        slug: &Slug,
        id: TokenId,
    ) -> Result<()> {
        self.urgently(caller, move |mut change| async move {
            let (organization, extent) =
                reach_to_change(&mut change, caller, slug, Action::ManageTokens).await?;
            let token = change.token(id).await?.filter(|token| {
                token.is_in(organization.id)
                    && (extent == Extent::All || token.owner.id == caller.user)
            });
            revoke(change, caller, &token.ok_or(Error::NO_TOKEN)?).await
        })
        .await
    }

    /// The tokens of the caller's user, within the token's binding.
    pub async fn list_own_tokens(&self, caller: &Caller) -> Result<TokenPages> {
        decide_own(&caller.binding, OwnAction::ManageTokens)?;
        let filter = match caller.binding.organization() {
            None => TokenFilter::User(caller.user),
            Some(organization) => TokenFilter::UserIn(organization, caller.user),
        };
        self.view(move |mut view| async move {
            TokenPages::new(&self.store, &mut view, filter, false).await
        })
        .await
    }

    /// Revokes a token of the caller's user, within the token's binding.
    pub async fn revoke_own_token(&self, caller: &Caller, name: &Name) -> Result<()> {
        decide_own(&caller.binding, OwnAction::ManageTokens)?;
        self.urgently(caller, move |mut change| async move {
            let token = own_token(&mut change, caller, name).await?;
            revoke(change, caller, &token.ok_or(Error::NO_TOKEN)?).await
        })
        .await
    }

    /// Says whether the caller may mint anything at all, before anybody looks at what.
    pub fn may_mint(&self, caller: &Caller) -> Result<()> {
        decide_own(&caller.binding, OwnAction::ManageTokens).map(|_| ())
    }

    /// Mints a token for the caller's user, no wider than the caller's own.
    pub async fn mint_token(
        &self,
        caller: &Caller,
        name: &Name,
        request: &MintRequest,
    ) -> Result<Minted> {
        self.may_mint(caller)?;
        let wanted = &Wanted::of(request)?;
        self.change(caller, move |mut change| async move {
            let binding = wanted.binding(&mut change, caller).await?;
            mint(change, Actor::Caller(caller), (caller.user, &caller.username), name, binding)
                .await
        })
        .await
    }
}

/// The three shapes that a mint request may have.
enum Wanted<'a> {
    Unrestricted,
    Organization(&'a Slug),
    Group(&'a Slug, &'a Name, Scopes),
}

impl<'a> Wanted<'a> {
    fn of(request: &'a MintRequest) -> Result<Self> {
        let problem = match (&request.organization, &request.group, request.scopes.as_deref()) {
            (None, None, None) => return Ok(Self::Unrestricted),
            (Some(organization), None, None) => return Ok(Self::Organization(organization)),
            (Some(organization), Some(group), Some(scopes)) if !scopes.is_empty() => {
                return Ok(Self::Group(organization, group, Scopes::expand(scopes)));
            }
            (_, None, Some(_)) => {
                "`scopes` need a `group`: name the group, or leave the scopes out"
            }
            (None, Some(_), _) => "`group` needs its `organization`: name it",
            (Some(_), Some(_), _) => "`group` needs `scopes`: name one at least, such as `read`",
        };
        Err(Error::Invalid(problem.to_owned()))
    }

    /// Where the new token acts, once the policy has allowed it.
    async fn binding(&self, change: &mut Transaction, caller: &Caller) -> Result<Binding> {
        match *self {
            Self::Unrestricted => {
                decide_own(&caller.binding, OwnAction::MintUnrestricted)?;
                Ok(Binding::Unrestricted)
            }
            Self::Organization(slug) => {
                let (organization, _) =
                    reach_to_change(change, caller, slug, Action::MintToken).await?;
                Ok(Binding::Organization(organization.id))
            }
            Self::Group(slug, name, scopes) => {
                let (organization, _) =
                    reach_to_change(change, caller, slug, Action::MintGroupToken).await?;
                let group = change.group(organization.id, name).await?.ok_or(Error::NO_GROUP)?;
                Ok(Binding::Group { organization: organization.id, group: group.uuid, scopes })
            }
        }
    }
}

/// Keeps a new token of a user, with its audit entry, and commits.
pub(super) async fn mint(
    mut change: Transaction,
    actor: Actor<'_>,
    (user, username): (UserId, &Name),
    name: &Name,
    binding: Binding,
) -> Result<Minted> {
    let generated = PlainToken::generate();
    let secret = generated.map_err(|error| Error::internal(format!("no random bits: {error}")))?;
    let (id, digest) = (TokenId::generate(), secret.digest());
    let new = NewToken { id, digest, name, user, binding, created_at: Utc::now() };
    let taken = || {
        format!("{username} has a token named {name} already: revoke it, or choose another name")
    };
    change.insert_token(&new).await.map_err(|error| Error::taken(error, taken))?;
    let kept = change.token(id).await?;
    let kept = kept.ok_or_else(|| Error::internal("a token is not there that was kept"))?;
    let event = Event::TokenCreate(&kept);
    record(&mut change, actor, binding.organization(), event).await?;
    change.commit().await?;
    Ok(Minted { id, token: secret })
}

/// The token of this name of the caller's user, within the token's binding.
async fn own_token(
    change: &mut Transaction,
    caller: &Caller,
    name: &Name,
) -> Result<Option<Token>> {
    let token = change.token_named(caller.user, name).await?;
    let Some(bound) = caller.binding.organization() else {
        let Some(organization) = token.as_ref().and_then(|token| token.organization.as_ref())
        else {
            return Ok(token);
        };
        change.lock_organization(organization.id).await?;
        // It may have been revoked while this waited.
        return Ok(change
            .token_named(caller.user, name)
            .await?
            .filter(|again| Some(again.id) == token.map(|token| token.id)));
    };
    Ok(token.filter(|token| token.is_in(bound)))
}

async fn revoke(mut change: Transaction, caller: &Caller, token: &Token) -> Result<()> {
    revoke_one(&mut change, Actor::Caller(caller), token, "revoke").await?;
    Ok(change.commit().await?)
}

/// Revokes every token of a list, in a transaction that has more to do.
pub(super) async fn revoke_all(
    change: &mut Transaction,
    actor: Actor<'_>,
    filter: TokenFilter,
    cause: &'static str,
) -> Result<()> {
    loop {
        let page = change.tokens(filter, None, PAGE).await?;
        for token in &page {
            revoke_one(change, actor, token, cause).await?;
        }
        if page.len() < PAGE as usize {
            return Ok(());
        }
        // Others have their turn on this thread.
        tokio::task::yield_now().await;
    }
}

async fn revoke_one(
    change: &mut Transaction,
    actor: Actor<'_>,
    token: &Token,
    cause: &'static str,
) -> Result<()> {
    change.delete_token(token).await?;
    let organization = token.organization.as_ref().map(|organization| organization.id);
    record(change, actor, organization, Event::TokenRevoke { token, cause }).await
}
