//! Sweeping tokens that have expired. No request accepts or lists them any more; this removes their
//! rows and adds their audit entries.

use super::Service;
use super::audit::{Actor, EXPIRED, record, revocations};
use crate::caller::UserId;
use crate::error::Result;
use crate::name::Name;
use crate::store::{Purpose, TokenPlace, Turn, View};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How many tokens one transaction removes, so that no request waits long for it.
const BATCH: u32 = 500;

/// How often tokens are swept.
const INTERVAL: Duration = Duration::from_secs(5);

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

    /// Removes every token that has expired, in batches. Returns how many there were.
    pub async fn sweep(&self) -> Result<usize> {
        let mut removed = 0;
        loop {
            let places = self.store.read(View::Statement).await?.expired_places(BATCH).await?;
            let before = removed;
            for place in &places {
                removed += self.sweep_place(place).await?;
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
        while self.sweep_place(&place).await? > 0 {}
        Ok(true)
    }

    /// Removes a batch of the tokens that have expired at one place.
    async fn sweep_place(&self, place: &TokenPlace) -> Result<usize> {
        // The space that is reserved on a full disk is for revocations: these tokens are dead already.
        let removed = self.transact(&Turn::Free, Purpose::Change, |mut change| async move {
            let Some((head, removed)) = change.delete_expired_tokens(place, BATCH).await? else {
                return Ok((change, 0));
            };
            record(&mut change, head, Actor::Expiry, revocations(&removed, EXPIRED));
            Ok((change, removed.len()))
        });
        let removed = removed.await?;
        self.store.counts().swept_tokens.add(removed as u64);
        Ok(removed)
    }
}
