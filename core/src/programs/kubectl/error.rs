//! What went wrong, and how kubectl says so. Models `kubectl/pkg/cmd/util/helpers.go` `checkErr`.

use crate::api::{Status, gofmt};

/// An error of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// `error: …`
    Plain(String),
    /// What the API server answered; `context` stands before its message.
    Status {
        /// The answer.
        status: Box<Status>,
        /// `error when creating "x.yaml"`, or empty.
        context: String,
    },
    /// A kubeconfig that leads nowhere: `Error in configuration: …`
    Config(Vec<String>),
    /// Nobody listens at the server's address.
    Refused {
        /// The server's URL.
        url: String,
        /// How many attempts at discovery are logged.
        logged: usize,
    },
    /// A text that is printed as it is.
    Bare(String),
    /// Several errors.
    Many(Vec<Error>),
    /// Nothing to print; the exit code.
    Exit(i32),
    /// A text, and an exit code other than 1.
    Code(Box<Error>, i32),
}

impl Error {
    /// `error: …`
    pub fn plain(text: impl Into<String>) -> Self {
        Error::Plain(text.into())
    }

    /// A text followed by the hint at `-h`.
    pub fn usage(path: &str, text: impl std::fmt::Display) -> Self {
        Error::Plain(format!("{text}\nSee '{path} -h' for help and examples"))
    }

    /// Puts `error when VERB "source": ` before a server's message, as for manifests.
    pub fn about_source(self, verb: &str, source: &str) -> Self {
        if source.is_empty() {
            return self;
        }
        self.about(&format!("error when {verb} {}", gofmt::quote(source)))
    }

    /// Puts a text before a server's message, or before a plain one.
    pub fn about(self, text: &str) -> Self {
        match self {
            Error::Status { status, context } => {
                let context =
                    if context.is_empty() { text.to_owned() } else { format!("{text}: {context}") };
                Error::Status { status, context }
            }
            Error::Plain(message) => Error::Plain(format!("{text}: {message}")),
            other => other,
        }
    }

    /// One error of many, or none.
    pub fn collect(mut errors: Vec<Error>) -> Result<(), Error> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Error::Many(errors)),
        }
    }

    /// The server's answer, if it is one.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Error::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Whether the server does not have the object.
    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(Status::is_not_found)
    }

    /// The message alone, as Go's `err.Error()`.
    pub fn message(&self) -> String {
        match self {
            Error::Plain(text) | Error::Bare(text) => text.clone(),
            Error::Status { status, context } if context.is_empty() => status.message.clone(),
            Error::Status { status, context } => format!("{context}: {}", status.message),
            Error::Config(errors) => format!("invalid configuration: {}", errors.join(", ")),
            Error::Refused { url, .. } => {
                let host = host_of(url);
                let address = host.replace("localhost", "127.0.0.1");
                format!("Get \"{url}\": dial tcp {address}: connect: connection refused")
            }
            Error::Many(errors) => {
                let all: Vec<String> = errors.iter().map(Error::message).collect();
                format!("[{}]", all.join(", "))
            }
            Error::Exit(_) => String::new(),
            Error::Code(inner, _) => inner.message(),
        }
    }

    /// What is printed on stderr, with a line end (or nothing).
    pub fn text(&self) -> String {
        let mut text = match self {
            Error::Exit(_) => return String::new(),
            Error::Bare(text) => text.clone(),
            Error::Status { status, .. } if status.reason == "Invalid" => invalid(status),
            Error::Config(errors) => multiline("Error in configuration: ", errors),
            Error::Many(errors) => errors.iter().map(Error::one_of_many).collect(),
            Error::Code(inner, _) => inner.text(),
            Error::Status { status, .. } if status.reason == "Unauthorized" => {
                format!("error: You must be logged in to the server ({})", self.message())
            }
            Error::Status { status, .. } if status.reason.is_empty() => {
                format!("Error from server: {}", self.message())
            }
            Error::Status { status, .. } => {
                format!("Error from server ({}): {}", status.reason, self.message())
            }
            Error::Refused { url, .. } => format!(
                "The connection to the server {} was refused - did you specify the right host or \
                 port?",
                host_of(url)
            ),
            Error::Plain(message) if message.starts_with("error: ") => message.clone(),
            Error::Plain(message) => format!("error: {message}"),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    /// How it is printed among others.
    fn one_of_many(&self) -> String {
        let text = match self {
            // Inside a list an Invalid answer is not taken apart.
            Error::Status { status, .. } => {
                format!("Error from server ({}): {}", status.reason, self.message())
            }
            Error::Plain(message) => message.clone(),
            Error::Many(_) => self.message(),
            other => other.text(),
        };
        if text.ends_with('\n') { text } else { text + "\n" }
    }

    /// The process's exit code.
    pub fn code(&self) -> i32 {
        match self {
            Error::Exit(code) | Error::Code(_, code) => *code,
            _ => 1,
        }
    }
}

fn invalid(status: &Status) -> String {
    let mut text = "The request is invalid".to_owned();
    if !status.kind.is_empty() || !status.name.is_empty() {
        text = format!("The {} {} is invalid", status.kind, gofmt::quote(&status.name));
    } else if status.causes.is_empty() {
        return format!("{text}: {}", status.message);
    }
    if status.causes.is_empty() {
        return text;
    }
    let mut causes: Vec<String> = Vec::new();
    for cause in &status.causes {
        let cause = format!("{}: {}", cause.field, cause.body());
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    multiline(&format!("{text}: "), &causes)
}

fn multiline(prefix: &str, errors: &[String]) -> String {
    match errors {
        [one] => format!("{prefix}{one}\n"),
        many => {
            let lines: String = many.iter().map(|e| format!("* {e}\n")).collect();
            format!("{prefix}\n{lines}")
        }
    }
}

/// `host:port` of a URL.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Error::Status { status: Box::new(status), context: String::new() }
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Error::Plain(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::FieldError;

    #[test]
    fn errors_read_as_kubectls() {
        let not_found = || {
            let status = Status::new(404, "NotFound", "pods \"web\" not found");
            Error::from(status)
        };
        let mut invalid = Status::new(422, "Invalid", "Pod \"w\" is invalid: …");
        (invalid.kind, invalid.name) = ("Pod".into(), "w".into());
        invalid.causes = vec![FieldError::required("spec.containers", "")];
        let table = [
            (Error::plain("no"), "error: no\n"),
            (not_found(), "Error from server (NotFound): pods \"web\" not found\n"),
            (
                not_found().about_source("deleting", "x.yaml"),
                "Error from server (NotFound): error when deleting \"x.yaml\": pods \"web\" not found\n",
            ),
            (invalid.clone().into(), "The Pod \"w\" is invalid: spec.containers: Required value\n"),
            (
                Error::Refused { url: "https://10.0.0.1:8443/api".into(), logged: 0 },
                "The connection to the server 10.0.0.1:8443 was refused - did you specify the \
                 right host or port?\n",
            ),
            (
                Error::Config(vec!["context was not found for specified context: nope".into()]),
                "Error in configuration: context was not found for specified context: nope\n",
            ),
            (
                Error::Many(vec![not_found(), not_found()]),
                "Error from server (NotFound): pods \"web\" not found\n\
                 Error from server (NotFound): pods \"web\" not found\n",
            ),
            (Error::Exit(3), ""),
        ];
        for (error, want) in table {
            assert_eq!(error.text(), want);
        }
    }
}
