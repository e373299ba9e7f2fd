//! The messages between an engine and whoever shows it: plain data, nothing else.
//!
//! Everything a person does to the sandbox is an [`Input`]; everything that comes back is an [`Output`].
//! Both serialise, so that a worker, a journal and a test speak the same language.

use serde::{Deserialize, Serialize};

use crate::view::{LessonView, Trace, ViewChange, Why};

/// Something done to the sandbox from outside. Inputs are journalled with the simulated time at
/// which they arrive, except where a variant says that it is a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A terminal is opened on a machine (`""` is the learner's own host).
    TerminalOpen {
        /// The terminal's number, chosen by the page, never reused.
        id: u32,
        /// The machine's name as `Output::TerminalState` reports it, or `""`.
        place: String,
        /// Width in character cells.
        cols: u16,
        /// Height in character cells.
        rows: u16,
    },
    /// A terminal's size changed (SIGWINCH).
    TerminalResize {
        /// The terminal.
        id: u32,
        /// Width in character cells.
        cols: u16,
        /// Height in character cells.
        rows: u16,
    },
    /// Keys typed or text pasted into a terminal, as a terminal emulator encodes them.
    TerminalKeys {
        /// The terminal.
        id: u32,
        /// The bytes, which are UTF-8.
        data: String,
    },
    /// A terminal is closed; what ran in it gets SIGHUP.
    TerminalClose {
        /// The terminal.
        id: u32,
    },
    /// The editor saved a file on the learner's host.
    FileSave {
        /// Absolute path.
        path: String,
        /// The whole new content.
        text: String,
    },
    /// The browser pane asks for a page.
    Browse {
        /// The page's number for this request; comes back in [`Output::Page`].
        request: u64,
        /// An `http://` address.
        url: String,
    },
    /// Starts (or changes) a load generator: one request every `every_ms` of simulated time.
    LoadStart {
        /// The generator's number, chosen by the page.
        id: u32,
        /// What to ask for.
        url: String,
        /// Simulated milliseconds between two requests, at least 1.
        every_ms: u32,
    },
    /// Ends a load generator.
    LoadStop {
        /// The generator.
        id: u32,
    },
    /// A lesson is opened, at its first unfinished step. `""` closes the open one.
    LessonOpen {
        /// Its id, as the catalogue has it.
        lesson: String,
    },
    /// The learner asks for the next hint of a step.
    LessonHint {
        /// Index of the step.
        step: usize,
    },
    /// The learner goes back to (or on to) a step.
    LessonGoto {
        /// Index of the step.
        step: usize,
    },
    /// Something is broken on purpose.
    Fault(Fault),
    /// Query: details of an object, answered by [`Output::Detail`] with the same `request`.
    Detail {
        /// The page's number for this request.
        request: u64,
        /// Which object.
        object: ObjectRef,
        /// What is asked of it.
        what: DetailKind,
    },
    /// Query: why an object is as it is, answered by [`Output::Why`].
    Why {
        /// The page's number for this request.
        request: u64,
        /// Which object.
        object: ObjectRef,
    },
    /// Query: what led to an object and what it led to, answered by [`Output::Trace`].
    Trace {
        /// The page's number for this request.
        request: u64,
        /// Which object; it may be gone.
        object: ObjectRef,
        /// Levels below the object's own writes; all where nothing is said.
        depth: Option<u32>,
        /// Whether every step is wanted, mere changes of status too.
        all: bool,
    },
    /// Query: a file of the learner's host, answered by [`Output::File`].
    FileRead {
        /// Absolute path.
        path: String,
    },
    /// Query: names of files and folders below a folder of the learner's host.
    FileList {
        /// Absolute path.
        path: String,
    },
}

impl Input {
    /// Whether this changes nothing and is left out of the journal.
    pub fn is_query(&self) -> bool {
        matches!(
            self,
            Input::Detail { .. }
                | Input::Why { .. }
                | Input::Trace { .. }
                | Input::FileRead { .. }
                | Input::FileList { .. }
        )
    }
}

/// Names an object of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The resource's plural with its group where it has one: `pods`, `deployments.apps`.
    pub resource: String,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

