//! The two sides of a comparison, what is asked about them, and which must contain the other.

use std::collections::BTreeMap;

/// What is asked about two documents. Both questions are one containment: the documented side is a
/// promise to callers and clients, which the served side must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Does the server keep the contract? All that only one side has is a difference.
    Server,
    /// Does the later version of the contract keep the promises of the earlier one, which is the
    /// documented side? What is only added breaks nothing. Security is compared too.
    Change,
}

impl Question {
    /// Returns what a report calls the two sides.
    pub(crate) fn labels(self) -> Pair<&'static str> {
        self.words(
            Pair { documented: "contract", served: "server" },
            Pair { documented: "before", served: "now" },
        )
    }

    /// Chooses the words for this question.
    pub(crate) fn words<T>(self, server: T, change: T) -> T {
        match self {
            Self::Server => server,
            Self::Change => change,
        }
    }
}

/// Who sends a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// A caller sends what the contract allows, and the server must accept it.
    Request,
    /// The server sends what it declares, and the contract must allow it.
    Response,
}

/// One item on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair<T> {
    /// The side that promises: the contract, or its earlier version.
    pub documented: T,
    /// The side that must keep the promise: the server, or the later version of the contract.
    pub served: T,
}

impl<T> Pair<T> {
    /// Returns the side that must be contained, then the side that must contain it.
    pub fn ordered(&self, direction: Direction) -> (&T, &T) {
        match direction {
            Direction::Request => (&self.documented, &self.served),
            Direction::Response => (&self.served, &self.documented),
        }
    }

    /// Reverses `ordered`: `small` must be contained in `large`.
    pub fn from_ordered(direction: Direction, small: T, large: T) -> Self {
        match direction {
            Direction::Request => Self { documented: small, served: large },
            Direction::Response => Self { documented: large, served: small },
        }
    }

    /// Borrows both sides.
    pub fn as_ref(&self) -> Pair<&T> {
        Pair { documented: &self.documented, served: &self.served }
    }

    /// Applies a function to both sides.
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Pair<U> {
        Pair { documented: make(self.documented), served: make(self.served) }
    }
}

impl<T: Clone> Pair<&T> {
    /// Clones both sides.
    pub fn cloned(self) -> Pair<T> {
        self.map(T::clone)
    }
}

impl<K: Ord, V> Pair<BTreeMap<K, V>> {
    /// Returns the entries whose key both sides have.
    pub fn matched(&self) -> impl Iterator<Item = (&K, Pair<&V>)> {
        self.documented.iter().filter_map(|(key, documented)| {
            let served = self.served.get(key)?;
            Some((key, Pair { documented, served }))
        })
    }

    /// Returns the entries whose key only the contract has.
    pub fn only_documented(&self) -> impl Iterator<Item = (&K, &V)> {
        self.documented.iter().filter(|(key, _)| !self.served.contains_key(key))
    }

    /// Returns the entries whose key only the server has.
    pub fn only_served(&self) -> impl Iterator<Item = (&K, &V)> {
        self.served.iter().filter(|(key, _)| !self.documented.contains_key(key))
    }
}

/// More new names than that are no renames.
const MAX_NEW: usize = 20;

/// Pairs what is gone with what is new, if each has just one counterpart.
pub fn renamed<T: Copy>(
    gone: impl Iterator<Item = T>,
    new: impl Iterator<Item = T>,
    mut is_same: impl FnMut(T, T) -> bool,
) -> Vec<Pair<T>> {
    let (gone, new): (Vec<_>, Vec<_>) =
        (gone.take(MAX_NEW + 1).collect(), new.take(MAX_NEW + 1).collect());
    if gone.len().max(new.len()) > MAX_NEW {
        return Vec::new();
    }
    let mut counterparts = Vec::new();
    for (from, documented) in gone.iter().enumerate() {
        for (to, served) in new.iter().enumerate() {
            if is_same(*documented, *served) {
                counterparts.push((from, to));
            }
        }
    }
    let is_only = |(from, to): &&(usize, usize)| {
        counterparts.iter().filter(|(one, two)| one == from || two == to).count() == 1
    };
    let only = counterparts.iter().filter(is_only);
    only.map(|(from, to)| Pair { documented: gone[*from], served: new[*to] }).collect()
}
