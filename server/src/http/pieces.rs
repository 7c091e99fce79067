//! A response body that is streamed in pieces, for JSON that is too long to keep in memory.
//!
//! The next piece is made only after the previous one was written to the socket. So a response occupies
//! the memory of one piece, even if the client reads slowly.

use crate::error::Result;
use async_stream::stream;
use bytes::Bytes;
use derive_more::AsRef;
use dropshot::Body;
use futures::{Stream, StreamExt};
use http_body_util::StreamBody;
use hyper::body::Frame;
use scopeguard::guard;
use slog::{Logger, error, info};
use std::error::Error as _;
use std::pin::pin;
use sync_wrapper::SyncStream;
use tokio::sync::oneshot;

/// Bytes with a value. Both are dropped when hyper has written the bytes to the socket.
#[derive(AsRef)]
pub struct Held<T>(#[as_ref([u8])] pub Bytes, pub T);

/// Streams `pieces` as a body, and calls `taken` after each piece was written. Both are dropped with the
/// body. If a piece fails, the connection is broken, so that no client takes a part for the whole. `log`
/// must contain the id of the request.
pub fn body(
    pieces: impl Stream<Item = Result<Bytes>> + Send + 'static,
    taken: impl Fn() + Send + 'static,
    log: Logger,
) -> Body {
    let frames = stream! {
        let mut is_unread = guard(true, |is_unread| {
            if is_unread {
                info!(log, "a list was not read to its end");
            }
        });
        let mut pieces = pin!(pieces);
        while let Some(piece) = pieces.next().await {
            *is_unread = piece.is_ok();
            if let Err(error) = &piece {
                let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                error!(log, "a list broke off"; "reason" => reason);
            }
            let (sender, written) = oneshot::channel::<()>();
            // An error makes hyper break the connection.
            yield piece.map(|piece| Frame::data(Bytes::from_owner(Held(piece, sender))));
            let _ = written.await;
            taken();
            // Lets other connections run, even if this reader is fast. The first yield returns at once,
            // because dropping the piece has already woken this task. So it yields twice.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        *is_unread = false;
    };
    Body::wrap(StreamBody::new(SyncStream::new(frames)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use futures::{FutureExt, stream};
    use http_body_util::BodyExt;
    use slog::{Discard, Drain, Level, OwnedKVList, Record, o};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Count(Arc<AtomicUsize>);

    impl Count {
        fn increment(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        fn get(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[derive(Clone, Default)]
    struct Levels(Arc<Mutex<Vec<Level>>>);

    impl Drain for Levels {
        type Ok = ();
        type Err = slog::Never;

        fn log(
            &self,
            record: &Record<'_>,
            _: &OwnedKVList,
        ) -> std::result::Result<(), slog::Never> {
            self.0.lock().unwrap().push(record.level());
            Ok(())
        }
    }

    /// Returns the levels of what is logged if a reader takes at most `count` of these pieces.
    fn logged(pieces: Vec<Result<Bytes>>, count: usize) -> Vec<Level> {
        let levels = Levels::default();
        let log = Logger::root(levels.clone().fuse(), o!());
        let mut body = body(stream::iter(pieces), || (), log);
        // The body yields twice between two pieces.
        (0..3 * count).for_each(|_| drop(body.frame().now_or_never()));
        drop(body);
        let levels = levels.0.lock().unwrap();
        levels.clone()
    }

    #[test]
    fn the_next_piece_is_made_only_after_the_previous_one_is_dropped() {
        let (made, taken) = (Count::default(), Count::default());
        let maker = made.clone();
        let pieces = stream::repeat_with(move || {
            maker.increment();
            Ok(Bytes::from_static(b"piece"))
        });
        let counter = taken.clone();
        let log = Logger::root(Discard, o!());
        let mut body = body(pieces, move || counter.increment(), log);
        let first = body.frame().now_or_never().expect("a piece");
        assert!(body.frame().now_or_never().is_none() && made.get() == 1 && taken.get() == 0);
        drop(first);
        for _ in 0..2 {
            assert!(body.frame().now_or_never().is_none(), "it yields");
            assert!(made.get() == 1 && taken.get() == 1);
        }
        assert!(body.frame().now_or_never().is_some() && made.get() == 2);
    }

    #[test]
    fn a_list_that_breaks_off_or_is_abandoned_is_logged() {
        let piece = || Ok(Bytes::from_static(b"piece"));
        assert_eq!(logged(vec![piece(), piece()], 3), []);
        assert_eq!(logged(vec![piece(), piece()], 1), [Level::Info]);
        assert_eq!(logged(vec![piece(), Err(Error::DeadCredential)], 2), [Level::Error]);
        assert_eq!(logged(vec![piece()], 0), [], "HEAD reads no piece");
    }
}
