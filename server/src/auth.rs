//! The credential of a request, from its bearer header, and the limit on bad ones. It decides who
//! asks, never what they may do, and looks for a credential nowhere else.

use crate::caller::{Credential, Origin};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::service::Service;
use crate::token::{PlainToken, TokenId};
use dropshot::RequestContext;
use http::{HeaderMap, header};
use std::sync::Arc;
use std::time::Instant;

/// Calls `call` with the credential of a request, and returns the token that was accepted too.
///
/// # Errors
/// Those of `call`, and before them [`Error::NoCredential`] and [`Error::Invalid`] for two headers.
/// A bad credential is refused before a malformed request is. A client that sent too many of them
/// receives [`Error::TooManyRequests`].
pub async fn with_credential<T>(
    rqctx: &RequestContext<Context>,
    call: impl AsyncFnOnce(&Service, &Arc<Credential>) -> Result<T>,
) -> (Option<TokenId>, Result<T>) {
    let (context, headers) = (rqctx.context(), rqctx.request.headers());
    let Context { service, throttle, metrics, .. } = context;
    let client = context.client(&rqctx.request);
    let credential = match credential(headers) {
        Ok(credential) => Arc::new(credential.with_address(client)),
        Err(error) => return (None, Err(error)),
    };
    // A good credential is refused too: to know that it is good takes the lookup that is limited.
    if throttle.bad_credentials.is_spent(client, Instant::now()) {
        metrics.throttled_requests.add(1);
        return (None, Err(Error::TooManyRequests));
    }
    let mut outcome = call(service, &credential).await;
    if let Err(Error::Invalid(_)) = outcome
        && credential.accepted_as().is_none()
        && let Err(error) = service.authenticate(&credential).await
    {
        outcome = Err(error);
    }
    if let Err(Error::DeadCredential) = outcome {
        metrics.refused_credentials.add(1);
        context.note_refused(&credential).await;
        if !throttle.bad_credentials.admits(client, Instant::now()) {
            metrics.throttled_requests.add(1);
            outcome = Err(Error::TooManyRequests);
        }
    }
    let accepted = credential.accepted_as().map(|(token, _)| token);
    if let Some(token) = accepted
        && !service.note_use(token, client)
    {
        metrics.lost_uses.add(1);
    }
    (accepted, outcome)
}

/// Counts a leak report, which needs no credential.
///
/// # Errors
/// [`Error::TooManyReports`] if the client has sent too many.
pub fn require_leak_report_allowed(rqctx: &RequestContext<Context>) -> Result<()> {
    let context = rqctx.context();
    let client = context.client(&rqctx.request);
    if context.throttle.leak_reports.admits(client, Instant::now()) {
        return Ok(());
    }
    context.metrics.throttled_requests.add(1);
    Err(Error::TooManyReports)
}

/// Reads the one `Authorization` header (RFC 6750, 2.1).
fn credential(headers: &HeaderMap) -> Result<Credential> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Error::NoCredential)?;
    if values.next().is_some() {
        return Err(Error::Invalid("two Authorization headers: send exactly one".to_owned()));
    }
    let text = value.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or_default();
    let token = token.trim_start_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Error::NoCredential);
    }
    let origin = origin(headers);
    let good = token.parse::<PlainToken>().map(|token| Credential::new(&token, origin));
    Ok(good.unwrap_or_else(|_| Credential::malformed(origin)))
}

/// Returns whether the User-Agent names a command line. Nothing else of it is used.
fn origin(headers: &HeaderMap) -> Origin {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let mut words = agent.unwrap_or_default().split(|c: char| !c.is_ascii_alphanumeric());
    if words.any(|word| word.eq_ignore_ascii_case("cli")) { Origin::Cli } else { Origin::Web }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::TokenDigest;
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
        let found = credential(&headers(std::slice::from_ref(&good))).unwrap();
        assert_eq!(found.digest, token.digest());
        assert!(matches!(credential(&headers(&[])), Err(Error::NoCredential)));
        assert!(matches!(credential(&headers(&[good.clone(), good])), Err(Error::Invalid(_))));
        for none in ["", "Bearer", "Bearer ", "Basic YTpi", token.reveal()] {
            let refused = credential(&headers(&[none.to_owned()]));
            assert!(matches!(refused, Err(Error::NoCredential)), "{none}");
        }
        let malformed = credential(&headers(&["Bearer x y".to_owned()])).unwrap();
        assert_eq!(malformed.digest, TokenDigest::NONE);
    }
}
