//! How requests are sent: with the settings of the client, again if that is safe, and so that no
//! failure loses what is known of it. Which failures are answered is the contract's matter.

use crate::failure::{retry_after, with_causes};
use crate::generated::SECRET_OPERATIONS;
use crate::settings::{OnBody, Settings};
use crate::{Client, types};
use backon::{ExponentialBuilder, Retryable};
use progenitor_client::{ClientHooks, OperationInfo};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Request, Response, ResponseBuilderExt, StatusCode, Url};
use std::time::Duration;

/// The wait before the first repetition, unless the server asks for another one.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Marks failures after which a change may have been made. Of a response, progenitor's errors keep
/// status, headers and body, so it is a header; of a lost one only the URL, so it is a fragment.
const OUTCOME_UNKNOWN: HeaderName = HeaderName::from_static("outcome-unknown");

/// The last byte of a text in place of a success, because only the body of one is kept. The server made
/// the change, but its response broke off; or the response is another API's.
const CHANGED: u8 = b'!';
const PERHAPS_CHANGED: u8 = b'?';

pub fn is_outcome_unknown(headers: &HeaderMap) -> bool {
    headers.contains_key(OUTCOME_UNKNOWN)
}

/// Returns whether a change may have been made, by the text in place of a success.
pub fn is_perhaps_changed(body: &[u8]) -> bool {
    body.ends_with(&[PERHAPS_CHANGED])
}

pub fn is_lost_change(url: &Url) -> bool {
    url.fragment() == Some(OUTCOME_UNKNOWN.as_str())
}

impl ClientHooks<Settings> for Client {
    async fn exec(
        &self,
        mut request: Request,
        operation: &OperationInfo,
    ) -> reqwest::Result<Response> {
        self.inner.apply(&mut request);
        let is_read = request.method().is_safe();
        // A second secret could stay unnoticed.
        let gives_secret = SECRET_OPERATIONS.contains(&operation.operation_id);
        let times = if gives_secret { 0 } else { self.inner.retries };
        let attempt = || async {
            let copy = request.try_clone().expect("a JSON body can be copied");
            let result = self.attempt(copy, is_read).await;
            if may_be_repeated(&result, is_read) { Err(result) } else { Ok(result) }
        };
        let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_jitter();
        let result = attempt
            .retry(waits.with_max_times(times))
            .adjust(|last, wait| match last.as_ref().map(|it| retry_after(it.headers())) {
                Ok(Some(asked)) if asked > self.inner.longest_wait() => None,
                Ok(Some(asked)) => wait.map(|_| asked.max(FIRST_WAIT)),
                _ => wait,
            })
            .await
            .unwrap_or_else(|last| last);
        if is_read { result } else { mark(result, request.url()) }
    }
}

impl Client {
    /// Sends a request once, and reads the whole response. One that broke off, or is not this
    /// API's, such as a proxy's page, keeps its status and becomes an error of this API.
    async fn attempt(&self, request: Request, is_read: bool) -> reqwest::Result<Response> {
        let response = self.client.execute(request).await?;
        let (status, url) = (response.status(), response.url().clone());
        let headers = response.headers().clone();
        let mut end = CHANGED;
        let error = match response.bytes().await {
            Ok(body) if status.is_success() && is_json(&headers) => {
                if let Some(OnBody(receive)) = &self.inner.on_body {
                    receive(&body);
                }
                return Ok(rebuild(status, headers, url, body));
            }
            Ok(body) => serde_json::from_slice(&body).unwrap_or_else(|_| {
                end = if is_read { CHANGED } else { PERHAPS_CHANGED };
                foreign(&headers)
            }),
            Err(error) => types::Error {
                error: format!("the response broke off: {}", with_causes(&error.without_url())),
            },
        };
        let mut body = serde_json::to_vec(&error).unwrap_or_default();
        if status.is_success() {
            // No type of a success may accept it, not even one without required members.
            body.push(end);
        }
        let mut response = rebuild(status, headers, url, body);
        response.extensions_mut().insert::<types::Error>(error);
        Ok(response)
    }
}

fn is_error(response: &Response) -> bool {
    response.extensions().get::<types::Error>().is_some()
}

/// Returns whether a response is JSON, or does not say what it is.
fn is_json(headers: &HeaderMap) -> bool {
    const JSON: &[u8] = b"application/json";
    headers.get(CONTENT_TYPE).is_none_or(|kind| {
        kind.as_bytes().get(..JSON.len()).is_some_and(|start| start.eq_ignore_ascii_case(JSON))
    })
}

fn foreign(headers: &HeaderMap) -> types::Error {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(|kind| format!("{kind}, ")).unwrap_or_default();
    let error =
        format!("the response is {kind}not this API's JSON: check the base URL and any proxy");
    types::Error { error }
}

fn rebuild(
    status: StatusCode,
    headers: HeaderMap,
    url: Url,
    body: impl Into<reqwest::Body>,
) -> Response {
    let response = http::Response::builder().status(status).url(url).body(body);
    let mut response = response.expect("it has a valid status");
    *response.headers_mut() = headers;
    response.into()
}

/// Returns whether a failed request may be sent again: nothing can have changed.
fn may_be_repeated(result: &reqwest::Result<Response>, is_read: bool) -> bool {
    match result {
        // After a time-out another try would double the wait.
        Err(error) => (is_read && !error.is_timeout()) || error.is_connect(),
        Ok(response) => match response.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                is_read || retry_after(response.headers()).is_some()
            }
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => is_read,
            status => is_read && status.is_success() && is_error(response),
        },
    }
}

/// Marks the result of a change if the change may have been made although it failed.
fn mark(mut result: reqwest::Result<Response>, url: &Url) -> reqwest::Result<Response> {
    match &mut result {
        Ok(response) => {
            let asks_for_it_again = retry_after(response.headers()).is_some();
            let is_redirect = response.status().is_redirection();
            if is_redirect || response.status().is_server_error() && !asks_for_it_again {
                let yes = HeaderValue::from_static("true");
                response.headers_mut().insert(OUTCOME_UNKNOWN, yes);
            }
            result
        }
        Err(error) if error.is_connect() || error.is_builder() => result,
        Err(_) => {
            let mut url = url.clone();
            url.set_fragment(Some(OUTCOME_UNKNOWN.as_str()));
            result.map_err(|error| error.with_url(url))
        }
    }
}
