//! Sweeps: removes expired tokens from the database, and old secrets whose overlap has ended. Requests
//! already refuse them and do not list them. Removing them makes this final, even if a clock is set back.

use super::Service;
use super::audit::{Actor, EXPIRED, record, revocations};
use crate::caller::UserId;
use crate::error::Result;
use crate::name::Name;
use crate::store::{Purpose, TokenPlace, Transaction, View, WriteLock};
use crate::token::TokenDigest;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How many tokens one transaction changes. More would make requests wait long for it.
const BATCH: u32 = 500;

/// The minimum time between two sweeps, so that a sweep removes many tokens at once.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum time between two sweeps, because a token that is minted meanwhile may expire first.
const MAX_INTERVAL: Duration = Duration::from_secs(1);

/// How long a refusal waits for its sweep. The database may be locked or full.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

impl Service {
    /// Sweeps forever, whenever a token expires or an overlap ends. Counts and retries failures.
    pub async fn sweep_regularly(self) {
        loop {
            let next = self.sweep_if_due().await;
            if next.is_err() {
                self.store.counts().failed_sweeps.add(1);
            }
            let wait = next.ok().flatten().unwrap_or(MAX_INTERVAL);
            sleep(wait.clamp(MIN_INTERVAL, MAX_INTERVAL)).await;
        }
    }

    /// Sweeps if a token or an overlap has expired. Returns the time until the next one does.
    async fn sweep_if_due(&self) -> Result<Option<Duration>> {
        let next = self.store.until_next_end().await?;
        if next == Some(Duration::ZERO) {
            self.sweep().await?;
        }
        Ok(next)
    }

    /// Removes all expired tokens and ends all overlaps that are over, in batches. Returns how many there
    /// were. A failure at one place (an organization or a user) does not stop the others.
    pub async fn sweep(&self) -> Result<usize> {
        let mut swept = 0;
        loop {
            let before = swept;
            swept += self.end_overlaps().await?;
            let places = self.store.read(View::Statement).await?.expired_places(BATCH).await?;
            let mut failure = None;
            for place in &places {
                match self.sweep_place(place, None).await {
                    Ok(removed) => swept += removed,
                    Err(error) => failure = Some(error),
                }
            }
            if let Some(error) = failure {
                return Err(error);
            }
            // Nothing was left, or another server has swept it.
            if swept == before {
                return Ok(swept);
            }
        }
    }

    /// Removes a user's expired token with this name, so that the name is free. Returns whether there was
    /// one.
    pub(super) async fn sweep_name(&self, user: UserId, name: &Name) -> Result<bool> {
        let place = self.store.read(View::Statement).await?.expired_place(user, name).await?;
        let Some(place) = place else { return Ok(false) };
        while self.sweep_place(&place, None).await? > 0 {}
        Ok(true)
    }

    /// Removes a refused secret from the database if it has expired, so that the refusal is final. One at
    /// a time, so that these sweeps use one connection of the pool.
    pub async fn sweep_refused(&self, secret: &TokenDigest) {
        // If the sweep fails, the secret is refused anyway.
        let _ = timeout(REFUSAL_TIMEOUT, self.sweep_secret(*secret)).await;
    }

    async fn sweep_secret(&self, secret: TokenDigest) -> Result<()> {
        let place = self.store.read(View::Statement).await?.place_of_ended(&secret).await?;
        let Some(place) = place else { return Ok(()) };
        let lock = Arc::clone(&self.refused_sweep).lock_owned().await;
        let service = self.clone();
        // In a task, so that it continues after the timeout.
        let sweep = tokio::spawn(async move {
            let _lock = lock;
            service.sweep_place(&place, Some(&secret)).await
        });
        let _ = sweep.await;
        Ok(())
    }

    async fn end_overlaps(&self) -> Result<usize> {
        let end = |mut change: Transaction| async move {
            let ended = change.end_overlaps(BATCH).await?;
            Ok((change, ended))
        };
        self.transact(&WriteLock::None, Purpose::Change, end).await
    }

    /// Removes one batch of expired tokens at a place, or only the one with this secret.
    async fn sweep_place(&self, place: &TokenPlace, secret: Option<&TokenDigest>) -> Result<usize> {
        // Not `Purpose::Revocation`: the space reserved for revocations on a full disk is not used for
        // tokens that have expired anyway.
        let removed = self.transact(&WriteLock::None, Purpose::Change, |mut change| async move {
            let expired = match secret {
                Some(secret) => change.end_secret(place, secret).await?,
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
