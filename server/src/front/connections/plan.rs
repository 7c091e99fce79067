//! Chooses the connections to close. Pure: the caller passes the states and the time.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
pub struct State {
    /// Whether it must be closed, even if it is busy.
    pub must_close: bool,
    /// Whether one of its requests is being handled.
    pub is_busy: bool,
    /// The latest of: accepted, last response made, a part of a response read. Bytes that arrive
    /// but complete no request do not count.
    pub idle_since: Instant,
}

/// Returns the indexes of the connections that must be closed, of those that are idle too long,
/// and of the oldest idle ones above `max`. Busy connections may exceed `max`.
pub fn to_close(
    connections: &[State],
    max: NonZeroUsize,
    idle_timeout: Duration,
    now: Instant,
) -> Vec<usize> {
    let mut closing: Vec<usize> = (0..connections.len())
        .filter(|index| connections[*index].must_close || !connections[*index].is_busy)
        .collect();
    closing.sort_by_key(|index| (!connections[*index].must_close, connections[*index].idle_since));
    let due = closing.partition_point(|index| {
        let State { must_close, idle_since, .. } = connections[*index];
        must_close || now.duration_since(idle_since) >= idle_timeout
    });
    let above = connections.len().saturating_sub(max.get());
    closing.truncate(due.max(above));
    closing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these are closed: seconds of being idle, and whether busy.
    fn closed(connections: &[(u64, bool)]) -> Vec<usize> {
        let start = Instant::now();
        let now = start + Duration::from_secs(100);
        let states: Vec<_> = connections
            .iter()
            .map(|(idle, is_busy)| State {
                must_close: false,
                is_busy: *is_busy,
                idle_since: now.checked_sub(Duration::from_secs(*idle)).unwrap(),
            })
            .collect();
        to_close(&states, NonZeroUsize::new(3).unwrap(), Duration::from_secs(30), now)
    }

    #[test]
    fn only_connections_idle_for_too_long_are_closed() {
        assert_eq!(closed(&[(29, false), (30, false), (0, false)]), [1]);
        assert!(closed(&[]).is_empty());
    }

    #[test]
    fn above_the_cap_the_oldest_idle_ones_are_closed_first() {
        assert_eq!(closed(&[(1, false), (3, false), (2, false), (0, false), (0, false)]), [1, 2]);
    }

    #[test]
    fn a_busy_connection_is_never_closed() {
        assert_eq!(closed(&[(99, true), (99, true), (1, false), (98, true)]), [2]);
        assert!(closed(&[(99, true); 9]).is_empty());
    }

    #[test]
    fn an_expired_connection_counts_toward_the_excess() {
        assert_eq!(closed(&[(1, false), (40, false), (2, false), (3, false)]), [1]);
    }

    #[test]
    fn a_busy_connection_is_closed_on_demand_and_makes_room() {
        let now = Instant::now();
        let state = |must_close| State { must_close, is_busy: must_close, idle_since: now };
        let states = [state(true), state(false), state(false)];
        let max = NonZeroUsize::new(2).unwrap();
        assert_eq!(to_close(&states, max, Duration::from_secs(30), now), [0]);
    }
}
