//! A response body in pieces, for JSON texts that are too long for memory.
//!
//! The next piece is made only after the previous one was written to the socket, so a
//! response occupies the memory of one piece, even if it is read slowly.

use super::Progress;
use crate::error::{Error, Result};
use bytes::Bytes;
use dropshot::Body;
use futures::{Stream, StreamExt, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use slog::{Logger, error, info};
use std::pin::Pin;
use sync_wrapper::SyncStream;
use tokio::sync::oneshot;

/// Bytes with a value that is dropped when hyper has written them to the socket.
pub struct Held<T>(pub Bytes, pub T);

impl<T> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Makes a body of `pieces`. `reservation` is held until the body is written or dropped.
pub fn body(
    pieces: impl Stream<Item = Result<Bytes>> + Send + 'static,
    reservation: impl Progress,
    log: Logger,
) -> Body {
    let (pieces, state, written) = (Box::pin(pieces), State::Unread, None);
    let writer = Writer { pieces, reservation, log, state, written };
    Body::wrap(StreamBody::new(SyncStream::new(stream::try_unfold(writer, Writer::next))))
}

struct Writer<S, R> {
    pieces: Pin<Box<S>>,
    reservation: R,
    log: Logger,
    state: State,
    /// Fails when the previous piece is dropped.
    written: Option<oneshot::Receiver<()>>,
}

/// How far the reader has come.
#[derive(PartialEq)]
enum State {
    Unread,
    Reading,
    Ended,
}

impl<S: Stream<Item = Result<Bytes>>, R: Progress> Writer<S, R> {
    async fn next(mut self) -> Result<Option<(Frame<Bytes>, Self)>> {
        self.state = State::Reading;
        self.wait_until_written().await;
        let piece = self.pieces.next().await.transpose();
        if !matches!(piece, Ok(Some(_))) {
            self.state = State::Ended;
        }
        // The error makes hyper break the connection.
        let piece = piece.inspect_err(|error| self.log_failure(error))?;
        Ok(piece.map(|piece| {
            let (sender, receiver) = oneshot::channel();
            self.written = Some(receiver);
            (Frame::data(Bytes::from_owner(Held(piece, sender))), self)
        }))
    }

    async fn wait_until_written(&mut self) {
        if let Some(written) = self.written.take() {
            let _ = written.await;
            self.reservation.record_progress();
            // A fast reader must not keep the thread from other connections.
            tokio::task::yield_now().await;
        }
    }

    fn log_failure(&self, error: &Error) {
        error!(self.log, "a list broke off"; "reason" => super::reply::reason(error));
    }
}

impl<S, R> Drop for Writer<S, R> {
    fn drop(&mut self) {
        if self.state == State::Reading {
            info!(self.log, "a list was not read to its end");
        }
    }
}
