//! Finds the client of a request: the peer, or the address that a trusted proxy names.
//! Headers from other peers are ignored.

use http::header::FORWARDED;
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The networks of trusted proxies.
#[derive(Debug)]
pub struct Proxies(pub Vec<IpNet>);

impl Proxies {
    /// Returns the right-most address that is not a trusted proxy. Addresses left of it may be
    /// forged.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trust(client) {
            return client;
        }
        for hop in hops(headers).into_iter().rev() {
            match hop {
                Some(address) if self.trust(address) => client = address,
                Some(address) => return address,
                None => return client,
            }
        }
        client
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Returns the addresses that a request passed, nearest last; `None` for an invalid one.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let list = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let text = values.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",");
        text.split(',').map(str::trim).filter(|hop| !hop.is_empty()).map(str::to_owned).collect()
    };
    let (plain, forwarded) = (list(X_FORWARDED_FOR), list(FORWARDED.as_str()));
    // A proxy writes one of the two headers. The other one is forged, but either could be it.
    if !plain.is_empty() && !forwarded.is_empty() {
        return Vec::new();
    }
    let plain = plain.iter().map(|hop| address(hop));
    plain.chain(forwarded.iter().map(|hop| forwarded_for(hop))).collect()
}

/// Parses the `for` of an element of `Forwarded` (RFC 7239, 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"')))?
    })
}

/// Parses an address with or without a port, as proxies write it.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok();
    let address = address.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn client(peer: &str, headers: &[(&str, &str)]) -> String {
        let proxies = Proxies(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let claims = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.1")];
        for claim in claims {
            assert_eq!(client("192.0.2.1", &[claim]), "192.0.2.1");
            assert_eq!(client("10.0.0.1", &[claim]), "198.51.100.1");
        }
        assert_eq!(client("::ffff:10.0.0.1", &claims[..1]), "198.51.100.1");
    }

    #[test]
    fn the_right_most_untrusted_address_is_the_client() {
        let chain =
            [("x-forwarded-for", "203.0.113.9, 198.51.100.1"), ("x-forwarded-for", "10.1.1.1")];
        assert_eq!(client("10.0.0.1", &chain), "198.51.100.1");
        assert_eq!(
            client("10.0.0.1", &[("x-forwarded-for", "198.51.100.1, nonsense")]),
            "10.0.0.1"
        );
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn both_headers_together_are_ignored() {
        let claims = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.2")];
        assert_eq!(client("10.0.0.1", &claims), "10.0.0.1");
    }

    #[test]
    fn every_form_of_an_address_is_parsed() {
        for (text, expected) in [
            ("for=192.0.2.43", "192.0.2.43"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("proto=http; for=192.0.2.60:80;by=203.0.113.43", "192.0.2.60"),
            ("for=_hidden", "fd00::1"),
            ("for=unknown", "fd00::1"),
        ] {
            assert_eq!(client("fd00::1", &[("forwarded", text)]), expected);
        }
    }
}
