//! Scopes, which say what a group-bound token may do: the nine scopes, the presets, and sets of
//! scopes. `access` decides who may mint tokens for a group.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

macro_rules! scopes {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// One scope, in the contract's order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
        pub enum Scope {
            $(#[doc = concat!("`", $text, "`")] #[serde(rename = $text)] $variant,)+
        }

        impl Scope {
            /// Every scope.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
        }

        /// A scope in a mint request, or a preset that stands for several scopes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
        pub enum RequestedScope {
            $(#[doc = concat!("`", $text, "`")] #[serde(rename = $text)] $variant,)+
            /// Stands for `read`.
            #[serde(rename = "read-only")]
            ReadOnly,
            /// Stands for all nine.
            #[serde(rename = "full-access")]
            FullAccess,
        }

        impl RequestedScope {
            fn expand(self) -> Scopes {
                match self {
                    $(Self::$variant => Scopes(1 << Scope::$variant as u16),)+
                    Self::ReadOnly => Self::Read.expand(),
                    Self::FullAccess => Scopes((1 << Scope::ALL.len()) - 1),
                }
            }
        }
    };
}

scopes! {
    Read = "read",
    DbCreate = "db:create",
    DbDelete = "db:delete",
    DbConfigure = "db:configure",
    DbMintToken = "db:mint-token",
    DbRotateCreds = "db:rotate-creds",
    GroupConfigure = "group:configure",
    GroupMintToken = "group:mint-token",
    GroupRotateCreds = "group:rotate-creds",
}

/// A set of scopes. It is stored as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// Returns the set of these scopes, with presets expanded.
    pub fn expand(requested: &[RequestedScope]) -> Self {
        Self(requested.iter().fold(0, |bits, scope| bits | scope.expand().0))
    }

    /// Returns the set of these stored bits, or `None` if one of them stands for no scope.
    pub fn from_bits(bits: i64) -> Option<Self> {
        u16::try_from(bits).ok().filter(|bits| bits >> Scope::ALL.len() == 0).map(Self)
    }

    /// Returns the bits to store.
    pub fn bits(self) -> i64 {
        self.0.into()
    }

    /// Returns whether `scope` is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u16) != 0
    }

    /// Returns the scopes of the set, in the contract's order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.contains(*scope))
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_expanded_and_repeated_scopes_count_once() {
        let only_read: Vec<_> = Scopes::expand(&[RequestedScope::ReadOnly]).iter().collect();
        assert_eq!(only_read, [Scope::Read]);
        let all: Vec<_> = Scopes::expand(&[RequestedScope::FullAccess]).iter().collect();
        assert_eq!(all, Scope::ALL);
        let twice = [RequestedScope::DbDelete, RequestedScope::Read, RequestedScope::DbDelete];
        let names = serde_json::to_value(Scopes::expand(&twice)).unwrap();
        assert_eq!(names, serde_json::json!(["read", "db:delete"]));
    }

    #[test]
    fn stored_bits_read_back_and_unknown_bits_do_not() {
        let all = Scopes::expand(&[RequestedScope::FullAccess]);
        assert_eq!(Scopes::from_bits(all.bits()), Some(all));
        assert_eq!(Scopes::from_bits(1 << 9), None);
        assert_eq!(Scopes::from_bits(-1), None);
    }
}
