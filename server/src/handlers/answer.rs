//! What all handlers have in common: they find the credential, call the service, and wrap what it
//! returns, failures included. Nothing here knows an operation or decides anything.

use super::Rqctx;
use crate::auth::with_credential;
use crate::caller::Credential;
use crate::context::budget::{self, Reservation};
use crate::error::Result;
use crate::http::{Answer, Body, Reply, pieces, reply};
use crate::records::Page;
use crate::service::Service;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Answers with what `call` returns for the credential and the parameters.
pub async fn answer<T: From<V> + Serialize, P, V>(
    rqctx: &Rqctx,
    parameters: Result<P>,
    call: impl AsyncFnOnce(&Service, &Credential, P) -> Result<V>,
) -> Answer<T> {
    let (token, response) = with_credential(rqctx, async |service, credential| {
        let value = call(service, credential, parameters?).await?;
        send_whole(rqctx, credential, reply::to_json(&T::from(value))?)
    })
    .await;
    Ok(Reply::new(response, token))
}

/// Like [`answer`], with the body of the request. It is read after the credential was checked, so that
/// no unauthenticated body is.
pub async fn answer_body<T: From<V> + Serialize, P, B: DeserializeOwned, V>(
    rqctx: &Rqctx,
    parameters: Result<P>,
    body: Body<B>,
    call: impl AsyncFnOnce(&Service, &Credential, P, B) -> Result<V>,
) -> Answer<T> {
    answer(rqctx, parameters, async |service, credential, parameters| {
        service.authenticate(credential).await?;
        call(service, credential, parameters, body.read().await?).await
    })
    .await
}

/// Answers with a list that `read` returns page by page, each after the one before was sent. A list
/// of one page is sent whole.
pub async fn answer_list<L, I, P, C, F>(
    rqctx: &Rqctx,
    parameters: Result<P>,
    read: impl Fn(Service, Arc<Credential>, P, Option<C>) -> F + Send + 'static,
) -> Answer<L>
where
    L: From<Vec<I>> + Serialize,
    P: Clone + Send + 'static,
    C: Send + 'static,
    F: Future<Output = Result<Page<I, C>>> + Send + 'static,
{
    let read_text = move |service, credential, parameters, after| {
        let page = read(service, credential, parameters, after);
        async move {
            let Page { items, next } = page.await?;
            Ok((reply::to_json(&L::from(items))?, next))
        }
    };
    answer_list_texts(rqctx, parameters, not_cached, read_text).await
}

/// Like [`answer_list`], for a `read` that returns each page as a text already: a list in JSON. `cached`
/// returns the text of a list of one page, if it needs no database.
pub async fn answer_list_texts<L, P, C, F>(
    rqctx: &Rqctx,
    parameters: Result<P>,
    cached: impl FnOnce(&Service, &Credential, &P) -> Option<Bytes>,
    read: impl Fn(Service, Arc<Credential>, P, Option<C>) -> F + Send + 'static,
) -> Answer<L>
where
    P: Clone + Send + 'static,
    C: Send + 'static,
    F: Future<Output = Result<(Bytes, Option<C>)>> + Send + 'static,
{
    let (token, response) = with_credential(rqctx, async |service, credential| {
        let parameters = parameters?;
        if let Some(text) = cached(service, credential, &parameters) {
            return send_whole(rqctx, credential, text);
        }
        let (asker, service) = (Arc::clone(credential), service.clone());
        let read = move |after| read(service.clone(), asker.clone(), parameters.clone(), after);
        let (text, next) = read(None).await?;
        if next.is_none() {
            return send_whole(rqctx, credential, text);
        }
        let rest = stream::try_unfold(next, move |after| {
            let page = after.is_some().then(|| read(after));
            async move {
                let Some(page) = page else { return Ok(None) };
                let (text, next) = page.await?;
                Ok(Some((later_piece(&text, next.is_none()), next)))
            }
        });
        send_pages(rqctx, credential, text, rest)
    })
    .await;
    Ok(Reply::new(response, token))
}

