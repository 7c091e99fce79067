//! Request bodies: read when they are asked for, never more than the limit, in time,
//! and taken only when they are exactly one JSON object of the declared members.

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

/// How many bytes a body may have.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Marks the schema of a body that may be left out: the extractor's own metadata cannot say it,
/// so the document is made to.
pub(crate) const OPTIONAL_BODY: &str = "x-optional-body";

/// A body that has not been read yet.
pub struct Body<T> {
    request: hyper::Request<dropshot::Body>,
    means: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Body<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The request carries a credential.
        f.write_str("Body(..)")
    }
}

/// Declares that a body may be left out, or be empty: it then means `T::default()`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Optional<T>(T);

impl<T: DeserializeOwned> Body<T> {
    /// The body, which has to be there.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Timeout`], [`Error::UnsupportedMediaType`], and
    /// [`Error::Invalid`] with what is wrong and where.
    pub async fn read(self) -> Result<T> {
        let (headers, bytes) = receive(self.request).await?;
        if bytes.is_empty() {
            return Err(Error::Invalid("there is no body: send a JSON object".to_owned()));
        }
        parse(&headers, &bytes)
    }
}

impl<T: DeserializeOwned + Default> Body<Optional<T>> {
    /// The body, or what its absence means.
    ///
    /// # Errors
    /// As [`Body::read`].
    pub async fn read_or_default(self) -> Result<T> {
        let (headers, bytes) = receive(self.request).await?;
        // Real clients name a media type and send no byte of it.
        if bytes.is_empty() { Ok(T::default()) } else { parse(&headers, &bytes) }
    }
}

async fn receive(request: hyper::Request<dropshot::Body>) -> Result<(HeaderMap, Bytes)> {
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
        Ok(Err(_)) => Err(Error::Invalid("the body broke off: send it again".to_owned())),
    }
}

fn parse<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T> {
    require_plain_json(headers)?;
    object(bytes)
}

/// What these bytes spell, where they are exactly one JSON object of the members that `T` has.
///
/// # Errors
/// [`Error::Invalid`] with what is wrong and where.
pub fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // serde would take an array for a struct.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::Invalid(
            "the body is not a JSON object: send one, such as {}".to_owned(),
        ));
    }
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let wrong = |error: &dyn fmt::Display| {
        Error::Invalid(format!("the body is not as it should be: {error}"))
    };
    let value = serde_path_to_error::deserialize(&mut text).map_err(|error| wrong(&error))?;
    text.end().map_err(|error| wrong(&error))?;
    Ok(value)
}

/// Holds a body against what is said about it, where anything is.
fn require_plain_json(headers: &HeaderMap) -> Result<()> {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let kind = kinds.next();
    if kinds.next().is_some() {
        return Err(Error::Invalid("two Content-Type headers: send exactly one".to_owned()));
    }
    if let Some(kind) = kind.filter(|kind| !is_json(kind)) {
        return Err(Error::UnsupportedMediaType(format!("{kind:?}")));
    }
    match headers.get_all(CONTENT_ENCODING).iter().find(|coding| !is_identity(coding)) {
        Some(coding) => Err(Error::UnsupportedMediaType(format!("encoded as {coding:?}"))),
        None => Ok(()),
    }
}

/// JSON is UTF-8 (RFC 8259, 8.1), whoever says otherwise.
fn is_json(kind: &HeaderValue) -> bool {
    let mut parts = kind.to_str().unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json") && parts.all(is_no_other_charset)
}

fn is_no_other_charset(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    }
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
        Ok(Self { request, means: PhantomData })
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
