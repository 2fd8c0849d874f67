//! Bodies: of requests, with limits, and of answers.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame, SizeHint};

use crate::refusal::Refusal;
use crate::room::Room;
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

/// How bodies of requests are read.
#[derive(Debug)]
pub(crate) struct Bodies {
    /// Bytes of one.
    pub(crate) bytes_max: usize,
    /// How long one may take to arrive.
    pub(crate) time: Duration,
    /// How much there may be of all that are read, or worked on.
    pub(crate) room: Arc<Room>,
}

impl Bodies {
    /// The body of a request.
    pub(crate) async fn read<B>(&self, body: B) -> Result<Bytes, Refusal>
    where
        B: Body<Error: Into<BoxError>>,
    {
        if body.size_hint().lower() > self.bytes_max as u64 {
            return Err(Refusal::BodyTooLarge(self.bytes_max));
        }
        let read = tokio::time::timeout(self.time, self.collect(body)).await;
        read.map_err(|_| Refusal::BodyTooSlow)?
    }

    /// Takes room for what arrives, not for what is announced: that costs nobody anything.
    async fn collect<B>(&self, body: B) -> Result<Bytes, Refusal>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let mut body = pin!(Limited::new(body, self.bytes_max));
        let (mut bytes, mut place) = (Vec::new(), self.room.place());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
                true => Refusal::BodyTooLarge(self.bytes_max),
                false => Refusal::BodyUnreadable,
            })?;
            if let Ok(mut data) = frame.into_data() {
                place.grow(data.remaining())?;
                while data.has_remaining() {
                    bytes.extend_from_slice(data.chunk());
                    data.advance(data.chunk().len());
                }
            }
        }
        Ok(place.hold(bytes))
    }
}
