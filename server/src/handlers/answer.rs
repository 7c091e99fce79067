//! What every handler does alike: find out who asks, call, and wrap what comes
//! back, failures included. It knows no operation, and decides nothing.

use super::Rqctx;
use crate::access::{Caller, UserId};
use crate::auth::authenticate;
use crate::error::{Error, Result};
use crate::http::{Answer, Reply, reply};
use crate::service::{Service, TokenPages};
use crate::store::Token;
use crate::token::TokenId;
use bytes::Bytes;
use dropshot::Body;
use futures::{StreamExt, stream};
use http::Response;
use serde::Serialize;

/// Answers with what `call` returns for the caller.
pub async fn answer<T: Serialize>(
    rqctx: Rqctx,
    call: impl AsyncFnOnce(Service, Caller) -> Result<T>,
) -> Answer<T> {
    let (token, outcome) = call_as_caller(&rqctx, call).await;
    let response = outcome.and_then(|(user, value)| whole(&rqctx, user, reply::to_json(&value)?));
    Ok(Reply::new(response.unwrap_or_else(|error| reply::failed(&error)), token))
}

/// Answers with the tokens that `call` lists for the caller, each as `wire` spells it, however
/// many there are: a short list at once, a long one page by page.
pub async fn answer_list<T, W: Serialize + 'static>(
    rqctx: Rqctx,
    wire: fn(Token, bool) -> W,
    call: impl AsyncFnOnce(Service, Caller) -> Result<TokenPages>,
) -> Answer<T> {
    let (token, outcome) = call_as_caller(&rqctx, call).await;
    let response = match outcome {
        Ok((user, pages)) => list(&rqctx, user, pages, wire).await,
        Err(error) => Err(error),
    };
    Ok(Reply::new(response.unwrap_or_else(|error| reply::failed(&error)), token))
}

async fn call_as_caller<T>(
    rqctx: &Rqctx,
    call: impl AsyncFnOnce(Service, Caller) -> Result<T>,
) -> (Option<TokenId>, Result<(UserId, T)>) {
    let service = rqctx.context().service.clone();
    match authenticate(&service, &rqctx.context().throttle, &rqctx.request).await {
        Ok(caller) => {
            let (token, user) = (caller.token, caller.user);
            (Some(token), call(service, caller).await.map(|value| (user, value)))
        }
        Err(error) => (None, Err(error)),
    }
}

fn whole(rqctx: &Rqctx, UserId(user): UserId, text: Bytes) -> Result<Response<Body>> {
    let peer = rqctx.request.remote_addr();
    let reservation = rqctx.context().budget.reserve_whole(user, peer, text.len())?;
    Ok(reply::whole(text, reservation))
}

async fn list<W: Serialize + 'static>(
    rqctx: &Rqctx,
    user: UserId,
    pages: TokenPages,
    wire: fn(Token, bool) -> W,
) -> Result<Response<Body>> {
    let mut text = ListText { pages, wire, is_begun: false, is_ended: false };
    let first = text.next().await?.unwrap_or_default();
    if text.is_ended {
        return whole(rqctx, user, first);
    }
    let rest = stream::try_unfold(text, async |mut text| {
        Ok(text.next().await?.map(|piece| (piece, text)))
    });
    let context = rqctx.context();
    let reservation = context.budget.reserve_stream(user.0, rqctx.request.remote_addr())?;
    let log = context.request_log(&rqctx.request_id);
    Ok(reply::pieces(stream::once(async { Ok(first) }).chain(rest), reservation, log))
}

/// The JSON text of a list of tokens, written page by page.
struct ListText<W> {
    pages: TokenPages,
    wire: fn(Token, bool) -> W,
    is_begun: bool,
    is_ended: bool,
}

impl<W: Serialize> ListText<W> {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some((page, is_last)) = self.pages.next().await? else { return Ok(None) };
        let mut text = Vec::new();
        for token in page {
            text.extend_from_slice(if self.is_begun { b"," } else { b"{\"tokens\":[" });
            self.is_begun = true;
            serde_json::to_writer(&mut text, &(self.wire)(token, self.pages.with_owner))
                .map_err(|error| Error::internal(format!("a token has no JSON form: {error}")))?;
        }
        if is_last {
            text.extend_from_slice(if self.is_begun { b"]}" } else { b"{\"tokens\":[]}" });
        }
        self.is_ended = is_last;
        Ok(Some(text.into()))
    }
}
