//! Unix sockets: files through which processes of one machine call each other, also across containers
//! that have the directory mounted.
//!
//! What passes is calls (a method, and JSON both ways), not bytes: nothing here speaks anything else
//! over them than remote procedure calls.

use std::fmt;

use serde_json::Value;

use super::{
    errno::FsError,
    fs::{Files, Kind, Who},
};
use crate::sim::{Receiver, Sender, channel};

/// A call that waits for its answer.
pub struct Call {
    /// What is called.
    pub method: String,
    /// With what.
    pub body: Value,
    answer: Sender<Result<Value, String>>,
}

impl Call {
    /// Answers; an error is the answering side's own words.
    pub fn answer(self, result: Result<Value, String>) {
        self.answer.send(result);
    }
}

/// Where calls go.
#[derive(Clone)]
pub struct Socket(Sender<Call>);

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket(open: {})", self.is_open())
    }
}

impl Socket {
    /// Whether somebody still answers.
    pub fn is_open(&self) -> bool {
        !self.0.is_closed()
    }

    /// Calls. `None`: nobody answers (any more).
    pub async fn call(&self, method: &str, body: Value) -> Option<Result<Value, String>> {
        let (answer, mut answers) = channel();
        if !self.0.send(Call { method: method.to_string(), body, answer }) {
            return None;
        }
        answers.recv().await
    }
}

/// Listens at paths; calls to any of them are received until the receiver is dropped.
///
/// # Errors
/// As [`Files::create`].
pub fn listen(files: &Files, paths: &[&str], who: Who) -> Result<Receiver<Call>, FsError> {
    let (sender, receiver) = channel();
    for path in paths {
        let place = files.create(path, 0o755, who)?;
        let socket = Socket(sender.clone());
        place.fs.update(&place.path, |node| node.kind = Kind::Socket(socket))?;
    }
    Ok(receiver)
}
