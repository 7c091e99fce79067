//! Finds the client of a request: the peer, or the address that a trusted proxy names.
//! Headers from other peers are ignored.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Returns the right-most address that is not a trusted proxy. Addresses left of it may be forged.
pub fn find(trusted: &[IpNet], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let (mut client, mut hops) = (peer.to_canonical(), hops(headers));
    while is_trusted(client)
        && let Some(Some(hop)) = hops.pop()
    {
        client = hop;
    }
    client
}

/// Returns the addresses that a request passed, nearest last; `None` for an invalid one.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let plain: Vec<_> = elements(headers, "x-forwarded-for").map(address).collect();
    let forwarded: Vec<_> = elements(headers, "forwarded").map(forwarded_for).collect();
    // A proxy writes one of the two headers. The other one is forged, but either could be it.
    if plain.is_empty() || forwarded.is_empty() { [plain, forwarded].concat() } else { Vec::new() }
}

fn elements<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    let elements = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let elements = elements.map(|element| str::from_utf8(element).unwrap_or("invalid").trim());
    elements.filter(|element| !element.is_empty())
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
    let address = bare.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn client(peer: &str, headers: &[(&str, &str)]) -> String {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        find(&proxies, peer.parse().unwrap(), &headers).to_string()
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
