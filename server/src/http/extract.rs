//! Extracts the path, the query and the body of a request.
//!
//! An error in the path or query is reported only when the handler reads the value, so that a missing
//! credential is answered first. A body is also read only on demand, within a size limit and a timeout.
//! It must be exactly one JSON object with known members.

use crate::error::{Error, Result};
use async_trait::async_trait;
use dropshot::{
    ApiEndpointBodyContentType, ExclusiveExtractor, ExtractorMetadata, HttpError, Path, Query,
    RequestContext, ServerContext, SharedExtractor, TypedBody,
};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const MAX_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Tells whether a body was read to its end.
#[derive(Clone, Default)]
pub struct BodyRead(Arc<AtomicBool>);

impl BodyRead {
    /// Watches the body of a request, if it has one.
    pub fn watch(request: &mut hyper::Request<dropshot::Body>) -> Option<Self> {
        if request.body().is_end_stream() {
            return None;
        }
        let read = Self::default();
        request.extensions_mut().insert(read.clone());
        Some(read)
    }

    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// An extracted `E`, or the error. Reading it then fails with [`Error::Invalid`].
pub struct Deferred<E>(std::result::Result<E, HttpError>);

impl<T: JsonSchema + Send + Sync> Deferred<Path<T>> {
    pub fn get(self) -> Result<T> {
        self.0.map(Path::into_inner).map_err(invalid)
    }
}

impl<T: JsonSchema + DeserializeOwned + Send + Sync> Deferred<Query<T>> {
    pub fn get(self) -> Result<T> {
        self.0.map(Query::into_inner).map_err(invalid)
    }
}

fn invalid(error: HttpError) -> Error {
    Error::Invalid(error.external_message)
}

#[async_trait]
impl<E: SharedExtractor> SharedExtractor for Deferred<E> {
    async fn from_request<Context: ServerContext>(
        rqctx: &RequestContext<Context>,
    ) -> std::result::Result<Self, HttpError> {
        Ok(Self(E::from_request(rqctx).await))
    }

    fn metadata(body_content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        E::metadata(body_content_type)
    }
}

/// A body that has not been read yet.
pub struct Body<T> {
    request: hyper::Request<dropshot::Body>,
    content: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Body<T> {
    /// Reads and parses it. An absent or empty body means `{}`.
    pub async fn read(self) -> Result<T> {
        self.read_checked(require_plain_json).await
    }

    /// Like [`Self::read`], but accepts any media type.
    pub async fn read_any_type(self) -> Result<T> {
        self.read_checked(|_| Ok(())).await
    }

    async fn read_checked(self, check: fn(&HeaderMap) -> Result<()>) -> Result<T> {
        let (parts, body) = self.request.into_parts();
        let too_large = Err(Error::TooLarge(MAX_BYTES));
        // Rejects a large `Content-Length` before the client sends the body.
        if body.size_hint().lower() > MAX_BYTES as u64 {
            return too_large;
        }
        let invalid = |message: &str| Error::Invalid(message.to_owned());
        let reading = tokio::time::timeout(TIMEOUT, Limited::new(body, MAX_BYTES).collect());
        let bytes = match reading.await {
            Err(_) => return Err(Error::Timeout),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return too_large,
            Ok(Err(_)) => return Err(invalid("the body is incomplete: send it again")),
            Ok(Ok(body)) => body.to_bytes(),
        };
        if let Some(BodyRead(read)) = parts.extensions.get() {
            read.store(true, Ordering::Relaxed);
        }
        // Some clients send a media type with an empty body, so it is not checked.
        if bytes.is_empty() {
            let missing = |_| invalid("there is no body: send a JSON object");
            return parse_object(b"{}").map_err(missing);
        }
        check(&parts.headers)?;
        parse_object(&bytes)
    }
}

#[async_trait]
impl<T: JsonSchema + DeserializeOwned + Send + Sync + 'static> ExclusiveExtractor for Body<T> {
    async fn from_request<Context: ServerContext>(
        _: &RequestContext<Context>,
        request: hyper::Request<dropshot::Body>,
    ) -> std::result::Result<Self, HttpError> {
        Ok(Self { request, content: PhantomData })
    }

    fn metadata(body_content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        TypedBody::<T>::metadata(body_content_type)
    }
}

/// Parses exactly one JSON object with the members of `T`. Rejects null: if a client lost a restriction
/// and sends null, it must not mint a wider token.
///
/// # Errors
/// [`Error::Invalid`] with the name of the wrong member and the reason.
pub fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // serde also accepts an array for a struct.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        let message = "the body is not a JSON object: send one, such as {}";
        return Err(Error::Invalid(message.to_owned()));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let invalid = |error: &dyn Display| Error::Invalid(format!("invalid body: {error}"));
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let text = error.to_string();
        // A wrong value is located by its member, so line and column are removed. Malformed JSON needs
        // them.
        let place = text.rfind(" at line ").filter(|_| error.inner().is_data());
        invalid(&&text[..place.unwrap_or(text.len())])
    })?;
    json.end().map_err(|error| invalid(&error))?;
    match null_member(&serde_json::from_slice(bytes).unwrap_or_default()) {
        Some(name) => Err(invalid(&format_args!("{name}: it is null, leave it out"))),
        None => Ok(value),
    }
}

/// Returns the name of a member that is null, at any depth.
fn null_member(value: &Value) -> Option<&str> {
    value.as_object()?.iter().find_map(|(name, value)| match value {
        Value::Null => Some(name.as_str()),
        value => null_member(value),
    })
}

/// Rejects bodies that are not plain JSON, by their headers. Absent headers mean plain JSON.
fn require_plain_json(headers: &HeaderMap) -> Result<()> {
    if headers.get_all(CONTENT_TYPE).iter().count() > 1 {
        return Err(Error::Invalid("two Content-Type headers: send exactly one".to_owned()));
    }
    if let Some(media_type) = headers.get(CONTENT_TYPE).filter(|media_type| !is_json(media_type)) {
        return Err(Error::UnsupportedMediaType(format!("{media_type:?}")));
    }
    let is_other = |coding: &&HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"identity");
    match headers.get_all(CONTENT_ENCODING).iter().find(is_other) {
        Some(coding) => Err(Error::UnsupportedMediaType(format!("encoded as {coding:?}"))),
        None => Ok(()),
    }
}

/// Returns whether a media type is JSON in UTF-8, the only encoding of JSON (RFC 8259, 8.1).
fn is_json(media_type: &HeaderValue) -> bool {
    let media_type = media_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = media_type.split(';').map(str::trim);
    let is_utf_8 = |charset: &str| charset.trim_matches('"') == "utf-8";
    parts.next() == Some("application/json")
        && parts.filter_map(|parameter| parameter.strip_prefix("charset=")).all(is_utf_8)
}
