//! Paths and queries whose faults are reported only when the handler asks for the value, so that a
//! missing credential is answered before them. Bodies are in `body`.

use crate::error::{Error, Result};
use async_trait::async_trait;
use dropshot::{
    ApiEndpointBodyContentType, ExtractorMetadata, HttpError, Path, Query, RequestContext,
    ServerContext, SharedExtractor,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// The result of extracting an `E`. Reading it fails with [`Error::Invalid`].
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
