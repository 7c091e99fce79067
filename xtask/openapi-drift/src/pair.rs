//! The two sides of a comparison, and which of them must contain the other.

use std::collections::BTreeMap;

/// Who sends a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A caller sends what the contract allows, and the server must accept it.
    Request,
    /// The server sends what it declares, and the contract must allow it.
    Response,
}

/// One item on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<T> {
    /// The side of the contract.
    pub documented: T,
    /// The side of the server.
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
