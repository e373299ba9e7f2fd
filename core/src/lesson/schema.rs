//! What a lesson's file can say.

use serde::Deserialize;
use serde_json::Value;

/// A lesson.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// Stable id: `<course>/<nn>-<slug>`, the same as its file's name.
    pub id: String,
    /// Title.
    pub title: String,
    /// Rows of the inventory of exercises that it covers.
    pub rows: Vec<String>,
    /// What it is about; Markdown.
    pub intro: String,
    /// What must be there before the first step, as commands (played by tests, offered to learners
    /// who begin here).
    #[serde(default)]
    pub setup: Vec<String>,
    /// Files that it puts into the learner's home directory: name (in a folder or not) and content. In
    /// the lesson's YAML also a list of names: files of its course's folder `files/`.
    #[serde(default)]
    pub files: std::collections::BTreeMap<String, String>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Short title.
    pub title: String,
    /// What to do and why; Markdown. `{name}` is a placeholder ([`Step::vars`]).
    pub text: String,
    /// The command to type; placeholders are filled in. Empty where there is nothing to type.
    #[serde(default)]
    pub command: String,
    /// Values from the cluster's state for placeholders.
    #[serde(default)]
    pub vars: std::collections::BTreeMap<String, Var>,
    /// What must hold; all of it.
    pub check: Vec<Condition>,
    /// Hints, from vague to exact.
    #[serde(default)]
    pub hints: Vec<String>,
    /// What happened and why, once it is done; Markdown.
    #[serde(default)]
    pub after: String,
    /// What a test does instead of typing the command (pages to open, keys, time to let pass).
    #[serde(default)]
    pub play: Vec<Play>,
}

/// A value taken from the cluster.
#[derive(Clone, Debug, Deserialize)]
pub struct Var {
    /// Which objects; the first one counts.
    #[serde(flatten)]
    pub of: Objects,
    /// JSON pointers and the values that must be there, as in [`ObjectsCondition::fields`].
    #[serde(default)]
    pub fields: std::collections::BTreeMap<String, Value>,
    /// JSON pointer of the value: `/metadata/name`.
    pub path: String,
    /// A container id without its scheme, 12 digits, as docker lists it.
    #[serde(default)]
    pub short_id: bool,
    /// What stands there while there is no such object.
    pub or: String,
}

/// Objects of one kind.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Objects {
    /// Plural, with group where it has one: `deployments.apps`.
    pub resource: String,
    /// Namespace; `default` unless said, `*` for all.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Only this one.
    #[serde(default)]
    pub name: Option<String>,
    /// Only those with these labels.
    #[serde(default)]
    pub selector: Option<String>,
}

/// Something that must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// The cluster's state is this: `Running`, `Stopped`, `Absent`.
    Cluster(String),
    /// Objects exist, as many as said, each as said.
    Objects(ObjectsCondition),
    /// A command was run since the step began, and did what it should (exit code 0). Each entry is
    /// a list of words that must all be among the command's, in any order; one entry is enough.
    /// A word may list alternatives: `-A|--all-namespaces`.
    Ran(Vec<String>),
    /// Such a command is running now.
    Running(Vec<String>),
    /// The page of a service was seen since the step began.
    Visited(Visited),
    /// It held at some time since the step began.
    Once(Box<Condition>),
    /// One of these holds.
    Any(Vec<Condition>),
    /// The dashboard was opened by a command since the step began.
    Dashboard(bool),
}

/// Objects that must exist.
#[derive(Clone, Debug, Deserialize)]
pub struct ObjectsCondition {
    /// Which.
    #[serde(flatten)]
    pub of: Objects,
    /// How many must be as said; at least one unless said.
    #[serde(default)]
    pub count: Option<usize>,
    /// Whether there may be others that are not as said. With a count it is exact unless true.
    #[serde(default)]
    pub or_more: bool,
    /// JSON pointers and the values that must be there. Lists compare by any element when the
    /// pointer has a `*` segment.
    #[serde(default)]
    pub fields: std::collections::BTreeMap<String, Value>,
    /// What is said while it does not hold; `{have}` is the number of objects as said.
    pub missing: String,
    /// Counts only objects made since the step began.
    #[serde(default)]
    pub new: bool,
}

/// Pages that must have been seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visited {
    /// Part of the URL or of the service's name: answers by pods with this name's beginning.
    pub pods: String,
    /// By how many different pods.
    #[serde(default = "one")]
    pub different: usize,
    /// How many requests in all.
    #[serde(default = "one")]
    pub requests: usize,
}

fn one() -> usize {
    1
}

/// What a test does at a step.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Play {
    /// Types a command into the first terminal and waits for its prompt.
    Type(String),
    /// Types a command into a second terminal, and leaves it running.
    Beside(String),
    /// Presses Ctrl-C in the second terminal.
    StopBeside(bool),
    /// Opens the page of a service so many times: `<namespace>/<service>`.
    Browse(String, usize),
    /// Lets seconds pass.
    Wait(u64),
    /// Breaks something on purpose ([`crate::session::protocol::Fault`] as JSON).
    Fault(Value),
}
