//! The bearer header into a [`Caller`], and too many bad ones refused. It
//! decides who asks, never what they may do, and looks for a credential nowhere
//! else.

use crate::access::{Caller, Origin};
use crate::error::{Error, Result};
use crate::front::throttle::Throttle;
use crate::service::Service;
use crate::token::PlainToken;
use dropshot::RequestInfo;
use http::{HeaderMap, header};
use std::time::Instant;

/// Who asks, by the one `Authorization` header (RFC 6750, 2.1). Tokens in query, cookie or body
/// are not looked for.
///
/// # Errors
/// [`Error::NoCredential`], [`Error::DeadCredential`] for whatever is not live, instead of it
/// [`Error::TooManyRequests`] for a client that sent too many such, and [`Error::Invalid`] for
/// two headers.
pub async fn authenticate(
    service: &Service,
    throttle: &Throttle,
    request: &RequestInfo,
) -> Result<Caller> {
    let headers = request.headers();
    let client = throttle.client(request.remote_addr().ip(), headers);
    let outcome = match bearer(headers) {
        Ok(token) => {
            let _turn = throttle.turn(client, Instant::now()).await;
            service.authenticate(&token, origin(headers)).await
        }
        // Above the rate what is no token costs the database nothing.
        Err(Error::DeadCredential) if !throttle.is_spent(client, Instant::now()) => {
            service.authenticate_nobody(origin(headers)).await
        }
        Err(error) => Err(error),
    };
    match outcome {
        Err(Error::DeadCredential) if !throttle.admits(client, Instant::now()) => {
            Err(Error::TooManyRequests)
        }
        outcome => outcome,
    }
}

fn bearer(headers: &HeaderMap) -> Result<PlainToken> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Error::NoCredential)?;
    if values.next().is_some() {
        return Err(Error::Invalid("two Authorization headers: send exactly one".to_owned()));
    }
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
    let token = token.trim_start_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Error::NoCredential);
    }
    token.parse().map_err(|_| Error::DeadCredential)
}

/// Command lines name themselves in the User-Agent; nothing else of it is used.
fn origin(headers: &HeaderMap) -> Origin {
    let agent =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let is_cli = agent
        .to_ascii_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word == "cli");
    if is_cli { Origin::Cli } else { Origin::Web }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn agent(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(text))])
    }

    #[test]
    fn a_user_agent_that_names_a_cli_is_one() {
        for cli in ["turso-cli/1.0 (linux/amd64)", "my CLI", "orgtokens_cli"] {
            assert_eq!(origin(&agent(cli)), Origin::Cli, "{cli}");
        }
        for web in ["", "Mozilla/5.0", "client/1.0", "climate"] {
            assert_eq!(origin(&agent(web)), Origin::Web, "{web}");
        }
    }

    #[test]
    fn only_one_bearer_header_is_a_credential() {
        let token = PlainToken::generate().unwrap();
        let headers = |values: &[String]| -> HeaderMap {
            values
                .iter()
                .map(|value| (header::AUTHORIZATION, HeaderValue::try_from(value).unwrap()))
                .collect()
        };
        let good = format!("bEaReR  {}", token.reveal());
        assert_eq!(bearer(&headers(std::slice::from_ref(&good))).unwrap(), token);
        assert!(matches!(bearer(&headers(&[])), Err(Error::NoCredential)));
        assert!(matches!(bearer(&headers(&[good.clone(), good])), Err(Error::Invalid(_))));
        for none in ["", "Bearer", "Bearer ", "Basic YTpi", token.reveal()] {
            let refused = bearer(&headers(&[none.to_owned()]));
            assert!(matches!(refused, Err(Error::NoCredential)), "{none}");
        }
        let refused = bearer(&headers(&["Bearer x y".to_owned()]));
        assert!(matches!(refused, Err(Error::DeadCredential)));
    }
}
