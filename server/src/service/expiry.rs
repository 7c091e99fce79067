//! Sweeping tokens that have expired, and secrets whose overlap has ended. No request accepts or lists
//! them any more; this removes them from the database, so that no clock that is set back revives them.

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

/// How many tokens one transaction changes, so that no request waits long for it.
const BATCH: u32 = 500;

/// How long there is at least from one sweep to the next, so that one removes many tokens.
const PAUSE: Duration = Duration::from_millis(100);

/// How long there is at most: other tokens may be minted meanwhile.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a refusal waits at most until it is final. The database may be locked or full.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

impl Service {
    /// Sweeps when a token expires or an overlap ends, forever. What fails is counted, and tried again.
    pub async fn sweep_regularly(self) {
        loop {
            let next = self.sweep_what_is_due().await;
            if next.is_err() {
                self.store.counts().failed_sweeps.add(1);
            }
            let wait = next.ok().flatten().unwrap_or(INTERVAL);
            sleep(wait.clamp(PAUSE, INTERVAL)).await;
        }
    }

    /// Sweeps if something is due. Returns how long it takes until something else is.
    async fn sweep_what_is_due(&self) -> Result<Option<Duration>> {
        let next = self.store.until_next_end().await?;
        if next == Some(Duration::ZERO) {
            self.sweep().await?;
        }
        Ok(next)
    }

    /// Removes every token that has expired and ends every overlap that is over, in batches. Returns how
    /// many there were. A place that fails holds up no other.
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
            // Another server may sweep too.
            if swept == before {
                return Ok(swept);
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

    /// Makes the refusal of a secret final, if it was refused because it has expired. One at a time, so
    /// that others find room in the pool.
    pub async fn sweep_refused(&self, secret: &TokenDigest) {
        let sweep = async {
            let place = self.store.read(View::Statement).await?.place_of_ended(secret).await?;
            let Some(place) = place else { return Result::Ok(()) };
            let turn = Arc::clone(&self.sweeping).lock_owned().await;
            let (service, secret) = (self.clone(), *secret);
            // It goes on after the timeout.
            let sweep = async move {
                let _turn = turn;
                service.sweep_place(&place, Some(&secret)).await
            };
            let _ = tokio::spawn(sweep).await;
            Ok(())
        };
        // If that fails, the secret is refused all the same.
        let _ = timeout(REFUSAL_TIMEOUT, sweep).await;
    }

    async fn end_overlaps(&self) -> Result<usize> {
        let end = |mut change: Transaction| async move {
            let ended = change.end_overlaps(BATCH).await?;
            Ok((change, ended))
        };
        self.transact(&WriteLock::None, Purpose::Change, end).await
    }

    /// Removes a batch of the tokens that have expired at one place, or ends this secret alone.
    async fn sweep_place(&self, place: &TokenPlace, secret: Option<&TokenDigest>) -> Result<usize> {
        // The space that is reserved on a full disk is for revocations: these tokens are dead already.
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