/// What [`Input::Detail`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DetailKind {
    /// As `kubectl describe` prints it.
    Describe,
    /// As `kubectl get -o yaml` prints it.
    Yaml,
    /// Its events, as `kubectl events --for` prints them.
    Events,
    /// The last 200 lines of a pod's log.
    Logs,
    /// Why it is as it is, as `sandbar why` prints it.
    Why,
    /// What led to it and what it led to, as `sandbar trace` prints it.
    Trace,
}

/// A failure brought about on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fault {
    /// The kubelet of a node dies (and stays dead).
    KubeletStop {
        /// The node's name.
        node: String,
    },
    /// The kubelet of a node is started again.
    KubeletStart {
        /// The node's name.
        node: String,
    },
    /// A container's first process gets SIGKILL.
    ContainerKill {
        /// The pod's namespace.
        namespace: String,
        /// The pod.
        pod: String,
        /// The container; empty for the first.
        container: String,
    },
    /// A container of the pod leaks memory and answers ever more slowly, until it is restarted.
    ContainerLeak {
        /// The pod's namespace.
        namespace: String,
        /// The pod.
        pod: String,
    },
}

/// Something the engine tells whoever shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Output {
    /// Text for a terminal emulator, escape sequences included.
    Terminal {
        /// The terminal.
        id: u32,
        /// What to write.
        data: String,
    },
    /// What a terminal is doing changed.
    TerminalState {
        /// The terminal.
        id: u32,
        /// The machine (or container) whose shell has the keyboard.
        place: String,
        /// The foreground command, if the prompt is not waiting for input.
        running: Option<String>,
    },
    /// The terminal's shell ended.
    TerminalClosed {
        /// The terminal.
        id: u32,
    },
    /// The answer to [`Input::Browse`].
    Page {
        /// As asked.
        request: u64,
        /// What came back.
        answer: PageAnswer,
    },
    /// What a load generator has counted so far (at most one message a frame).
    Load {
        /// The generator.
        id: u32,
        /// Requests since the last message, oldest first (at most 200, the newest).
        recent: Vec<LoadDot>,
        /// Answers since the start by who answered, sorted by name.
        answered: Vec<(String, u64)>,
        /// Failed requests since the start.
        failed: u64,
    },
    /// A command asks for this address to be shown (`minikube service`, a printed link).
    OpenUrl {
        /// An `http://` address.
        url: String,
    },
    /// A command asks for the dashboard (`minikube dashboard`).
    OpenDashboard,
    /// A command asks for a file to be edited (`edit FILE`).
    OpenFile {
        /// Absolute path.
        path: String,
        /// Its content now.
        text: String,
    },
    /// The answer to [`Input::FileRead`]: the text, or why not.
    File {
        /// As asked.
        path: String,
        /// Content, or an error in words.
        text: Result<String, String>,
    },
    /// The answer to [`Input::FileList`]: names, folders with a trailing `/`.
    Files {
        /// As asked.
        path: String,
        /// Sorted names.
        names: Vec<String>,
    },
    /// What changed in the cluster's picture since the last message.
    View(Vec<ViewChange>),
    /// The lesson panel's whole content, sent when any of it changed.
    Lesson(Box<LessonView>),
    /// The answer to [`Input::Detail`]: text, or why not.
    Detail {
        /// As asked.
        request: u64,
        /// Text, or an error in words.
        text: Result<String, String>,
    },
    /// The answer to [`Input::Why`]: or why there is none, in words.
    Why {
        /// As asked.
        request: u64,
        /// The answer.
        answer: Result<Box<Why>, String>,
    },
    /// The answer to [`Input::Trace`]: or why there is none, in words.
    Trace {
        /// As asked.
        request: u64,
        /// The answer.
        answer: Result<Box<Trace>, String>,
    },
    /// One sentence for the person.
    Notice {
        /// The sentence.
        text: String,
    },
}

/// What the browser pane got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageAnswer {
    /// HTTP status, or 0 where no answer came.
    pub status: u16,
    /// The `Content-Type`, empty if none.
    pub content_type: String,
    /// The body, or where no answer came the reason in words (`connection refused`).
    pub body: String,
    /// The pod (or machine) that answered; empty where none did.
    pub answered_by: String,
    /// Simulated milliseconds from request to answer.
    pub millis: u64,
    /// After redirects.
    pub url: String,
}

/// One request of a load generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadDot {
    /// The pod that answered; empty where none did.
    pub by: String,
    /// HTTP status, or 0.
    pub status: u16,
    /// Simulated milliseconds.
    pub millis: u32,
}