/// The `cached` of a list that is never cached.
pub fn not_cached<P>(_: &Service, _: &Credential, _: &P) -> Option<Bytes> {
    None
}

fn send_whole(
    rqctx: &Rqctx,
    credential: &Credential,
    text: Bytes,
) -> Result<Response<dropshot::Body>> {
    if text.len() <= budget::SMALL {
        return Ok(reply::ok(text.into()));
    }
    let reservation = reserve(rqctx, credential, text.len())?;
    Ok(reply::ok(Bytes::from_owner(pieces::Held(text, reservation)).into()))
}

/// Answers with the first page of a list, without its end, and the `rest`.
fn send_pages(
    rqctx: &Rqctx,
    credential: &Credential,
    first: Bytes,
    rest: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> Result<Response<dropshot::Body>> {
    let reservation = reserve(rqctx, credential, budget::stream(rqctx.server.using_tls()))?;
    let log = rqctx.context().request_log(&rqctx.request_id);
    let first = stream::once(async move { Ok(first.slice(..end_of_list(&first))) });
    let taken = move || reservation.record_progress();
    Ok(reply::ok(pieces::body(first.chain(rest), taken, log)))
}

fn reserve(rqctx: &Rqctx, credential: &Credential, bytes: usize) -> Result<Arc<Reservation>> {
    let user = credential.accepted_as().map_or(0, |(_, user)| user.0);
    rqctx.context().budget.reserve(user, rqctx.request.remote_addr(), bytes)
}

/// Returns where the array of a list ends in its text. What follows holds no other array.
fn end_of_list(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b']').unwrap_or(text.len())
}

/// Returns the text of a page as the continuation of a list that was cut at its end.
fn later_piece(text: &[u8], is_last: bool) -> Bytes {
    // Nothing before it holds an array, so it is the first one.
    let start = text.iter().position(|byte| *byte == b'[').map_or(0, |index| index + 1);
    let end = end_of_list(text);
    let separator = if start == end { "" } else { "," };
    let end = if is_last { text.len() } else { end };
    [separator.as_bytes(), &text[start..end]].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{GroupList, MemberList, OrganizationList, OrganizationTokenList, TokenList};
    use crate::records::{AuditLogPage, Organization, PageQuery};

    #[test]
    fn every_list_has_one_array() {
        fn text<L: From<Vec<I>> + Serialize, I>() -> Bytes {
            reply::to_json(&L::from(Vec::new())).unwrap()
        }
        let page = AuditLogPage::new(Vec::new(), 1, PageQuery::default());
        for text in [
            text::<OrganizationTokenList, _>(),
            text::<TokenList, _>(),
            text::<OrganizationList, _>(),
            text::<MemberList, _>(),
            text::<GroupList, _>(),
            reply::to_json(&page).unwrap(),
        ] {
            let end = end_of_list(&text);
            assert_eq!(text.iter().position(|byte| *byte == b'['), Some(end - 1), "{text:?}");
        }
    }

    #[test]
    fn the_pieces_of_a_list_make_the_text_of_the_whole_list() {
        let items = |slugs: &[&str]| {
            slugs.iter().map(|slug| Organization::new(slug.parse().unwrap())).collect::<Vec<_>>()
        };
        let whole = |slugs| reply::to_json(&OrganizationList::from(items(slugs))).unwrap();
        let first = whole(&["a", "b"]);
        let first = first.slice(..end_of_list(&first));
        let piece = |slugs, is_last| later_piece(&whole(slugs), is_last);
        let pieces = [first.clone(), piece(&["c"], false), piece(&["d"], true)];
        assert_eq!(pieces.concat(), whole(&["a", "b", "c", "d"]));
        let pieces = [first, piece(&[], true)];
        assert_eq!(pieces.concat(), whole(&["a", "b"]));
    }
}
