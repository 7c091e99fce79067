//! Finds the client of a request: the peer, or the address that a trusted proxy names in
//! the one header that the operator chose. Every other header is ignored, so a client
//! cannot choose its address with one that the proxy passes on.

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whom to believe, and where to read it.
pub struct Proxies {
    pub trusted: Vec<IpNet>,
    pub header: HeaderName,
}

impl Proxies {
    /// Returns the right-most address that is not a trusted proxy. Addresses left of it may be
    /// forged. An absent or malformed address counts for the proxy that passed it on.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let parse = if self.header == header::FORWARDED { forwarded_for } else { address };
        let lines = headers.get_all(&self.header).iter().rev();
        let mut hops = lines.flat_map(|line| rsplit_unquoted(line.as_bytes(), b',').map(parse));
        while self.trusts(client)
            && let Some(Some(hop)) = hops.next()
        {
            client = hop;
        }
        client
    }

    /// Returns the scheme that a trusted proxy was asked with, if it says so.
    pub fn scheme(&self, peer: IpAddr, headers: &HeaderMap) -> Option<&'static str> {
        let said = headers.get(FORWARDED_PROTO).filter(|_| self.trusts(peer.to_canonical()))?;
        ["http", "https"].into_iter().find(|scheme| said == scheme)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// Splits from the right, where the nearest proxy writes, so that an open quote of the client on
/// the left hides nothing. A quoted text may contain the separator.
fn rsplit_unquoted(text: &[u8], separator: u8) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = text.rsplit(move |byte| {
        is_quoted ^= *byte == b'"';
        *byte == separator && !is_quoted
    });
    let parts = parts.map(|part| str::from_utf8(part).unwrap_or("invalid").trim());
    parts.filter(|part| !part.is_empty())
}

/// Parses the `for` of an element of `Forwarded` (RFC 7239, 4). An escaped character makes the
/// element malformed: no address needs one, and it could hide the end of a quote.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = rsplit_unquoted(element.as_bytes(), b';');
    let value = pairs.find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })?;
    if element.contains('\\') { None } else { address(value) }
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

    fn client(peer: &str, header: &'static str, headers: &[(&str, &str)]) -> String {
        let trusted = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        let proxies = Proxies { trusted, header: HeaderName::from_static(header) };
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    fn forwarded_for(peer: &str, values: &[&str]) -> String {
        let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
        client(peer, "x-forwarded-for", &headers)
    }

    fn forwarded(value: &str) -> String {
        client("fd00::1", "forwarded", &[("forwarded", value)])
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(forwarded_for("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(forwarded_for("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(forwarded_for("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn the_right_most_untrusted_address_is_the_client() {
        let chain = ["203.0.113.9, 198.51.100.1", "10.1.1.1"];
        assert_eq!(forwarded_for("10.0.0.1", &chain), "198.51.100.1");
    }

    #[test]
    fn an_absent_or_malformed_address_counts_for_the_proxy() {
        assert_eq!(forwarded_for("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(forwarded_for("10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1");
        assert_eq!(forwarded_for("10.0.0.1", &["\u{e9}, 198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn the_header_that_the_operator_did_not_name_is_ignored() {
        let both = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.2")];
        assert_eq!(client("10.0.0.1", "x-forwarded-for", &both), "198.51.100.1");
        assert_eq!(client("10.0.0.1", "forwarded", &both), "198.51.100.2");
        assert_eq!(client("10.0.0.1", "x-real-ip", &both), "10.0.0.1");
        let other = [("x-real-ip", "198.51.100.3")];
        assert_eq!(client("10.0.0.1", "x-real-ip", &other), "198.51.100.3");
    }

    #[test]
    fn every_form_of_an_address_is_parsed() {
        for (text, expected) in [
            ("for=192.0.2.43", "192.0.2.43"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("proto=http; for=192.0.2.60:80;by=203.0.113.43", "192.0.2.60"),
            ("for=_hidden", "fd00::1"),
            ("for=unknown", "fd00::1"),
            ("proto=https", "fd00::1"),
        ] {
            assert_eq!(forwarded(text), expected);
        }
    }

    #[test]
    fn a_quote_of_the_client_hides_nothing_and_adds_nothing() {
        for (text, expected) in [
            ("for=\"a, for=192.0.2.1", "192.0.2.1"),
            ("for=192.0.2.9, for=192.0.2.1;host=\"a,for=192.0.2.8\"", "192.0.2.1"),
            ("for=192.0.2.1;host=\"a;for=192.0.2.8\"", "192.0.2.1"),
            ("for=192.0.2.1;host=\"a\\\";for=192.0.2.8;x=\\\"\"", "fd00::1"),
        ] {
            assert_eq!(forwarded(text), expected, "{text}");
        }
    }
}
