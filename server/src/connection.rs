//! A connection's bytes: whoever does not take what is sent is cut off.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// A stream whose writes may wait only so long.
pub struct Patient<S> {
    stream: S,
    limit: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Around a stream.
    pub fn new(stream: S, limit: Duration) -> Self {
        Patient { stream, limit, waiting: None }
    }
}

impl<S> Patient<S> {
    /// A wait that may have lasted too long.
    fn waited<T>(&mut self, cx: &mut Context<'_>, got: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if got.is_ready() {
            self.waiting = None;
            return got;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        match waiting.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let got = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.waited(cx, got)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let got = Pin::new(&mut self.stream).poll_flush(cx);
        self.waited(cx, got)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let got = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.waited(cx, got)
    }
}
