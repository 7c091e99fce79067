//! An extractor that fails when it is asked and not before: so a missing credential
//! is answered before a malformed path is.

use crate::error::Error;
use async_trait::async_trait;
use dropshot::{
    ApiEndpointBodyContentType, ExtractorMetadata, HttpError, Path, Query, RequestContext,
    ServerContext, SharedExtractor,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What `E` extracts, or why it cannot.
#[derive(Debug)]
pub struct Deferred<E>(Result<E, HttpError>);

impl<E> Deferred<E> {
    fn extracted(self) -> Result<E, Error> {
        self.0.map_err(|error| Error::Invalid(error.external_message))
    }
}

impl<T: JsonSchema + Send + Sync> Deferred<Path<T>> {
    /// The path's variables.
    ///
    /// # Errors
    /// [`Error::Invalid`] where one of them is malformed.
    pub fn get(self) -> Result<T, Error> {
        self.extracted().map(Path::into_inner)
    }
}

impl<T: JsonSchema + DeserializeOwned + Send + Sync> Deferred<Query<T>> {
    /// The query's parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`] where one of them is malformed.
    pub fn get(self) -> Result<T, Error> {
        self.extracted().map(Query::into_inner)
    }
}

#[async_trait]
impl<E: SharedExtractor> SharedExtractor for Deferred<E> {
    async fn from_request<Context: ServerContext>(
        rqctx: &RequestContext<Context>,
    ) -> Result<Self, HttpError> {
        Ok(Self(E::from_request(rqctx).await))
    }

    fn metadata(body_content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        E::metadata(body_content_type)
    }
}

/// Declares the catch-all's variable, and reads nothing.
#[derive(Debug)]
pub struct AnyPath;

#[derive(Deserialize, JsonSchema)]
struct Segments {
    #[expect(dead_code, reason = "dropshot wants every variable of a path declared")]
    path: Vec<String>,
}

#[async_trait]
impl SharedExtractor for AnyPath {
    async fn from_request<Context: ServerContext>(
        _: &RequestContext<Context>,
    ) -> Result<Self, HttpError> {
        Ok(Self)
    }

    fn metadata(body_content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        Path::<Segments>::metadata(body_content_type)
    }
}
