//! Preconditions of all requests to any path (RFC 9110, RFC 9112).
//!
//! Reads no body, and knows no operation and no credential.

use super::{Request, Response};
use crate::http::reply;
use http::uri::Authority;
use http::{HeaderValue, StatusCode, Version, header};

/// The largest sum of header names and values that is accepted.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Returns the refusal of a request that breaks a precondition.
pub fn check(request: &Request) -> Option<Response> {
    let (version, headers, path) = (request.version(), request.headers(), request.uri().path());
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let hosts = headers.get_all(header::HOST).iter().count();
    let (status, message) = if version > Version::HTTP_11 {
        // One connection of HTTP/2 carries hundreds of requests, so the cap on connections would
        // not limit the responses in memory.
        let message = format!("{version:?} is not supported: use HTTP/1.1");
        (StatusCode::HTTP_VERSION_NOT_SUPPORTED, message)
    } else if size > MAX_HEADER_BYTES {
        let message = format!("the headers are larger than {MAX_HEADER_BYTES} bytes: send fewer");
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message)
    } else if hosts > 1 || hosts == 0 && version == Version::HTTP_11 {
        (StatusCode::BAD_REQUEST, format!("{hosts} Host headers: send exactly one"))
    } else if !headers.get_all(header::HOST).iter().all(is_host) {
        let message = "the Host header is not a host: send host or host:port";
        (StatusCode::BAD_REQUEST, message.to_owned())
    } else if !headers.get_all(header::EXPECT).iter().all(is_known_expectation) {
        let message = "the expectation cannot be met: expect `100-continue`, or nothing";
        (StatusCode::EXPECTATION_FAILED, message.to_owned())
    } else if path.contains("//") || path.len() > 1 && path.ends_with('/') {
        // dropshot skips empty segments, so an empty variable would turn a path into another
        // operation's path.
        (StatusCode::NOT_FOUND, reply::NO_PATH.to_owned())
    } else {
        return None;
    };
    Some(reply::refuse(status, message))
}

fn is_host(value: &HeaderValue) -> bool {
    // An authority may also contain user information.
    Authority::try_from(value.as_bytes()).is_ok_and(|host| !host.as_str().contains('@'))
}

fn is_known_expectation(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"100-continue")
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
