//! Request bodies: read on demand, within a size and a time limit.
//!
//! A body is accepted only if it is exactly one JSON object with known members.
//! The extractor reads nothing, so a handler can check the credential first.

use crate::error::{Error, Result};
use async_trait::async_trait;
use bytes::Bytes;
use dropshot::{
    ApiEndpointBodyContentType, ExclusiveExtractor, ExtractorMetadata, HttpError, RequestContext,
    ServerContext, TypedBody,
};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::Schema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// The largest body that is accepted.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Marks the schema of an optional body. `document` turns the mark into `required: false`, because
/// extractor metadata cannot express it.
pub(crate) const OPTIONAL_BODY: &str = "x-optional-body";

/// A body that has not been read yet.
pub struct Body<T> {
    request: hyper::Request<dropshot::Body>,
    content: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Body<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The request carries a credential.
        f.write_str("Body(..)")
    }
}

/// Declares that a body may be absent or empty: both mean `T::default()`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Optional<T>(T);

impl<T: DeserializeOwned> Body<T> {
    /// Reads and parses the body.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Timeout`], [`Error::UnsupportedMediaType`], or
    /// [`Error::Invalid`] with the reason.
    pub async fn read(self) -> Result<T> {
        let (headers, bytes) = read_body(self.request).await?;
        if bytes.is_empty() {
            return Err(Error::Invalid("there is no body: send a JSON object".to_owned()));
        }
        parse(&headers, &bytes)
    }
}

impl<T: DeserializeOwned + Default> Body<Optional<T>> {
    /// Reads and parses the body, or returns the default if there is none.
    ///
    /// # Errors
    /// Like [`Body::read`].
    pub async fn read_or_default(self) -> Result<T> {
        let (headers, bytes) = read_body(self.request).await?;
        // Some clients declare a media type but send an empty body, so it is not checked.
        if bytes.is_empty() { Ok(T::default()) } else { parse(&headers, &bytes) }
    }
}

async fn read_body(request: hyper::Request<dropshot::Body>) -> Result<(HeaderMap, Bytes)> {
    let (parts, body) = request.into_parts();
    let announced =
        parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > MAX_BODY_BYTES) {
        return Err(Error::TooLarge(MAX_BODY_BYTES));
    }
    let reading = tokio::time::timeout(TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect());
    match reading.await {
        Err(_) => Err(Error::Timeout),
        Ok(Ok(body)) => Ok((parts.headers, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::TooLarge(MAX_BODY_BYTES)),
        Ok(Err(_)) => Err(Error::Invalid("the body is incomplete: send it again".to_owned())),
    }
}

fn parse<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T> {
    require_plain_json(headers)?;
    parse_object(bytes)
}

/// Parses exactly one JSON object with the members of `T`.
///
/// # Errors
/// [`Error::Invalid`] with the member that is wrong and the reason.
pub fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // serde accepts an array for a struct.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::Invalid(
            "the body is not a JSON object: send one, such as {}".to_owned(),
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let invalid = |error: &dyn fmt::Display| Error::Invalid(format!("invalid body: {error}"));
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| invalid(&error))?;
    json.end().map_err(|error| invalid(&error))?;
    Ok(value)
}

/// Checks the headers that describe the body. Absent headers mean plain JSON.
fn require_plain_json(headers: &HeaderMap) -> Result<()> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let first = types.next();
    if types.next().is_some() {
        return Err(Error::Invalid("two Content-Type headers: send exactly one".to_owned()));
    }
    if let Some(media_type) = first.filter(|media_type| !is_json(media_type)) {
        return Err(Error::UnsupportedMediaType(format!("{media_type:?}")));
    }
    match headers.get_all(CONTENT_ENCODING).iter().find(|coding| !is_identity(coding)) {
        Some(coding) => Err(Error::UnsupportedMediaType(format!("encoded as {coding:?}"))),
        None => Ok(()),
    }
}

/// JSON is always UTF-8 (RFC 8259, 8.1), so no other charset is accepted.
fn is_json(media_type: &HeaderValue) -> bool {
    let mut parts = media_type.to_str().unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json") && !parts.any(is_other_charset)
}

fn is_other_charset(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.eq_ignore_ascii_case("charset")
            && !value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    })
}

fn is_identity(coding: &HeaderValue) -> bool {
    coding.as_bytes().eq_ignore_ascii_case(b"identity")
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

impl<T: JsonSchema> JsonSchema for Optional<T> {
    fn schema_name() -> String {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator).into_object();
        schema.extensions.insert(OPTIONAL_BODY.to_owned(), true.into());
        schema.into()
    }
}
