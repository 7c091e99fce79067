//! What a request must be before it is looked at any closer (RFC 9110, RFC
//! 9112). It never reads a body; which operations there are, and who asks, is
//! not its business.

use super::{METHODS, Request, StatusCode, reply};
use http::uri::Authority;
use http::{HeaderMap, Method, Response, Version, header};

/// How many bytes the names and values of a request's headers may have together.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The answer to a request that is refused whatever it asks for.
pub fn objection(request: &Request) -> Option<Response<dropshot::Body>> {
    let (status, message) = too_large(request.headers())
        .or_else(|| unclear_host(request))
        .or_else(|| unknown_expectation(request.headers()))
        .or_else(|| empty_segment(request.uri().path()))?;
    Some(reply::refuse(status, message))
}

type Refusal = (StatusCode, String);

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
    let enough = match request.version() {
        Version::HTTP_11 => count == 1,
        _ => count <= 1,
    };
    if !enough {
        let message = format!("{count} Host headers: send exactly one");
        return Some((StatusCode::BAD_REQUEST, message));
    }
    let is_host = |host: &[u8]| Authority::try_from(host).is_ok_and(|host| !is_userinfo(&host));
    (!hosts.iter().all(|host| is_host(host.as_bytes()))).then(|| {
        (StatusCode::BAD_REQUEST, "the Host header is no host: send host or host:port".to_owned())
    })
}

fn is_userinfo(host: &Authority) -> bool {
    host.as_str().contains('@')
}

fn unknown_expectation(headers: &HeaderMap) -> Option<Refusal> {
    let mut expected = headers.get_all(header::EXPECT).iter();
    let known = expected.all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    (!known).then(|| {
        let message = "the expectation cannot be met: expect `100-continue`, or nothing";
        (StatusCode::EXPECTATION_FAILED, message.to_owned())
    })
}

/// dropshot leaves empty segments out, so that a variable which is empty by mistake would make
/// another operation of the path.
fn empty_segment(path: &str) -> Option<Refusal> {
    (path.contains("//") || path.len() > 1 && path.ends_with('/'))
        .then(|| (StatusCode::NOT_FOUND, reply::NO_PATH.to_owned()))
}

/// The method to look a route up by: HEAD is answered as GET without the body, and what HTTP
/// itself does not define, such as a lower-case one, is allowed nowhere.
pub fn routed_method(method: &Method) -> Method {
    if method == Method::HEAD {
        Method::GET
    } else if METHODS.contains(method) {
        method.clone()
    } else {
        Method::CONNECT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(path: &str, version: Version, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request = http::Request::builder().uri(path).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = objection(&request.body(dropshot::Body::empty()).unwrap());
        answer.map(|answer| answer.status().as_u16())
    }

    #[test]
    fn http_1_1_has_exactly_one_host_and_http_1_0_and_2_at_most_one() {
        let hosts = |count| vec![("host", "localhost:8080"); count];
        for (version, count, expected) in [
            (Version::HTTP_10, 0, None),
            (Version::HTTP_10, 2, Some(400)),
            (Version::HTTP_11, 0, Some(400)),
            (Version::HTTP_11, 1, None),
            (Version::HTTP_11, 2, Some(400)),
            (Version::HTTP_2, 0, None),
        ] {
            assert_eq!(status("/", version, &hosts(count)), expected, "{version:?} {count}");
        }
    }

    #[test]
    fn a_host_is_a_host_and_maybe_a_port() {
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
    fn only_100_continue_may_be_expected_and_no_segment_may_be_empty() {
        let expects = |what| [("host", "a"), ("expect", what)];
        assert_eq!(status("/", Version::HTTP_11, &expects("100-Continue")), None);
        assert_eq!(status("/", Version::HTTP_11, &expects("a-miracle")), Some(417));
        for path in ["/v1//user", "/v1/organizations/"] {
            assert_eq!(status(path, Version::HTTP_11, &[("host", "a")]), Some(404), "{path}");
        }
    }

    #[test]
    fn a_header_block_has_at_most_64_kib() {
        let long = "a".repeat(32 * 1024);
        let headers = [("host", "a"), ("x-a", long.as_str()), ("x-b", long.as_str())];
        assert_eq!(status("/", Version::HTTP_11, &headers[..2]), None);
        assert_eq!(status("/", Version::HTTP_11, &headers), Some(431));
    }
}
