//! A served connection whose answers may come in pieces, for as long as there are some.

use std::rc::Rc;

use super::{HttpRequest, HttpResponse, Parsed, parse_request};
use crate::{
    fabric::{Conn, Frame},
    sim::Receiver,
};

/// What is answered.
pub enum Answer {
    /// A whole response.
    Whole(HttpResponse),
    /// Its head, and then piece after piece; the connection ends with them.
    Pieces(HttpResponse, Receiver<Vec<u8>>),
}

/// Answers what comes over a connection until it ends.
pub async fn converse<F: Future<Output = Answer>>(
    link: Conn,
    answer: impl Fn(Rc<HttpRequest>) -> F,
) {
    let mut raw = Vec::new();
    loop {
        let (request, is_raw) = match link.recv().await {
            Ok(Some(Frame::Request(request))) => (request, false),
            Ok(Some(Frame::Data(bytes))) => {
                raw.extend(bytes);
                match parse_request(&raw) {
                    Parsed::Complete(request, used) => {
                        raw.drain(..used.min(raw.len()));
                        (Rc::new(request), true)
                    }
                    Parsed::Partial => continue,
                    Parsed::Invalid => return,
                }
            }
            _ => return,
        };
        match answer(request.clone()).await {
            Answer::Whole(response) => {
                let frame = match is_raw {
                    true => Frame::Data(response.to_bytes()),
                    false => Frame::Response(Rc::new(response)),
                };
                if link.send(frame).is_err() || !request.keeps_alive() {
                    break;
                }
            }
            Answer::Pieces(head, mut pieces) => {
                let mut text = format!("{}\r\n", head.status_line());
                for (name, value) in &head.headers {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
                text.push_str("Connection: close\r\n\r\n");
                let mut going = link.send(Frame::Data(text.into_bytes())).is_ok();
                while going {
                    let Some(bytes) = pieces.recv().await else { break };
                    going = link.send(Frame::Data(bytes)).is_ok();
                }
                break;
            }
        }
    }
    link.close();
}
