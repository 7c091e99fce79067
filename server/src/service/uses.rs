//! The last use of tokens: when, and from which address. A request only adds its use to a buffer in
//! memory, and a background task writes the buffer to the database, so that no answer waits for it. A
//! crash loses the uses that are not written yet.

use super::Service;
use crate::error::Result;
use crate::store::{Purpose, TokenUse, Transaction, WriteLock};
use crate::token::TokenId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the buffer is written. A token is buffered at most once per tick.
const TICK: Duration = Duration::from_secs(5);

/// The minimum number of ticks between two writes of one token: a minute.
const TICKS_BETWEEN_WRITES: u32 = 12;

/// The maximum number of tokens in memory, about 100 bytes each: those used or written within a minute.
const MAX_TOKENS: usize = 65_536;

/// The number of slots. Two bytes of a token's id choose its slot.
const SLOTS: usize = 65_536;

/// How many tokens one transaction writes. More would make other changes wait long.
const BATCH: usize = 250;

/// Which buffered uses are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Those of tokens that were not written within the last minute.
    Due,
    /// All of them, because the server stops.
    All,
}

/// The uses in memory.
#[derive(Debug)]
pub struct Uses {
    /// The number of the current tick.
    tick: AtomicU32,
    /// The last buffered token of each slot, with its tick. It prevents that a token is buffered twice in
    /// a tick, unless another token shares its slot.
    slots: Box<[AtomicU64]>,
    buffer: Mutex<Buffer>,
    recent: tokio::sync::Mutex<HashMap<TokenId, RecentUse>>,
}

/// The uses of the current tick.
#[derive(Debug)]
struct Buffer {
    uses: HashMap<TokenId, TokenUse>,
    capacity: usize,
}

/// A token that was used or written a short time ago.
#[derive(Debug, Default)]
struct RecentUse {
    /// The use that is not written yet.
    pending: Option<TokenUse>,
    /// The tick of the last write.
    written: Option<u32>,
}

impl RecentUse {
    /// Returns whether the token was written within the last minute.
    fn is_paused(&self, tick: u32) -> bool {
        self.written.is_some_and(|written| tick.wrapping_sub(written) < TICKS_BETWEEN_WRITES)
    }
}

impl Default for Uses {
    fn default() -> Self {
        let slots = (0..SLOTS).map(|_| AtomicU64::default()).collect();
        let buffer = Buffer { uses: HashMap::new(), capacity: MAX_TOKENS }.into();
        Self { tick: 1.into(), slots, buffer, recent: tokio::sync::Mutex::default() }
    }
}

impl Uses {
    /// Buffers a use, unless the token was buffered in this tick already. Returns false if the buffer is
    /// full.
    fn note(&self, token: TokenId, describe: impl FnOnce() -> TokenUse) -> bool {
        let bits = token.random_bits();
        let noted = bits & !u64::from(u32::MAX) | u64::from(self.tick.load(Relaxed));
        let [low, high, ..] = bits.to_le_bytes();
        let slot = &self.slots[usize::from(u16::from_le_bytes([low, high]))];
        if slot.load(Relaxed) == noted {
            return true;
        }
        slot.store(noted, Relaxed);
        let mut buffer = self.buffer.lock();
        let has_room = buffer.uses.len() < buffer.capacity;
        if has_room {
            buffer.uses.insert(token, describe());
        }
        has_room
    }

    /// Returns the tokens whose last use is not written yet.
    pub async fn unwritten(&self) -> Vec<TokenId> {
        let recent = self.recent.lock().await;
        let pending = recent.iter().filter(|(_, recent)| recent.pending.is_some());
        let pending = pending.map(|(token, _)| *token);
        pending.chain(self.buffer.lock().uses.keys().copied()).collect()
    }

