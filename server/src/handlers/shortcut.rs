//! The two operations that are asked most, found without dropshot's router and extractors: these
//! take longer than the rest of the request (`cargo xtask bench --only list`). Every other form of
//! a request is left to dropshot.

use super::Rqctx;
use super::tokens::{list_tokens, validate};
use crate::api::OrganizationPath;
use crate::http::reply::ErrorBody;
use crate::token::TokenId;
use dropshot::Body;
use http::{Method, Response};

pub enum Shortcut {
    ListTokens(OrganizationPath),
    Validate,
}

impl Shortcut {
    /// Finds the operation of a request, if its path has no escapes and valid variables.
    pub fn find(method: &Method, path: &str) -> Option<Self> {
        let path = path.strip_prefix("/v1/").filter(|_| method == Method::GET)?;
        if path == "auth/validate" {
            return Some(Self::Validate);
        }
        let slug = path.strip_prefix("organizations/")?.strip_suffix("/api-tokens")?;
        Some(Self::ListTokens(OrganizationPath { organization_slug: slug.parse().ok()? }))
    }

    pub fn operation_id(&self) -> &'static str {
        match self {
            Self::ListTokens(_) => "listOrganizationAPITokens",
            Self::Validate => "validateAPIToken",
        }
    }

    /// Returns the response and the token of the request.
    pub async fn answer(
        self,
        rqctx: &Rqctx,
    ) -> Result<(Response<Body>, Option<TokenId>), ErrorBody> {
        Ok(match self {
            Self::ListTokens(path) => list_tokens(rqctx, Ok(path)).await?.into_parts(),
            Self::Validate => validate(rqctx).await?.into_parts(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::operations;
    use super::*;

    #[test]
    fn a_shortcut_leads_where_the_router_leads() {
        let mut found = Vec::new();
        for (path, method, endpoint) in operations().unwrap().into_router().endpoints(None) {
            let path = path.replace("{organizationSlug}", "acme");
            let method = method.parse().unwrap();
            if let Some(shortcut) = Shortcut::find(&method, &path) {
                assert_eq!(shortcut.operation_id(), endpoint.operation_id, "{method} {path}");
                found.push(path);
            }
        }
        assert_eq!(found, ["/v1/auth/validate", "/v1/organizations/acme/api-tokens"]);
    }

    #[test]
    fn other_forms_of_a_request_are_left_to_dropshot() {
        for path in ["/v1/organizations/a%63me/api-tokens", "/v1/organizations/a/b/api-tokens"] {
            assert!(Shortcut::find(&Method::GET, path).is_none(), "{path}");
        }
        assert!(Shortcut::find(&Method::HEAD, "/v1/auth/validate").is_none());
    }
}
