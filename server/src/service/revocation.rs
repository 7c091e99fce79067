//! Revokes many tokens at once: selected tokens of an organization, and leaked credentials. A leak report
//! needs no credential, and its answer says nothing about the reported ones.

use super::audit::{Actor, LEAK_REPORT, REVOKE, record, revocations};
use super::{InOrganization, Service, authorize, only_user};
use crate::access::{Action, Extent};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::records::{
    LeakReport, RevocationFilter, RevokeTokensRequest, RevokedTokenItem, RevokedTokens, Token,
};
use crate::store::{Purpose, Reach, Selection, TokensOf, View, WriteLock};
use crate::token::{PlainToken, TokenDigest, TokenId};

/// The maximum number of tokens that one request revokes, and of credentials in one report.
const MAX_TOKENS: usize = 1_000;

impl InOrganization<'_> {
    /// Revokes the selected tokens, oldest first. Tokens that the caller cannot list are left out.
    pub async fn revoke_tokens(self, request: RevokeTokensRequest) -> Result<RevokedTokens> {
        let in_use = self.in_use(request.filter.as_ref()).await?;
        let selection = selection(&request, &in_use)?;
        if request.dry_run {
            self.find_selected(selection).await
        } else {
            self.revoke_selected(selection).await
        }
    }

    async fn find_selected(&self, selection: Selection<'_>) -> Result<RevokedTokens> {
        self.read(View::Snapshot, |mut view| async move {
            let (caller, reach, extent) = self.authorize(&mut view, Action::ManageTokens).await?;
            let of = self.listed_tokens(&caller, &reach, extent);
            let mut tokens = view.selected_tokens(of, selection, MAX_TOKENS + 1).await?;
            let more = tokens.len() > MAX_TOKENS;
            tokens.truncate(MAX_TOKENS);
            Ok(RevokedTokens { tokens: items(tokens, extent), dry_run: true, more })
        })
        .await
    }

    async fn revoke_selected(&self, selection: Selection<'_>) -> Result<RevokedTokens> {
        self.write(Purpose::Revocation, |mut change| async move {
            let (caller, reach, extent) = self.authorize(&mut change, Action::ManageTokens).await?;
            let of = self.listed_tokens(&caller, &reach, extent);
            let tokens = change.delete_selected_tokens(of, selection, MAX_TOKENS).await?;
            let more = tokens.len() == MAX_TOKENS
                && !change.selected_tokens(of, selection, 1).await?.is_empty();
            if !tokens.is_empty() {
                let events = revocations(&tokens, REVOKE);
                record(&mut change, reach.head, Actor::Caller(&caller), events);
            }
            let tokens = items(tokens, extent);
            Ok((change, RevokedTokens { tokens, dry_run: false, more }))
        })
        .await
    }

    /// Returns the tokens that the caller can list.
    fn listed_tokens(&self, caller: &Caller, reach: &Reach, extent: Extent) -> TokensOf<'_> {
        TokensOf { slug: self.slug, organization: reach.id, user: only_user(extent, caller) }
    }

    /// Returns the tokens that a filter by last use must exclude: the calling token, and those whose use
    /// this server has not written yet.
    async fn in_use(&self, filter: Option<&RevocationFilter>) -> Result<Vec<TokenId>> {
        let Some(filter) = filter.filter(|filter| filter.asks_for_use()) else {
            return Ok(Vec::new());
        };
        let access = self.service.store.access(self.credential, Some(self.slug)).await?;
        let (caller, ..) = authorize(access.access.clone(), Action::ManageTokens)?;
        let Some(uses) = &self.service.uses else {
            let message = "this server does not record when tokens are used: use other members of \
                           the filter, or ask the operator to start it without --no-last-use";
            return Err(Error::Invalid(message.to_owned()));
        };
        // An unwritten use matters only if unused tokens are selected.
        if filter.last_used_before.is_none() && filter.never_used == Some(false) {
            return Ok(Vec::new());
        }
        Ok([vec![caller.token], uses.unwritten().await].concat())
    }
}

/// Returns the items of an answer. Callers who can list all tokens also see the owners.
fn items(tokens: Vec<(Token, Name)>, extent: Extent) -> Vec<RevokedTokenItem> {
    let item = |(Token { name, id, .. }, owner)| {
        let owner = (extent == Extent::All).then_some(owner);
        RevokedTokenItem { name, id, owner }
    };
    tokens.into_iter().map(item).collect()
}

/// Converts a request to a selection of tokens.
///
/// # Errors
/// [`Error::Invalid`] if it selects nothing or everything.
fn selection<'a>(request: &'a RevokeTokensRequest, in_use: &'a [TokenId]) -> Result<Selection<'a>> {
    let invalid = |message: &str| Err(Error::Invalid(message.to_owned()));
    match (&request.ids, &request.filter) {
        (Some(ids), None) if (1..=MAX_TOKENS).contains(&ids.len()) => Ok(Selection::Ids(ids)),
        (Some(_), None) => invalid("`ids` names 1 to 1000 tokens: split it up"),
        (None, Some(filter)) if *filter == RevocationFilter::default() => {
            invalid("the filter is empty, so it would select every token: add at least one member")
        }
        (None, Some(filter)) => Ok(Selection::Filter(filter, in_use)),
        _ => invalid("select the tokens by either `ids` or `filter`"),
    }
}

impl Service {
    /// Revokes the tokens with these secrets. Ignores strings that are not credentials.
    pub async fn revoke_leaked(&self, report: &LeakReport) -> Result<()> {
        if !(1..=MAX_TOKENS).contains(&report.credentials.len()) {
            let message = "a report names 1 to 1000 credentials: split it up";
            return Err(Error::Invalid(message.to_owned()));
        }
        let parsed = report.credentials.iter().filter_map(|text| text.parse::<PlainToken>().ok());
        let digests: Vec<TokenDigest> = parsed.map(|token| token.digest()).collect();
        let places = self.store.read(View::Statement).await?.places_of(&digests).await?;
        for place in &places {
            let digests = &digests;
            self.transact(&WriteLock::None, Purpose::Revocation, |mut change| async move {
                // Another report may have revoked them meanwhile.
                if let Some((head, revoked)) = change.delete_leaked_tokens(place, digests).await? {
                    let events = revocations(&revoked, LEAK_REPORT);
                    record(&mut change, head, Actor::LeakReport, events);
                }
                Ok((change, ()))
            })
            .await?;
        }
        Ok(())
    }
}
