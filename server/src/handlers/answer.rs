//! What every handler does alike: it finds the credential, calls the service, and wraps what comes
//! back, failures included. It knows no operation and decides nothing.

use super::Rqctx;
use crate::api::types::List;
use crate::auth::with_credential;
use crate::caller::Credential;
use crate::error::{Error, Result};
use crate::http::{Answer, Reply, pieces, reply};
use crate::records::Page;
use crate::service::Service;
use bytes::Bytes;
use dropshot::Body;
use futures::{StreamExt, stream};
use http::Response;
use serde::Serialize;
use std::sync::Arc;

/// Answers with what `call` returns.
pub async fn answer<T: Serialize>(
    rqctx: Rqctx,
    call: impl AsyncFnOnce(Service, Arc<Credential>) -> Result<T>,
) -> Answer<T> {
    let (credential, outcome) = with_credential(&rqctx, call).await;
    let response = match (&credential, outcome) {
        (Some(credential), Ok(value)) => {
            reply::to_json(&value).and_then(|text| whole(&rqctx, credential, text))
        }
        (_, outcome) => Err(outcome.err().unwrap_or(Error::NoCredential)),
    };
    Ok(reply(response, credential.as_deref()))
}

/// Answers with a list that `read` returns page by page, each after the one before was sent. A list
/// of one page is sent whole.
pub async fn answer_list<L, P, C, F>(
    rqctx: Rqctx,
    parameters: Result<P>,
    read: impl Fn(Service, Arc<Credential>, P, Option<C>) -> F + Send + 'static,
) -> Answer<L>
where
    L: List,
    P: Clone + Send + 'static,
    C: Send + 'static,
    F: Future<Output = Result<Page<L::Item, C>>> + Send + 'static,
{
    let (credential, outcome) = with_credential(&rqctx, async |service, credential| {
        let parameters = parameters?;
        let first = read(service, credential, parameters.clone(), None);
        Ok((first.await?, parameters))
    })
    .await;
    let response = match (&credential, outcome) {
        (Some(credential), Ok((first, parameters))) => {
            let (service, credential) = (rqctx.context().service.clone(), Arc::clone(credential));
            let for_pages = Arc::clone(&credential);
            let next = move |after| {
                read(service.clone(), Arc::clone(&for_pages), parameters.clone(), Some(after))
            };
            list::<L, C, F>(&rqctx, &credential, first, next)
        }
        (_, outcome) => Err(outcome.err().unwrap_or(Error::NoCredential)),
    };
    Ok(reply(response, credential.as_deref()))
}

fn reply<T>(response: Result<Response<Body>>, credential: Option<&Credential>) -> Reply<T> {
    let token = credential.and_then(Credential::accepted_as).map(|(token, _)| token);
    Reply::new(response.unwrap_or_else(|error| reply::failed(&error)), token)
}

fn whole(rqctx: &Rqctx, credential: &Credential, text: Bytes) -> Result<Response<Body>> {
    let (budget, peer) = (&rqctx.context().budget, rqctx.request.remote_addr());
    let reservation = budget.reserve_whole(user(credential), peer, text.len())?;
    Ok(reply::whole(text, reservation))
}

/// Answers with `first` and the pages after it.
fn list<L: List, C: Send + 'static, F>(
    rqctx: &Rqctx,
    credential: &Credential,
    first: Page<L::Item, C>,
    next: impl Fn(C) -> F + Send + 'static,
) -> Result<Response<Body>>
where
    F: Future<Output = Result<Page<L::Item, C>>> + Send + 'static,
{
    let text = reply::to_json(&L::from(first.items))?;
    let Some(after) = first.next else { return whole(rqctx, credential, text) };
    let rest = stream::try_unfold(Some(after), move |after| {
        let page = after.map(&next);
        async move {
            let Some(page) = page else { return Ok(None) };
            let Page { items, next } = page.await?;
            Ok(Some((later_piece::<L>(items, next.is_none())?, next)))
        }
    });
    let context = rqctx.context();
    let peer = rqctx.request.remote_addr();
    let reservation = context.budget.reserve_stream(user(credential), peer)?;
    let log = context.request_log(&rqctx.request_id);
    let first = stream::once(async move { Ok(text.slice(..text.len() - END.len())) });
    let taken = move || reservation.record_progress();
    Ok(reply::ok(pieces::body(first.chain(rest), taken, log)))
}

fn user(credential: &Credential) -> i64 {
    credential.accepted_as().map_or(0, |(_, user)| user.0)
}

/// How the text of every list ends: the end of its array and of its object.
const END: &str = "]}";

/// Returns the text of a page as the continuation of a list that was cut before its [`END`].
fn later_piece<L: List>(items: Vec<L::Item>, is_last: bool) -> Result<Bytes> {
    let (start, is_empty) =
        (reply::to_json(&L::from(Vec::new()))?.len() - END.len(), items.is_empty());
    let text = reply::to_json(&L::from(items))?;
    let text = if is_last { text } else { text.slice(..text.len() - END.len()) };
    let items = text.slice(start..);
    Ok(if is_empty { items } else { [b",", items.as_ref()].concat().into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::types::{
        GroupList, MemberList, OrganizationList, OrganizationTokenList, TokenList,
    };
    use crate::records::Organization;

    #[test]
    fn every_list_ends_with_its_array() {
        fn text<L: List>() -> Bytes {
            reply::to_json(&L::from(Vec::new())).unwrap()
        }
        for text in [
            text::<OrganizationTokenList>(),
            text::<TokenList>(),
            text::<OrganizationList>(),
            text::<MemberList>(),
            text::<GroupList>(),
        ] {
            assert!(text.ends_with(b"[]}"), "{text:?}");
        }
    }

    #[test]
    fn the_pieces_of_a_list_make_the_text_of_the_whole_list() {
        let items = |slugs: &[&str]| {
            slugs.iter().map(|slug| Organization::new(slug.parse().unwrap())).collect::<Vec<_>>()
        };
        let whole = |slugs| reply::to_json(&OrganizationList::from(items(slugs))).unwrap();
        let first = whole(&["a", "b"]);
        let piece =
            |slugs, is_last| later_piece::<OrganizationList>(items(slugs), is_last).unwrap();
        let pieces =
            [first.slice(..first.len() - END.len()), piece(&["c"], false), piece(&["d"], true)];
        assert_eq!(pieces.concat(), whole(&["a", "b", "c", "d"]));
        let pieces = [first.slice(..first.len() - END.len()), piece(&[], true)];
        assert_eq!(pieces.concat(), first);
    }
}
