//! Extractors that report a failure only when the handler asks for the value.
//!
//! So a missing credential is answered before a malformed path, query or body.

use super::body;
use crate::error::{Error, Result};
use async_trait::async_trait;
use dropshot::{
    ApiEndpointBodyContentType, ExclusiveExtractor, ExtractorMetadata, HttpError, Path, Query,
    RequestContext, ServerContext, SharedExtractor, TypedBody,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

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

/// A body that has not been read yet.
pub struct Body<T> {
    request: hyper::Request<dropshot::Body>,
    content: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Body<T> {
    pub async fn read(self) -> Result<T> {
        body::read(self.request).await
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
