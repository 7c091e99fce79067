//! Sweeping tokens that have expired, and secrets whose overlap has ended. No request accepts or lists
//! them any more; this removes them from the database, so that no clock that is set back revives them.

use super::Service;
use super::audit::{Actor, EXPIRED, record, revocations};
use crate::caller::UserId;
use crate::error::Result;
use crate::name::Name;
use crate::store::{Purpose, TokenPlace, Transaction, Turn, View};
use crate::token::TokenDigest;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How many tokens one transaction changes, so that no request waits long for it.
const BATCH: u32 = 500;

/// How often tokens are swept.
const INTERVAL: Duration = Duration::from_secs(1);

impl Service {
    /// Sweeps now and then, forever. What fails is tried again the next time.
    pub async fn sweep_regularly(self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let _ = self.sweep().await;
        }
    }

    /// Removes every token that has expired and ends every overlap that is over, in batches. Returns how
    /// many tokens there were.
    pub async fn sweep(&self) -> Result<usize> {
        while self.store.read(View::Statement).await?.has_ended_overlap().await?
            && self.end_overlaps().await? > 0
        {}
        let mut removed = 0;
        loop {
            let places = self.store.read(View::Statement).await?.expired_places(BATCH).await?;
            let before = removed;
            for place in &places {
                removed += self.sweep_place(place, None).await?;
            }
            // Another server may sweep too.
            if removed == before {
                return Ok(removed);
            }
        }
    }

    /// Frees the name of a token that has expired. Returns whether there was one.
    pub(super) async fn sweep_name(&self, user: UserId, name: &Name) -> Result<bool> {
        let place = self.store.read(View::Statement).await?.expired_place(user, name).await?;
        let Some(place) = place else { return Ok(false) };
        while self.sweep_place(&place, None).await? > 0 {}
        Ok(true)
    }

    /// Removes the token of a secret that was refused, if it has expired: the refusal is answered after
    /// that, so that it is final.
    pub async fn sweep_refused(&self, secret: &TokenDigest) -> Result<()> {
        let view = self.store.read(View::Statement);
        if let Some(place) = view.await?.expired_place_of(secret).await? {
            self.sweep_place(&place, Some(secret)).await?;
        }
        Ok(())
    }

    async fn end_overlaps(&self) -> Result<usize> {
        let end = |mut change: Transaction| async move {
            let ended = change.end_overlaps(BATCH).await?;
            Ok((change, ended))
        };
        self.transact(&Turn::Free, Purpose::Change, end).await
    }

    /// Removes a batch of the tokens that have expired at one place, or that of this secret alone.
    async fn sweep_place(&self, place: &TokenPlace, secret: Option<&TokenDigest>) -> Result<usize> {
        // The space that is reserved on a full disk is for revocations: these tokens are dead already.
        let removed = self.transact(&Turn::Free, Purpose::Change, |mut change| async move {
            let expired = match secret {
                Some(secret) => change.delete_expired_token(place, secret).await?,
                None => change.delete_expired_tokens(place, BATCH).await?,
            };
            let Some((head, removed)) = expired else { return Ok((change, 0)) };
            record(&mut change, head, Actor::Expiry, revocations(&removed, EXPIRED));
            Ok((change, removed.len()))
        });
        let removed = removed.await?;
        self.store.counts().swept_tokens.add(removed as u64);
        Ok(removed)
    }
}
