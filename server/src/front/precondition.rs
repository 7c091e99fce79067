//! Preconditions of all requests to any path (RFC 9110, RFC 9112).
//!
//! Reads no body, and knows no operation and no credential.

use super::Request;
use crate::http::reply;
use http::uri::Authority;
use http::{HeaderMap, Response, StatusCode, Version, header};

/// The largest sum of header names and values that is accepted.
const MAX_HEADER_BYTES: usize = 64 * 1024;

type Refusal = (StatusCode, String);

/// Returns the refusal of a request that breaks a precondition.
pub fn check(request: &Request) -> Option<Response<dropshot::Body>> {
    let (status, message) = unsupported_version(request.version())
        .or_else(|| too_large(request.headers()))
        .or_else(|| unclear_host(request))
        .or_else(|| unknown_expectation(request.headers()))
        .or_else(|| empty_segment(request.uri().path()))?;
    Some(reply::refuse(status, message))
}

/// One connection of HTTP/2 carries hundreds of requests, so the cap on connections would not
/// limit the responses in memory.
fn unsupported_version(version: Version) -> Option<Refusal> {
    (version > Version::HTTP_11).then(|| {
        let message = format!("{version:?} is not supported: use HTTP/1.1");
        (StatusCode::HTTP_VERSION_NOT_SUPPORTED, message)
    })
}

fn too_large(headers: &HeaderMap) -> Option<Refusal> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (size > MAX_HEADER_BYTES).then(|| {
        let message = format!("the headers are larger than {MAX_HEADER_BYTES} bytes: send fewer");
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message)
    })
}

fn unclear_host(request: &Request) -> Option<Refusal> {
    let hosts = request.headers().get_all(header::HOST);
    let count = hosts.iter().count();
    if count > 1 || count == 0 && request.version() == Version::HTTP_11 {
        let message = format!("{count} Host headers: send exactly one");
        return Some((StatusCode::BAD_REQUEST, message));
    }
    (!hosts.iter().all(|host| is_host(host.as_bytes()))).then(|| {
        let message = "the Host header is not a host: send host or host:port";
        (StatusCode::BAD_REQUEST, message.to_owned())
    })
}

fn is_host(text: &[u8]) -> bool {
    // An authority may also contain user information.
    Authority::try_from(text).is_ok_and(|host| !host.as_str().contains('@'))
}

fn unknown_expectation(headers: &HeaderMap) -> Option<Refusal> {
    let mut expected = headers.get_all(header::EXPECT).iter();
    let known = expected.all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    (!known).then(|| {
        let message = "the expectation cannot be met: expect `100-continue`, or nothing";
        (StatusCode::EXPECTATION_FAILED, message.to_owned())
    })
}

/// dropshot skips empty segments, so an empty variable would turn a path into another
/// operation's path.
fn empty_segment(path: &str) -> Option<Refusal> {
    (path.contains("//") || path.len() > 1 && path.ends_with('/'))
        .then(|| (StatusCode::NOT_FOUND, reply::NO_PATH.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(path: &str, version: Version, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request = http::Request::builder().uri(path).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = check(&request.body(dropshot::Body::empty()).unwrap());
        answer.map(|answer| answer.status().as_u16())
    }

    #[test]
    fn http_1_1_requires_one_host_and_http_2_is_refused() {
        let hosts = |count| vec![("host", "localhost:8080"); count];
        for (version, count, expected) in [
            (Version::HTTP_10, 0, None),
            (Version::HTTP_10, 2, Some(400)),
            (Version::HTTP_11, 0, Some(400)),
            (Version::HTTP_11, 1, None),
            (Version::HTTP_11, 2, Some(400)),
            (Version::HTTP_2, 0, Some(505)),
        ] {
            assert_eq!(status("/", version, &hosts(count)), expected, "{version:?} {count}");
        }
    }

    #[test]
    fn a_host_header_is_a_host_with_an_optional_port() {
        for (host, expected) in [
            ("[::1]:8080", None),
            ("a.example", None),
            ("", Some(400)),
            ("a b", Some(400)),
            ("user@a", Some(400)),
            ("a/b", Some(400)),
        ] {
            assert_eq!(status("/", Version::HTTP_11, &[("host", host)]), expected, "{host}");
        }
    }

    #[test]
    fn only_100_continue_is_expected_and_no_path_segment_is_empty() {
        let expects = |what| [("host", "a"), ("expect", what)];
        assert_eq!(status("/", Version::HTTP_11, &expects("100-Continue")), None);
        assert_eq!(status("/", Version::HTTP_11, &expects("a-miracle")), Some(417));
        for path in ["/v1//user", "/v1/organizations/"] {
            assert_eq!(status(path, Version::HTTP_11, &[("host", "a")]), Some(404), "{path}");
        }
    }

    #[test]
    fn headers_have_at_most_64_kib() {
        let long = "a".repeat(32 * 1024);
        let headers = [("host", "a"), ("x-a", long.as_str()), ("x-b", long.as_str())];
        assert_eq!(status("/", Version::HTTP_11, &headers[..2]), None);
        assert_eq!(status("/", Version::HTTP_11, &headers), Some(431));
    }
}
