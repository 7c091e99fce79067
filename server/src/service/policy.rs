//! The token policy of an organization: how long its tokens may live, and whether unrestricted tokens
//! reach it.

use super::audit::{Actor, Event, record};
use super::{InOrganization, authorize};
use crate::access::Action;
use crate::caller::Binding;
use crate::error::{Error, Result};
use crate::expiration::{Expiration, Lifetime};
use crate::records::TokenPolicy;
use crate::store::Purpose;
use chrono::{DateTime, TimeDelta, Utc};

impl InOrganization<'_> {
    /// Returns the token policy.
    pub async fn get_policy(self) -> Result<TokenPolicy> {
        let answer = self.service.store.access(self.credential, Some(self.slug)).await?;
        let (_, reach, _) = authorize(answer.access.clone(), Action::Read)?;
        Ok(reach.policy)
    }

    /// Replaces the token policy. It applies to tokens that are minted afterwards, and to
    /// expirations that a rotation asks for.
    pub async fn update_policy(self, policy: TokenPolicy) -> Result<TokenPolicy> {
        let (default, maximum) = (&policy.default_expiration, &policy.maximum_expiration);
        let length = |lifetime: &Lifetime| lifetime.duration().unwrap_or(TimeDelta::MAX);
        if length(default) > length(maximum) {
            let (default, maximum) = (default.as_str(), maximum.as_str());
            return Err(Error::Invalid(format!(
                "the default {default} is longer than the maximum {maximum}: use a shorter default"
            )));
        }
        let policy = &policy;
        self.write(Purpose::Change, |mut change| async move {
            let (caller, reach, _) = self.authorize(&mut change, Action::ManagePolicy).await?;
            if !policy.allow_unrestricted && caller.binding == Binding::Unrestricted {
                return Err(Error::Conflict(
                    "this token would no longer reach the organization: use one that is bound to it"
                        .to_owned(),
                ));
            }
            if reach.policy != *policy {
                change.update_policy(reach.id, policy);
                let event = Event::OrgTokenPolicyUpdate { policy, previous: &reach.policy };
                record(&mut change, reach.head, Actor::Caller(&caller), [event]);
            }
            Ok((change, policy.clone()))
        })
        .await
    }
}

/// Returns when a token expires that is minted or rotated now: as requested, or else by default of the
/// policy.
///
/// # Errors
/// [`Error::Invalid`] if that time has passed, or is later than the policy allows.
pub(super) fn expiry(
    policy: Option<&TokenPolicy>,
    requested: Option<Expiration>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let Some(TokenPolicy { default_expiration, maximum_expiration, .. }) = policy else {
        return requested.unwrap_or_default().resolve(now).map_err(Error::Invalid);
    };
    let default = || default_expiration.duration().map_or(Expiration::Never, Expiration::After);
    let expires_at = requested.unwrap_or_else(default).resolve(now).map_err(Error::Invalid)?;
    let Some(maximum) = maximum_expiration.duration() else { return Ok(expires_at) };
    let latest = now.checked_add_signed(maximum);
    if expires_at.is_some() && (latest.is_none() || expires_at <= latest) {
        return Ok(expires_at);
    }
    Err(Error::Invalid(format!(
        "the maximum lifetime of tokens in this organization is {}: use a shorter `expiration`",
        maximum_expiration.as_str()
    )))
}
