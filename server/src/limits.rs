//! The limits of a token besides its binding: its expiry, and the addresses that may use it.

use crate::name::Quoted;
use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The pattern of an address or a network. Some texts that match it are neither.
pub const NETWORK: &str = r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$";

/// How many addresses and networks a token may have.
const MAX: usize = 100;

/// The limits of a token. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// When the token expires; `None` is never.
    pub expires_at: Option<DateTime<Utc>>,
    /// The addresses that may use it; `None` is all.
    pub allowed_ips: Option<AllowedIps>,
}

impl Limits {
    /// Returns these limits, narrowed to the limits of `outer`. Returns `None` if no address
    /// remains, or more networks than a token may have.
    pub fn within(self, outer: &Self) -> Option<Self> {
        let expires_at = self.expires_at.into_iter().chain(outer.expires_at).min();
        let allowed_ips = match (self.allowed_ips, &outer.allowed_ips) {
            (Some(inner), Some(outer)) => Some(inner.within(outer)?),
            (inner, outer) => inner.or_else(|| outer.clone()),
        };
        Some(Self { expires_at, allowed_ips })
    }

    /// Returns whether a client may use the token. If the address of the client is unknown, it may
    /// use only tokens without addresses.
    pub fn allow(&self, client: Option<IpAddr>) -> bool {
        self.allowed_ips.as_ref().is_none_or(|allowed| {
            client.is_some_and(|client| allowed.0.iter().any(|net| net.contains(&client)))
        })
    }
}

/// Addresses and networks, at least one. IPv4 mapped into IPv6 is stored as IPv4.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct AllowedIps(Vec<IpNet>);

impl AllowedIps {
    /// Returns the intersection with `outer`.
    fn within(self, outer: &Self) -> Option<Self> {
        let common = |one: &IpNet, other: &IpNet| match (one.contains(other), other.contains(one)) {
            (_, true) => Some(*one),
            (true, false) => Some(*other),
            (false, false) => None,
        };
        let both = self.0.iter().flat_map(|one| outer.0.iter().filter_map(move |o| common(one, o)));
        let both = IpNet::aggregate(&both.collect());
        (1..=MAX).contains(&both.len()).then_some(Self(both))
    }
}

/// Parses an address or a network.
///
/// # Errors
/// A sentence that quotes the text.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse().or_else(|_| address());
    network.map_err(|_| {
        format!("{} is not an address or network: write it as 10.0.0.0/8 or 10.0.0.1", Quoted(text))
    })
}

/// Returns the network as IPv4, like clients' addresses, if it is mapped into IPv6.
fn canonical(network: IpNet) -> IpNet {
    let mapped = |net: ipnet::Ipv6Net| {
        let length = net.prefix_len().checked_sub(96)?;
        ipnet::Ipv4Net::new(net.addr().to_ipv4_mapped()?, length).ok()
    };
    match network {
        IpNet::V6(net) => mapped(net).map_or(network, IpNet::V4),
        IpNet::V4(_) => network,
    }
    .trunc()
}

impl TryFrom<Vec<String>> for AllowedIps {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        if texts.is_empty() || texts.len() > MAX {
            return Err(format!("name 1 to {MAX} addresses or networks, or leave them out"));
        }
        let networks = texts.iter().map(|text| parse_network(text).map(canonical));
        networks.collect::<Result<_, _>>().map(Self)
    }
}

/// Parses the text in the database.
impl FromStr for AllowedIps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(str::to_owned).collect::<Vec<_>>().try_into()
    }
}

/// Writes the text for the database.
impl fmt::Display for AllowedIps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(shown).collect();
        f.write_str(&texts.join(","))
    }
}

impl Serialize for AllowedIps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(shown))
    }
}

fn shown(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(networks: &[&str]) -> AllowedIps {
        let texts: Vec<_> = networks.iter().map(|text| (*text).to_owned()).collect();
        texts.try_into().unwrap()
    }

    fn limits(networks: &[&str]) -> Limits {
        Limits { allowed_ips: Some(allowed(networks)), expires_at: None }
    }

    fn allows(networks: &[&str], client: &str) -> bool {
        limits(networks).allow(Some(client.parse::<IpAddr>().unwrap().to_canonical()))
    }

    #[test]
    fn a_token_is_accepted_only_from_its_networks() {
        assert!(allows(&["192.0.2.1", "10.0.0.0/8"], "10.1.2.3"));
        assert!(allows(&["192.0.2.1", "10.0.0.0/8"], "::ffff:192.0.2.1"));
        assert!(!allows(&["192.0.2.1", "10.0.0.0/8"], "192.0.2.2"));
        assert!(allows(&["::ffff:10.0.0.0/104"], "10.1.2.3"));
        assert!(allows(&["2001:db8::1/128"], "2001:db8::1"));
        assert!(!allows(&["2001:db8::1/128"], "2001:db8::2"));
        assert!(!allows(&["0.0.0.0/0"], "::1"));
        assert!(!limits(&["0.0.0.0/0", "::/0"]).allow(None));
        assert!(Limits::default().allow(None));
    }

    #[test]
    fn stored_networks_are_read_back_unchanged() {
        let saved = allowed(&["10.1.2.3/8", "192.0.2.1", "2001:db8::1/128", "::ffff:10.0.0.0/104"]);
        assert_eq!(saved.to_string(), "10.0.0.0/8,192.0.2.1,2001:db8::1,10.0.0.0/8");
        assert_eq!(saved.to_string().parse(), Ok(saved.clone()));
    }

    #[test]
    fn text_that_is_no_address_is_refused() {
        for texts in [&[][..], &["10.0.0.0/33"], &["example.com"], &["10.0.0.1", ""], &["10.0.0"]] {
            let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
            assert!(AllowedIps::try_from(texts.clone()).is_err(), "{texts:?}");
        }
        assert!(AllowedIps::try_from(vec!["::1".to_owned(); MAX + 1]).is_err());
    }

    #[test]
    fn limits_within_others_are_no_wider_than_either() {
        let time = |seconds| DateTime::from_timestamp(seconds, 0);
        let (early, late) = (Limits { expires_at: time(1), ..Limits::default() }, time(2));
        let late = Limits { expires_at: late, ..limits(&["10.0.0.0/8", "192.0.2.0/24"]) };
        let narrowed = Limits { expires_at: time(1), ..late.clone() };
        assert_eq!(early.clone().within(&late), Some(narrowed.clone()));
        assert_eq!(late.clone().within(&early), Some(narrowed));
        let both = limits(&["10.1.0.0/16", "192.0.0.0/16", "::1"]).within(&late).unwrap();
        assert_eq!(both.allowed_ips, Some(allowed(&["10.1.0.0/16", "192.0.2.0/24"])));
        assert_eq!(limits(&["::1"]).within(&late), None);
        let single = |network| (0..99).map(move |number| format!("{network}.{}", 2 * number));
        let inner: Vec<_> = single("10.0.0").chain(["192.0.2.0/24".to_owned()]).collect();
        let outer: Vec<_> = single("192.0.2").chain(["10.0.0.0/8".to_owned()]).collect();
        let [inner, outer] = [inner, outer].map(|texts| Limits {
            allowed_ips: Some(texts.try_into().unwrap()),
            ..Limits::default()
        });
        assert_eq!(inner.within(&outer), None, "198 networks remain");
    }
}
