//! The last words on a connection: an answer that must arrive before the connection ends.

use std::{future::poll_fn, time::Duration};

use tokio::{io::AsyncWriteExt, time::timeout};

use crate::{scratch, stream::Stream};

/// Sends `answer`, shuts down writing, reads and drops until the peer ends or [`LINGER`] is over, then closes.
///
/// Closing at once with unread input would send a reset, which can destroy the answer on its way.
pub(super) async fn with_answer(mut stream: Stream, answer: &[u8]) {
    say_last(&mut stream, answer).await;
}

/// The same, but for the closing.
pub(super) async fn say_last(stream: &mut Stream, answer: &[u8]) {
    let words = async {
        stream.hold_for_the_end();
        if !answer.is_empty() && stream.write_all(answer).await.is_err() {
            return;
        }
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut dropped = 0;
        while dropped < DROPPED_AT_MOST {
            let read = poll_fn(|cx| scratch::poll_read_with(stream, cx, |_, octets| octets.len())).await;
            match read {
                Ok(0) | Err(_) => return,
                Ok(more) => dropped += more,
            }
        }
    };
    // Whatever is left after this is the peer's loss.
    let _ = timeout(LINGER, words).await;
}

/// Closes behind all that was sent, towards a peer that has said that it sends nothing more. Should it have done so all the
/// same, an empty line behind a body or its end of TLS, then as carefully as [`with_answer`].
pub(super) async fn at_once(mut stream: Stream) {
    if !stream.is_quiet() {
        return Box::pin(with_answer(stream, &[])).await;
    }
    // Before the closing: what was held back for the end must be on its way if that turns out to be a reset. What the peer
    // does not take at once of our close_notify is its loss.
    let _ = timeout(LINGER, stream.shutdown()).await;
}

/// How long a refused peer may take to read its answer and go.
const LINGER: Duration = Duration::from_secs(2);

/// Octets of a refused peer that are read and dropped.
const DROPPED_AT_MOST: usize = 64 * 1024;
