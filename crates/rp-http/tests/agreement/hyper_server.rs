//! hyper as a server without sockets: what it understands of some octets.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use hyper::{
    Response,
    body::{Body as _, Bytes, Frame, Incoming},
    rt::ReadBufCursor,
    server::conn::http1,
    service::service_fn,
};
use rp_http::Framing;

/// A request as hyper understands it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Vec<u8>,
    pub(crate) path_and_query: Vec<u8>,
    pub(crate) host: Vec<u8>,
    pub(crate) framing: Framing,
    pub(crate) body: Body,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Whole(Vec<u8>),
    Broken,
}

/// What hyper understands of `input`.
///
/// # Panics
/// If it does not take it as exactly one request.
pub(crate) fn serve(input: &[u8]) -> Request {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let request = understand(request).await;
            seen.borrow_mut().push(request);
            Ok::<_, Infallible>(Response::new(Nothing))
        }
    });
    let io = Octets { input: input.to_vec(), output: Vec::new() };
    let mut connection = pin!(http1::Builder::new().half_close(true).serve_connection(io, service));
    let mut context = Context::from_waker(Waker::noop());
    let ended = (0..100).any(|_| connection.as_mut().poll(&mut context).is_ready());
    assert!(ended, "hyper waits for more: {}", input.escape_ascii());
    let mut seen = seen.take();
    assert_eq!(seen.len(), 1, "hyper sees {seen:?} in {}", input.escape_ascii());
    seen.remove(0)
}

async fn understand(request: hyper::Request<Incoming>) -> Request {
    let (parts, mut body) = request.into_parts();
    let framing = match body.size_hint().exact() {
        Some(_) if !parts.headers.contains_key("content-length") => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    };
    let mut content = Some(Vec::new());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => content.iter_mut().for_each(|content| content.extend_from_slice(&data)),
            Ok(Err(_trailers)) => {}
            Err(_) => {
                content = None;
                break;
            }
        }
    }
    Request {
        method: parts.method.as_str().as_bytes().to_vec(),
        path_and_query: parts.uri.path_and_query().map_or("", |target| target.as_str()).as_bytes().to_vec(),
        host: parts.headers["host"].as_bytes().to_vec(),
        framing,
        body: content.map_or(Body::Broken, Body::Whole),
    }
}

/// A connection whose other side has sent all it will.
struct Octets {
    input: Vec<u8>,
    output: Vec<u8>,
}

impl hyper::rt::Read for Octets {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let len = buffer.remaining().min(self.input.len());
        buffer.put_slice(&self.input[..len]);
        self.input.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Octets {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.output.extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A body without octets.
struct Nothing;

impl hyper::body::Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}
