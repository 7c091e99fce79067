//! The token and its public id. Only [`PlainToken::reveal`] returns the plain text, for the answer
//! of mint and for the command line. Only the digest is stored, looked up and compared.

use crate::name::{Quoted, parse_strings};
use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use uuid::{NoContext, Timestamp, Uuid};

/// The prefix of every token, by which secret scanners find it.
pub const PREFIX: &str = "orgt_";
/// 128 bits in base 62.
const SECRET_DIGITS: usize = 22;
/// 32 bits in base 62.
const CHECKSUM_DIGITS: usize = 6;

/// A token in plain text: the prefix, then 128 random bits and their CRC-32 in base 62.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("PlainToken(..)")]
pub struct PlainToken(String);

/// The reason why a text is not a token. It never has the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the variants mean")]
pub enum MalformedToken {
    #[error("a token begins with `{PREFIX}`")]
    Prefix,
    #[error("a token has {} characters", PREFIX.len() + SECRET_DIGITS + CHECKSUM_DIGITS)]
    Length,
    #[error("after its prefix a token has letters and digits only")]
    Alphabet,
    #[error("the token's checksum is wrong: part of it was changed or lost")]
    Checksum,
}

impl PlainToken {
    /// Returns a new token, or the error of the operating system's generator.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret)?;
        let secret = base62::encode(u128::from_be_bytes(secret));
        let body = format!("{PREFIX}{secret:0>SECRET_DIGITS$}");
        let checksum = checksum(&body);
        Ok(Self(body + &checksum))
    }

    /// Returns the digest, which is stored and looked up.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(&self.0).into())
    }

    /// Returns the plain text, to show it once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

fn checksum(body: &str) -> String {
    format!("{:0>CHECKSUM_DIGITS$}", base62::encode(crc32fast::hash(body.as_bytes())))
}

impl FromStr for PlainToken {
    type Err = MalformedToken;

    fn from_str(text: &str) -> Result<Self, MalformedToken> {
        let digits = text.strip_prefix(PREFIX).ok_or(MalformedToken::Prefix)?;
        if digits.len() != SECRET_DIGITS + CHECKSUM_DIGITS {
            return Err(MalformedToken::Length);
        }
        let is_alphanumeric = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // 22 digits may also encode more than 128 bits.
        if !is_alphanumeric || base62::decode(&digits[..SECRET_DIGITS]).is_err() {
            return Err(MalformedToken::Alphabet);
        }
        let (body, sum) = text.split_at(PREFIX.len() + SECRET_DIGITS);
        let is_intact = base62::decode(sum) == Ok(crc32fast::hash(body.as_bytes()).into());
        is_intact.then(|| Self(text.to_owned())).ok_or(MalformedToken::Checksum)
    }
}

/// The SHA-256 of a token. A token has 128 random bits, so a slow hash is not needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, derive_more::Debug)]
#[debug("TokenDigest(..)")]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// A digest that no token has: to find such a token would break SHA-256.
    pub const NONE: Self = Self([0; 32]);

    /// Returns the bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The public id of a token: a version 7 UUID, written as 22 characters of unpadded base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct TokenId(#[schemars(with = "String", regex(pattern = "^[A-Za-z0-9_-]{21}[AQgw]$"))] Uuid);

impl TokenId {
    /// Returns a new id for a token that is minted at this time. The time keeps ids of one second
    /// close together in an index; nothing else depends on their order.
    pub fn generate(time: DateTime<Utc>) -> Self {
        let seconds = time.timestamp().try_into().unwrap_or(0);
        Self(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, time.timestamp_subsec_nanos())))
    }

    /// Returns the id of these stored bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Returns the bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Returns the random bits of the id, as a number.
    pub(crate) fn random_bits(self) -> u64 {
        self.0.as_u64_pair().1
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64Display::new(self.0.as_bytes(), &URL_SAFE_NO_PAD).fmt(f)
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for TokenId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        let expected = "use the 22 characters that the lists show";
        bytes
            .map(Self::from_bytes)
            .ok_or_else(|| format!("{} is not a token id: {expected}", Quoted(text)))
    }
}

parse_strings!(TokenId);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::MintedToken;

    #[test]
    fn generated_tokens_are_valid_and_differ() {
        let (one, two) = (PlainToken::generate().unwrap(), PlainToken::generate().unwrap());
        assert_eq!(one.reveal().parse(), Ok(one.clone()));
        assert!(one != two && one.digest() != two.digest());
    }

    #[test]
    fn each_fault_of_a_malformed_token_has_its_own_error() {
        let token = PlainToken::generate().unwrap();
        let text = token.reveal();
        let swapped: String = text.chars().rev().collect();
        assert_eq!(swapped.parse::<PlainToken>(), Err(MalformedToken::Prefix));
        assert_eq!(text[..32].parse::<PlainToken>(), Err(MalformedToken::Length));
        assert_eq!(format!("{text}0").parse::<PlainToken>(), Err(MalformedToken::Length));
        assert_eq!(
            text.replace(&text[5..6], "-").parse::<PlainToken>(),
            Err(MalformedToken::Alphabet)
        );
        let above = format!("{PREFIX}{}", "z".repeat(28));
        assert_eq!(above.parse::<PlainToken>(), Err(MalformedToken::Alphabet));
    }

    #[test]
    fn a_change_of_any_digit_breaks_the_checksum() {
        let token = PlainToken::generate().unwrap();
        for place in PREFIX.len()..token.reveal().len() {
            let mut bytes = token.reveal().as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(changed.parse::<PlainToken>(), Err(MalformedToken::Checksum), "at {place}");
        }
    }

    #[test]
    fn debug_output_shows_nothing_of_a_token() {
        let token = PlainToken::generate().unwrap();
        assert_eq!(format!("{token:?} {:?}", token.digest()), "PlainToken(..) TokenDigest(..)");
        let minted = MintedToken {
            name: "bot".parse().unwrap(),
            id: TokenId::generate(DateTime::UNIX_EPOCH),
            token,
        };
        assert!(format!("{minted:?}").ends_with(", token: PlainToken(..) }"));
    }

    #[test]
    fn token_ids_have_22_characters_sort_by_time_and_are_parsed_strictly() {
        let seconds = (0..1000).map(|second| DateTime::from_timestamp(second, 0).unwrap());
        let ids: Vec<_> = seconds.map(TokenId::generate).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids[0].to_string().len(), 22);
        assert_eq!(ids[0].to_string().parse(), Ok(ids[0]));
        // The last character of 22 carries 2 bits: spellings of the other 4 are no ids.
        assert!("clGFZ4STEe6fljpFzIum8B".parse::<TokenId>().is_err());
        assert!("clGFZ4STEe6fljpFzIum8A==".parse::<TokenId>().is_err());
    }

    #[test]
    fn token_ids_differ_even_before_1970() {
        let time = DateTime::from_timestamp(-1, 5).unwrap();
        assert_ne!(TokenId::generate(time), TokenId::generate(time));
    }
}
