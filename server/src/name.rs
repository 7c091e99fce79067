//! Names of the contract: organization slugs, names (of tokens, users, groups, locations) and email
//! addresses. A value is well formed, but the thing that it names may not exist.

use derive_more::{AsRef, Display};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// The maximum length of a name.
const MAX: usize = 64;

/// The pattern of the texts that [`is_name`] accepts, without look-ahead. `.` and `..` are refused,
/// because clients remove such path segments (RFC 3986, 5.2.4).
const PATTERN: &str = concat!(
    "^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63}",
    r"|\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}",
    r"|\.\.[A-Za-z0-9._-]{1,62})$"
);

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=MAX).contains(&text.len()) && text.chars().all(allowed) && !matches!(text, "." | "..")
}

fn is_email(text: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control();
    let is_address =
        |(user, host): (&str, &str)| !user.is_empty() && !host.is_empty() && !host.contains('@');
    text.len() <= 254 && !text.contains(forbidden) && text.split_once('@').is_some_and(is_address)
}

/// Quotes untrusted text in an error: escaped, and truncated if it is long.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut: String = self.0.chars().take(MAX).collect();
        let more = if cut.len() < self.0.len() { "..." } else { "" };
        write!(f, "`{}{more}`", cut.escape_debug())
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $type:ident $field:tt, $is_valid:ident, $expected:literal) => {
        #[derive(Clone, Debug, Display, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
        #[derive(AsRef)]
        #[as_ref(str)]
        $(#[$doc])*
        #[serde(try_from = "String")]
        pub struct $type $field;

        impl $type {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                text.to_owned().try_into()
            }
        }

        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                if $is_valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(format!("{} is not {}", Quoted(&text), $expected))
                }
            }
        }
    };
}

text!(
    /// The name of a token, a user, a group or a location.
    Name(#[schemars(regex = "PATTERN")] String),
    is_name,
    "a name: use 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`"
);
text!(
    /// The slug of an organization.
    Slug(#[schemars(regex = "PATTERN")] String),
    is_name,
    "an organization slug: use 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`"
);
text!(
    /// An email address. Only its form is checked.
    Email(String),
    is_email,
    "an email address: write it as user@host"
);

/// Lets serde read these types like `FromStr`.
macro_rules! parse_strings {
    ($($type:ty),+) => {$(
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )+};
}

pub(crate) use parse_strings;

impl Slug {
    /// Reads a path segment. A malformed slug becomes the empty slug, which no organization has, so
    /// that the answer is the same as for an unknown organization.
    pub fn from_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(text.try_into().unwrap_or(Self(String::new())))
    }
}

/// Parses a whole number that is not zero.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse_positive<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| "write a whole number, 1 or more")
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
    fn malformed_slugs_of_a_path_become_a_slug_that_no_organization_has() {
        let read = |text: &str| Slug::from_path(serde_json::Value::from(text)).unwrap();
        assert_eq!(read("acme").as_str(), "acme");
        assert_eq!(read("a b"), read(".."));
        assert!(read("a b").as_str().parse::<Slug>().is_err());
    }

    #[test]
    fn a_quoted_text_is_escaped_and_truncated() {
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
