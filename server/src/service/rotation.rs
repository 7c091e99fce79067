//! Rotates tokens: gives them a new secret, and records the use of an old one in the audit log.

use super::audit::{Actor, Event, record};
use super::minting::{NO_ADDRESS, new_secret};
use super::{InOrganization, Service, authorize, policy};
use crate::access::{Action, Extent, decide};
use crate::caller::{Caller, Origin};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::records::{
    CreatedToken, MintedToken, RotateTokenRequest, RotatedToken, Token, TokenDetails,
};
use crate::store::{
    Access, FoundDetails, FoundToken, Purpose, Reach, TOKEN_DETAILS, TokenKey, View, WriteLock,
};
use crate::token::{TokenDigest, TokenId};
use tokio::sync::mpsc::{Sender, channel};

const NOT_OWN_TOKEN: Error =
    Error::Forbidden("only the user of a token may rotate it: revoke it instead");

/// An old secret must not be enough to get a new one.
const OLD_SECRET: Error =
    Error::TokenTooNarrow("this secret was replaced: rotate the token with its newest one");

impl InOrganization<'_> {
    /// Gives a token of the caller's user a new secret. The caller must be able to mint such a token now.
    /// The limits of the token become no wider than those of the calling token.
    pub async fn rotate_token(
        self,
        id: TokenId,
        request: RotateTokenRequest,
    ) -> Result<RotatedToken> {
        let RotateTokenRequest { overlap, expiration } = request;
        let secret = new_secret()?;
        let digest = &secret.digest();
        let rotated = self.write(Purpose::Change, |mut change| async move {
            let (access, found) =
                change.access_to(&TOKEN_DETAILS, self.credential, self.slug, id).await?;
            let (caller, reach, details) = authorize_rotation(access, found)?;
            let TokenDetails { name, group, scopes, created_at, .. } = details;
            let time = reach.head.time;
            let expires_at = match expiration {
                None => details.expires_at,
                requested => policy::expiry(Some(&reach.policy), requested, time)?,
            };
            let limits = Limits { expires_at, allowed_ips: details.allowed_ips };
            let limits = limits.within(&caller.outer_limits()).ok_or(NO_ADDRESS)?;
            let overlap_ends = overlap.unwrap_or_default().end(time);
            let overlap_ends =
                overlap_ends.map(|end| limits.expires_at.map_or(end, |expiry| expiry.min(end)));
            change.rotate_token(reach.id, id, digest, &limits, time, overlap_ends);
            let organization = Some(self.slug.clone());
            let token = Token { name, id, organization, group, scopes, created_at };
            let event =
                Event::UserTokenRotate { token: &token, limits: &limits, owner: &caller.username };
            record(&mut change, reach.head, Actor::Caller(&caller), [event]);
            Ok((change, (token.name, limits.expires_at, overlap_ends)))
        });
        let (name, expires_at, previous_secret_expires_at) = rotated.await?;
        let created = CreatedToken { minted: MintedToken { name, id, token: secret }, expires_at };
        Ok(RotatedToken { created, previous_secret_expires_at })
    }
}

/// Returns the caller, the organization and the token, if the caller may rotate it.
fn authorize_rotation(
    access: Access,
    found: Option<FoundDetails>,
) -> Result<(Caller, Reach, TokenDetails)> {
    let (caller, reach, extent) = authorize(access, Action::ManageTokens)?;
    let FoundDetails { details, user } = found.ok_or(Error::NO_TOKEN)?;
    if user != caller.user {
        return Err(if extent == Extent::All { NOT_OWN_TOKEN } else { Error::NO_TOKEN });
    }
    if caller.token == details.id && caller.has_old_secret() {
        return Err(OLD_SECRET);
    }
    let mint = if details.group.is_some() { Action::MintGroupToken } else { Action::MintToken };
    decide(&caller.binding, reach.place(), reach.role, mint)?;
    Ok((caller, reach, details))
}

/// How many refused credentials may be queued for a look-up.
const QUEUE_LENGTH: usize = 1_024;

impl Service {
    /// Returns a queue for the digests and origins of refused credentials, and a background task that
    /// calls [`Self::note_reuse`] for each of them.
    pub fn note_reuses(self) -> (Sender<(TokenDigest, Origin)>, impl Future<Output = ()>) {
        let (sender, mut refused) = channel(QUEUE_LENGTH);
        let note = async move {
            while let Some((digest, origin)) = refused.recv().await {
                let _ = self.note_reuse(&digest, origin).await;
            }
        };
        (sender, note)
    }

    /// Adds an audit entry if this is an old secret of a rotated token. Each old secret gets one entry.
    pub async fn note_reuse(&self, digest: &TokenDigest, origin: Origin) -> Result<()> {
        let place = self.store.read(View::Statement).await?.retired_from(digest).await?;
        let Some(place) = &place else { return Ok(()) };
        self.transact(&WriteLock::None, Purpose::Change, |mut change| async move {
            let head = change.lock_place(place).await?;
            let (Some(head), Some(id)) = (head, change.note_reuse(digest).await?) else {
                return Ok((change, ()));
            };
            let found = change.token(TokenKey::Id(id)).await?;
            if let Some((FoundToken { token, owner, .. }, _)) = &found {
                let event = Event::UserTokenReuse { token, owner };
                record(&mut change, head, Actor::OldSecret(origin), [event]);
            }
            Ok((change, ()))
        })
        .await
    }
}
