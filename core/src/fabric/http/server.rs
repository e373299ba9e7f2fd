//! The serving side: connections are accepted, requests read, a handler asked.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use super::{HttpRequest, HttpResponse, Parsed, parse_request};
use crate::{
    fabric::{Conn, Frame, Listener},
    sim::{Notify, Sim, TaskHandle},
};

/// What a handler answers.
pub enum Reply {
    /// This, after the time it takes to make it.
    Now(Rc<HttpResponse>, Duration),
    /// What this yields.
    Later(Pin<Box<dyn Future<Output = Reply>>>),
    /// Nothing: the connection is closed.
    Close,
    /// Nothing, ever: the client is left waiting.
    Hang,
}

impl Reply {
    /// Answers at once.
    pub fn now(response: HttpResponse) -> Self {
        Reply::Now(Rc::new(response), Duration::ZERO)
    }
}

/// Answers requests.
pub type Handler = Rc<dyn Fn(&Rc<HttpRequest>, &Conn) -> Reply>;

/// Starts tasks that end with the process that serves.
pub type Spawn = Rc<dyn Fn(Pin<Box<dyn Future<Output = ()>>>) -> TaskHandle>;

/// A server that runs: how many connections it has, and the way to end it gently.
#[derive(Clone, Default)]
pub struct Server(Rc<State>);

#[derive(Default)]
struct State {
    draining: Cell<bool>,
    connections: Cell<u32>,
    /// Who waits for a request, by place.
    waiting: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<usize>>,
    listener: RefCell<Option<Rc<Listener>>>,
    acceptor: RefCell<Option<TaskHandle>>,
    idle: Notify,
}

impl Server {
    /// Open connections.
    pub fn connections(&self) -> u32 {
        self.0.connections.get()
    }

    /// Accepts no more, closes connections that wait for a request, answers those that have one, and
    /// completes when all are closed (nginx's graceful quit).
    pub async fn drain(&self, sim: &Sim) {
        self.0.draining.set(true);
        if let Some(acceptor) = self.0.acceptor.take() {
            sim.kill(&acceptor);
        }
        drop(self.0.listener.take());
        let waiting = self.0.waiting.borrow().iter().flatten().cloned().collect::<Vec<_>>();
        waiting.into_iter().for_each(Waker::wake);
        while self.connections() > 0 {
            self.0.idle.wait().await;
        }
    }
}

/// Serves a listener with a handler until the tasks that `spawn` starts are ended.
pub fn serve(listener: Listener, spawn: Spawn, handler: Handler) -> Server {
    let server = Server::default();
    listener.set_handler(&handler);
    let listener = Rc::new(listener);
    *server.0.listener.borrow_mut() = Some(listener.clone());
    let state = server.0.clone();
    let spawn_more = spawn.clone();
    let acceptor = spawn(Box::pin(async move {
        loop {
            let conn = listener.accept().await;
            let open = Open::new(&state);
            spawn_more(Box::pin(connection(conn, handler.clone(), open)));
        }
    }));
    *server.0.acceptor.borrow_mut() = Some(acceptor);
    server
}

/// Counts a connection while it lives, and keeps a place for its waker.
struct Open {
    state: Rc<State>,
    place: usize,
}

impl Open {
    fn new(state: &Rc<State>) -> Self {
        state.connections.set(state.connections.get() + 1);
        let place = state.free.borrow_mut().pop().unwrap_or_else(|| {
            state.waiting.borrow_mut().push(None);
            state.waiting.borrow().len() - 1
        });
        Open { state: state.clone(), place }
    }

    fn draining(&self) -> bool {
        self.state.draining.get()
    }

    fn wait(&self, waker: Option<&Waker>) {
        if let Some(place) = self.state.waiting.borrow_mut().get_mut(self.place) {
            *place = waker.cloned();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.wait(None);
        self.state.free.borrow_mut().push(self.place);
        self.state.connections.set(self.state.connections.get() - 1);
        if self.state.connections.get() == 0 {
            self.state.idle.notify();
        }
    }
}

async fn connection(conn: Conn, handler: Handler, open: Open) {
    let (mut raw, mut served) = (Vec::new(), 0_u32);
    loop {
        let got = {
            let mut next = pin!(next_request(&conn, &mut raw));
            poll_fn(|cx| match next.as_mut().poll(cx) {
                Poll::Ready(got) => Poll::Ready(got),
                // Only a connection that has had an answer may be closed while it waits.
                Poll::Pending if open.draining() && served > 0 && conn.is_idle() => {
                    Poll::Ready(None)
                }
                Poll::Pending => {
                    open.wait(Some(cx.waker()));
                    Poll::Pending
                }
            })
            .await
        };
        served += 1;
        let (request, is_raw) = match got {
            Some(got) => got,
            None => return,
        };
        let Some(request) = request else {
            let bad = HttpResponse::new(400, "text/html", "<h1>400 Bad Request</h1>\n");
            let _ = conn.send(Frame::Data(bad.with("Connection", "close").to_bytes()));
            return;
        };
        let mut reply = handler(&request, &conn);
        while let Reply::Later(future) = reply {
            reply = future.await;
        }
        let (mut response, delay) = match reply {
            Reply::Now(response, delay) => (response, delay),
            Reply::Hang => std::future::pending().await,
            _ => return,
        };
        let close = !request.keeps_alive() || open.draining();
        if request.method == "HEAD" && !response.body.is_empty() {
            let mut head = (*response).clone();
            if head.header("Content-Length").is_none() {
                let length = head.body.len().to_string();
                head.headers.push(("Content-Length".into(), length.into()));
            }
            head.body = Rc::default();
            response = Rc::new(head);
        }
        let frame = match is_raw {
            true => Frame::Data(raw_response(&response, close)),
            false => Frame::Response(response),
        };
        if conn.send_after(delay, frame).is_err() || close {
            return;
        }
    }
}

fn raw_response(response: &HttpResponse, close: bool) -> Vec<u8> {
    let mut response = response.clone();
    let how = if close { "close" } else { "keep-alive" };
    if response.header("Connection").is_none() {
        response.headers.push(("Connection".into(), how.into()));
    }
    response.to_bytes()
}

/// The next request, and whether it came as bytes; an inner `None` where it was no request.
async fn next_request(conn: &Conn, raw: &mut Vec<u8>) -> Option<(Option<Rc<HttpRequest>>, bool)> {
    loop {
        if !raw.is_empty() {
            match parse_request(raw) {
                Parsed::Complete(request, used) => {
                    raw.drain(..used);
                    return Some((Some(Rc::new(request)), true));
                }
                Parsed::Invalid => return Some((None, true)),
                Parsed::Partial => {}
            }
        }
        match conn.recv().await {
            Ok(Some(Frame::Request(request))) => return Some((Some(request), false)),
            Ok(Some(Frame::Data(bytes))) => raw.extend(bytes),
            _ => return None,
        }
    }
}
