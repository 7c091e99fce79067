//! The two lexical forms of the contract: organization slugs, and names (of
//! tokens, users, groups, locations). A value of these types is well formed;
//! nothing here knows whether what it names exists.

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::{InstanceType, Schema, SchemaObject, StringValidation};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How many characters a name has at most.
const LONGEST: usize = 64;

/// The form of a name, as the contract spells it.
const PATTERN: &str = "^[A-Za-z0-9._-]{1,64}$";

fn is_well_formed(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // As path segments, dots alone are resolved away by clients (RFC 3986, 5.2.4).
    (1..=LONGEST).contains(&text.len()) && text.chars().all(allowed) && !matches!(text, "." | "..")
}

/// Foreign text as an error quotes it: escaped, and cut where it is long.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut: String = self.0.chars().take(LONGEST).collect();
        let more = if cut.len() < self.0.len() { "..." } else { "" };
        write!(f, "`{}{more}`", cut.escape_debug())
    }
}

macro_rules! well_formed_text {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
        #[serde(try_from = "String")]
        pub struct $type(String);

        impl $type {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                if is_well_formed(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(format!(
                        "{} is not {}: use 1 to {LONGEST} letters, digits, `.`, `_` or `-`",
                        Quoted(text), $what
                    ))
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

well_formed_text!(
    /// The name of a token, a user or a group, or a location.
    Name,
    "a name"
);
well_formed_text!(
    /// The slug of an organization.
    Slug,
    "an organization slug"
);

/// A string schema with a pattern, as the contract declares it.
pub(crate) fn patterned(pattern: &str) -> Schema {
    SchemaObject {
        instance_type: Some(InstanceType::String.into()),
        string: Some(Box::new(StringValidation {
            pattern: Some(pattern.to_owned()),
            ..StringValidation::default()
        })),
        ..SchemaObject::default()
    }
    .into()
}

impl JsonSchema for Name {
    fn schema_name() -> String {
        "Name".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        patterned(PATTERN)
    }
}

// The user's document puts no pattern on slugs, so neither does the server.
impl JsonSchema for Slug {
    fn is_referenceable() -> bool {
        false
    }

    fn schema_name() -> String {
        "Slug".to_owned()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// An email address, as far as it can be told without sending to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits =
            text.len() <= 254 && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        match text.split_once('@') {
            Some((user, host))
                if fits && !user.is_empty() && !host.is_empty() && !host.contains('@') =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(format!("{} is not an email address: write it as user@host", Quoted(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_1_to_64_letters_digits_dots_underscores_and_hyphens() {
        for good in ["a", "ci-bot", "A.b_c-9", "...", &"x".repeat(64)] {
            assert_eq!(good.parse::<Name>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", "a\0", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_quotes_what_was_sent_escaped_and_cut() {
        assert_eq!(Quoted("a\0b").to_string(), "`a\\0b`");
        assert_eq!(Quoted(&"x".repeat(65)).to_string(), format!("`{}...`", "x".repeat(64)));
    }

    #[test]
    fn an_email_address_has_one_at_and_no_white_space() {
        assert!("alice@example.com".parse::<Email>().is_ok());
        for bad in ["", "alice", "@example.com", "alice@", "a@b@c", "a b@c", "a@b\n"] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }
}
