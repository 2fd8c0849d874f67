//! Bodies: of requests, with limits, and of answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame, SizeHint};

use crate::refusal::Refusal;
use crate::watch::WatchStream;

/// The body of an answer.
pub(crate) enum Answer {
    /// Bytes; `None` once they are sent.
    Whole(Option<Bytes>),
    /// A watch, which goes on.
    Watch(Box<WatchStream>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Watch(stream) => {
                stream.poll_frame(context).map(|frame| frame.map(|frame| Ok(Frame::data(frame))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Watch(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Watch(_) => SizeHint::default(),
        }
    }
}

/// Why a body cannot be read.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request: at most so many bytes, within so much time.
pub(crate) async fn read<B>(body: B, bytes_max: usize, time: Duration) -> Result<Bytes, Refusal>
where
    B: Body<Error: Into<BoxError>>,
{
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Refusal::BodyTooLarge(bytes_max));
    }
    let read = tokio::time::timeout(time, Limited::new(body, bytes_max).collect());
    match read.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::BodyTooLarge(bytes_max)),
        Ok(Err(_)) => Err(Refusal::BodyUnreadable),
        Err(_) => Err(Refusal::BodyTooSlow),
    }
}
