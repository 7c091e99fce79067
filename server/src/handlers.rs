//! The operations of the contract: each takes the request apart, calls one function of the service,
//! and wraps what it returns. They decide nothing, choose no status, and never use the store. The
//! document that they make is compared with `openapi.yaml`.

mod answer;
mod compat;
mod docs;
mod organizations;
mod shortcut;
mod tokens;

pub use shortcut::Shortcut;

use crate::context::Context;
use crate::http::Deferred;
use dropshot::{ApiDescription, ApiDescriptionRegisterError, RequestContext};

type Rqctx = RequestContext<Context>;
type Path<T> = Deferred<dropshot::Path<T>>;
type Operations = ApiDescription<Context>;
type Registered<T> = Result<T, ApiDescriptionRegisterError>;

/// Returns every operation, for the router and the document. It fails if two of them conflict.
pub fn operations() -> Registered<Operations> {
    let mut operations = ApiDescription::new();
    tokens::register(&mut operations)?;
    organizations::register(&mut operations)?;
    Ok(operations)
}

/// Returns what is served in addition to the contract: requests of the vendor's clients, and the page
/// to try the API. It fails if two of them conflict.
pub fn extras(has_compat: bool, has_docs: bool) -> Registered<Operations> {
    let mut extras = ApiDescription::new();
    if has_compat {
        compat::register(&mut extras)?;
    }
    if has_docs {
        docs::register(&mut extras)?;
    }
    Ok(extras)
}
