//! When and from where tokens were last used. Requests only note it, and a task writes it, so that
//! no answer waits for that. What was noted and not written is lost in a crash.

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

/// How often uses are written. A token is noted once in that time.
const TICK: Duration = Duration::from_secs(5);

/// How many ticks there are at least from one write of a token to the next: a minute.
const TICKS_BETWEEN_WRITES: u32 = 12;

/// How many tokens are kept, about 100 bytes each: those that were used or written within a minute.
const TOKENS: usize = 65_536;

/// How many marks there are, as many as two bytes can number.
const MARKS: usize = 65_536;

/// How many tokens one transaction writes, so that no other change waits long for it.
const BATCH: usize = 250;

/// How long a token that was written is not written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// For a minute.
    Minute,
    /// Not at all: the server stops.
    None,
}

/// The uses that were noted.
#[derive(Debug)]
pub struct Uses {
    /// How often uses were written.
    tick: AtomicU32,
    /// The last token of each that was noted, and in which tick. Tokens that share a mark are noted
    /// more often.
    marks: Box<[AtomicU64]>,
    waiting: Mutex<Waiting>,
    kept: tokio::sync::Mutex<HashMap<TokenId, RecentUse>>,
}

/// The last uses of this tick.
#[derive(Debug)]
struct Waiting {
    uses: HashMap<TokenId, TokenUse>,
    /// How many there may be.
    room: usize,
}

/// A token that was used or written a short time ago.
#[derive(Debug, Default)]
struct RecentUse {
    pending: Option<TokenUse>,
    /// In which tick it was written.
    written: Option<u32>,
}

impl RecentUse {
    fn is_paused(&self, tick: u32) -> bool {
        self.written.is_some_and(|written| tick.wrapping_sub(written) < TICKS_BETWEEN_WRITES)
    }
}

impl Default for Uses {
    fn default() -> Self {
        let marks = (0..MARKS).map(|_| AtomicU64::default()).collect();
        let waiting = Waiting { uses: HashMap::new(), room: TOKENS };
        Self { tick: 1.into(), marks, waiting: waiting.into(), kept: tokio::sync::Mutex::default() }
    }
}

impl Uses {
    /// Notes a use, unless one of this token was noted in this tick. Returns whether there was room.
    fn note(&self, token: TokenId, describe: impl FnOnce() -> TokenUse) -> bool {
        let bits = token.random_bits();
        let noted = bits & !u64::from(u32::MAX) | u64::from(self.tick.load(Relaxed));
        let [low, high, ..] = bits.to_le_bytes();
        let mark = &self.marks[usize::from(u16::from_le_bytes([low, high])) % MARKS];
        if mark.load(Relaxed) == noted {
            return true;
        }
        mark.store(noted, Relaxed);
        let mut waiting = self.waiting.lock();
        let has_room = waiting.uses.len() < waiting.room;
        if has_room {
            waiting.uses.insert(token, describe());
        }
        has_room
    }

    /// Returns the tokens whose last use is not written yet.
    pub async fn unwritten(&self) -> Vec<TokenId> {
        let kept = self.kept.lock().await;
        let pending = kept.iter().filter(|(_, kept)| kept.pending.is_some());
        let pending = pending.map(|(token, _)| *token);
        pending.chain(self.waiting.lock().uses.keys().copied()).collect()
    }

    /// Begins a new tick, and keeps what was noted in the last one. Returns its number.
    fn tick(&self, kept: &mut HashMap<TokenId, RecentUse>) -> u32 {
        let tick = self.tick.fetch_add(1, Relaxed);
        kept.retain(|_, kept| kept.pending.is_some() || kept.is_paused(tick));
        // As large as the last one, so that no request makes it larger while others wait.
        let mut noted = HashMap::with_capacity(self.waiting.lock().uses.len());
        mem::swap(&mut noted, &mut self.waiting.lock().uses);
        for (token, token_use) in noted {
            kept.entry(token).or_default().pending = Some(token_use);
        }
        self.waiting.lock().room = TOKENS.saturating_sub(kept.len());
        tick
    }
}

impl Service {
    /// Notes that a token is used now, by a client with this address. Returns false if that is lost,
    /// because too many tokens are in use.
    pub fn note_use(&self, token: TokenId, address: IpAddr) -> bool {
        let describe = || TokenUse { instant: self.store.clock().instant(), address };
        self.uses.as_ref().is_none_or(|uses| uses.note(token, describe))
    }

    /// Writes uses now and then, forever. What fails is tried again the next time.
    pub async fn write_uses_regularly(self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let _ = self.write_uses(Pause::Minute).await;
        }
    }

    /// Writes the last use of each token that was used and is not paused.
    pub async fn write_uses(&self, pause: Pause) -> Result<()> {
        let Some(uses) = &self.uses else { return Ok(()) };
        let mut kept = uses.kept.lock().await;
        let tick = uses.tick(&mut kept);
        let is_due = |kept: &RecentUse| pause == Pause::None || !kept.is_paused(tick);
        let due = kept.iter().filter(|(_, kept)| is_due(kept));
        let due: Vec<_> = due.filter_map(|(token, kept)| Some((*token, kept.pending?))).collect();
        for batch in due.chunks(BATCH) {
            let write = |mut change: Transaction| async move {
                let now = self.store.clock().instant();
                let locked = change.update_last_uses(batch, now).await?;
                Ok((change, locked))
            };
            let locked = self.transact(&WriteLock::None, Purpose::Change, write).await?;
            for (token, _) in batch.iter().filter(|(token, _)| !locked.contains(token)) {
                kept.insert(*token, RecentUse { pending: None, written: Some(tick) });
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
    fn uses_wait_for_so_many_tokens_and_no_more() {
        let (uses, mut kept) = (Uses::default(), HashMap::new());
        assert!((0..TOKENS).all(|number| note(&uses, number)));
        assert!(!note(&uses, TOKENS));
        assert!(note(&uses, TOKENS), "one that was lost is not noted again in the same tick");
        uses.tick(&mut kept);
        assert!(!note(&uses, TOKENS + 1), "nothing was written yet");
        uses.tick(&mut kept);
        assert_eq!(kept.len(), TOKENS);
        kept.remove(&token(0));
        uses.tick(&mut kept);
        assert!(note(&uses, TOKENS + 1));
    }

    #[test]
    fn a_token_is_described_once_in_a_tick_unless_another_one_shares_its_mark() {
        let uses = Uses::default();
        let count = |number| {
            let (mut described, address) = (0, Ipv4Addr::LOCALHOST.into());
            uses.note(token(number), || {
                described += 1;
                TokenUse { instant: Instant::now(), address }
            });
            described
        };
        assert_eq!([1, 1, MARKS + 1, 1, 1].map(count), [1, 0, 1, 1, 0]);
        uses.tick(&mut HashMap::new());
        assert_eq!([1, 1].map(count), [1, 0]);
    }
}
