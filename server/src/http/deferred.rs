//! An extractor that reports its failure only when the handler asks for the value.
//!
//! So a missing credential is answered before a malformed path or query.

use crate::error::{Error, Result};
use async_trait::async_trait;
use dropshot::{
    ApiEndpointBodyContentType, ExtractorMetadata, HttpError, Path, Query, RequestContext,
    ServerContext, SharedExtractor,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// The result of extracting an `E`.
#[derive(Debug)]
pub struct Deferred<E>(std::result::Result<E, HttpError>);

impl<E> Deferred<E> {
    fn extracted(self) -> Result<E> {
        self.0.map_err(|error| Error::Invalid(error.external_message))
    }
}

impl<T: JsonSchema + Send + Sync> Deferred<Path<T>> {
    /// Returns the path's variables.
    ///
    /// # Errors
    /// [`Error::Invalid`] if one of them is malformed.
    pub fn get(self) -> Result<T> {
        self.extracted().map(Path::into_inner)
    }
}

impl<T: JsonSchema + DeserializeOwned + Send + Sync> Deferred<Query<T>> {
    /// Returns the query's parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`] if one of them is malformed.
    pub fn get(self) -> Result<T> {
        self.extracted().map(Query::into_inner)
    }
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
