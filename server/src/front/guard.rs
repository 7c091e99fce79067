//! What a request must be before it is looked at any closer (RFC 9110, RFC 9112).

use super::{METHODS, Request, StatusCode, reply};
use http::{Method, Response, Version, header};

/// How many bytes the names and values of a request's headers may have together.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The answer to a request whose header block is too large, or whose host is not clear.
pub fn objection(request: &Request) -> Option<Response<dropshot::Body>> {
    let headers = request.headers();
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > MAX_HEADER_BYTES {
        let message = format!("the headers are larger than {MAX_HEADER_BYTES} bytes: send fewer");
        return Some(reply::refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message));
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    let enough = match request.version() {
        Version::HTTP_11 => hosts == 1,
        _ => hosts <= 1,
    };
    if enough {
        return None;
    }
    let message = format!("{hosts} Host headers: send exactly one");
    Some(reply::refuse(StatusCode::BAD_REQUEST, message))
}

/// The method to look a route up by: HEAD is answered as GET without the body, and what is no
/// method of HTTP, such as a lower-case one, is allowed nowhere.
pub fn routed_method(method: &Method) -> Method {
    if method == Method::HEAD {
        Method::GET
    } else if METHODS.contains(method) {
        method.clone()
    } else {
        Method::CONNECT
    }
}