    /// Ends the current tick, and moves the buffered uses to `recent`. Returns the number of that tick.
    fn tick(&self, recent: &mut HashMap<TokenId, RecentUse>) -> u32 {
        let tick = self.tick.fetch_add(1, Relaxed);
        recent.retain(|_, recent| recent.pending.is_some() || recent.is_paused(tick));
        // Allocates the new map before the swap, so that no request has to grow it under the lock.
        let mut buffered = HashMap::with_capacity(self.buffer.lock().uses.len());
        mem::swap(&mut buffered, &mut self.buffer.lock().uses);
        for (token, token_use) in buffered {
            recent.entry(token).or_default().pending = Some(token_use);
        }
        self.buffer.lock().capacity = MAX_TOKENS.saturating_sub(recent.len());
        tick
    }
}

impl Service {
    /// Buffers a use of a token, now and from this address. Returns false if the use is lost because the
    /// buffer is full.
    pub fn note_use(&self, token: TokenId, address: IpAddr) -> bool {
        let describe = || TokenUse { instant: self.store.clock().instant(), address };
        self.uses.as_ref().is_none_or(|uses| uses.note(token, describe))
    }

    /// Writes the due uses regularly, forever. Failed writes are retried at the next tick.
    pub async fn write_uses_regularly(self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let _ = self.write_uses(Flush::Due).await;
        }
    }

    /// Writes the last use of each token that is due, or of all.
    pub async fn write_uses(&self, flush: Flush) -> Result<()> {
        let Some(uses) = &self.uses else { return Ok(()) };
        let mut recent = uses.recent.lock().await;
        let tick = uses.tick(&mut recent);
        let is_due = |recent: &RecentUse| flush == Flush::All || !recent.is_paused(tick);
        let due = recent.iter().filter(|(_, recent)| is_due(recent));
        let due: Vec<_> =
            due.filter_map(|(token, recent)| Some((*token, recent.pending?))).collect();
        for batch in due.chunks(BATCH) {
            let write = |mut change: Transaction| async move {
                let now = self.store.clock().instant();
                let locked = change.update_last_uses(batch, now).await?;
                Ok((change, locked))
            };
            let locked = self.transact(&WriteLock::None, Purpose::Change, write).await?;
            for (token, _) in batch.iter().filter(|(token, _)| !locked.contains(token)) {
                recent.insert(*token, RecentUse { pending: None, written: Some(tick) });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Instant;

    fn token(number: usize) -> TokenId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&((number << 32 | number) as u64).to_be_bytes());
        TokenId::from_bytes(bytes)
    }

    fn note(uses: &Uses, number: usize) -> bool {
        let address = Ipv4Addr::LOCALHOST.into();
        uses.note(token(number), || TokenUse { instant: Instant::now(), address })
    }

    #[test]
    fn the_buffer_is_bounded() {
        let (uses, mut recent) = (Uses::default(), HashMap::new());
        assert!((0..MAX_TOKENS).all(|number| note(&uses, number)));
        assert!(!note(&uses, MAX_TOKENS));
        assert!(note(&uses, MAX_TOKENS), "a lost use is not retried in the same tick");
        uses.tick(&mut recent);
        assert!(!note(&uses, MAX_TOKENS + 1), "nothing was written yet");
        uses.tick(&mut recent);
        assert_eq!(recent.len(), MAX_TOKENS);
        recent.remove(&token(0));
        uses.tick(&mut recent);
        assert!(note(&uses, MAX_TOKENS + 1));
    }

    #[test]
    fn a_token_is_buffered_once_per_tick_unless_another_token_shares_its_slot() {
        let uses = Uses::default();
        let count = |number| {
            let (mut described, address) = (0, Ipv4Addr::LOCALHOST.into());
            uses.note(token(number), || {
                described += 1;
                TokenUse { instant: Instant::now(), address }
            });
            described
        };
        assert_eq!([1, 1, SLOTS + 1, 1, 1].map(count), [1, 0, 1, 1, 0]);
        uses.tick(&mut HashMap::new());
        assert_eq!([1, 1].map(count), [1, 0]);
    }
}
