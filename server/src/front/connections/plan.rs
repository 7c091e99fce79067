//! Which connections to close: pure, given what is known of each and the time. It
//! touches no socket.

use std::time::{Duration, Instant};

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many there may be; requests that are worked on may exceed it.
    pub max: usize,
    /// How long one may be quiet.
    pub idle: Duration,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// Whether a request of it is worked on.
    pub is_busy: bool,
    /// When it was accepted, had its last answer, or read a part of one: the latest of these.
    /// Bytes that make no request don't count, however many drip in.
    pub quiet_since: Instant,
}

/// The indexes of those to close: whatever was quiet too long, and the oldest idle above the cap.
pub fn to_close(connections: &[State], limits: Limits, now: Instant) -> Vec<usize> {
    let mut idle: Vec<usize> =
        (0..connections.len()).filter(|index| !connections[*index].is_busy).collect();
    idle.sort_by_key(|index| connections[*index].quiet_since);
    let is_quiet =
        |index: &usize| now.duration_since(connections[*index].quiet_since) >= limits.idle;
    let quiet = idle.partition_point(is_quiet);
    let above = connections.len().saturating_sub(limits.max);
    idle.truncate(quiet.max(above));
    idle
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max: 3, idle: Duration::from_secs(30) };

    /// Connections that were quiet for so many seconds; whether each is busy.
    fn closed(connections: &[(u64, bool)]) -> Vec<usize> {
        let start = Instant::now();
        let now = start + Duration::from_secs(100);
        let states: Vec<_> = connections
            .iter()
            .map(|(quiet, is_busy)| State {
                is_busy: *is_busy,
                quiet_since: now.checked_sub(Duration::from_secs(*quiet)).unwrap(),
            })
            .collect();
        to_close(&states, LIMITS, now)
    }

    #[test]
    fn what_was_quiet_too_long_is_closed_and_nothing_else() {
        assert_eq!(closed(&[(29, false), (30, false), (0, false)]), [1]);
        assert!(closed(&[]).is_empty());
    }

    #[test]
    fn above_the_cap_the_oldest_idle_go_first() {
        assert_eq!(closed(&[(1, false), (3, false), (2, false), (0, false), (0, false)]), [1, 2]);
    }

    #[test]
    fn a_request_that_is_worked_on_is_never_cut() {
        assert_eq!(closed(&[(99, true), (99, true), (1, false), (98, true)]), [2]);
        assert!(closed(&[(99, true); 9]).is_empty());
    }

    #[test]
    fn one_that_was_quiet_too_long_counts_among_those_above_the_cap() {
        assert_eq!(closed(&[(1, false), (40, false), (2, false), (3, false)]), [1]);
    }
}
