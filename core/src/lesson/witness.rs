//! What was looked at: commands that were run and pages that were seen. Checks need it only where
//! looking is the exercise.

use crate::sim::Time;

/// Most remembered of each; the oldest go first.
const REMEMBERED: usize = 500;

/// A command that was run in a terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// When it began.
    pub at: Time,
    /// Its words.
    pub argv: Vec<String>,
    /// Its exit code; `None` while it runs.
    pub exit: Option<i32>,
    /// Number by which its end finds it again.
    pub id: u64,
}

/// A page that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// When.
    pub at: Time,
    /// The pod that answered.
    pub by: String,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
pub struct Witness {
    /// Commands, oldest first.
    pub ran: Vec<Ran>,
    /// Pages, oldest first.
    pub seen: Vec<Seen>,
    /// When the dashboard was last opened by a command.
    pub dashboard: Option<Time>,
    /// Counts up with every change.
    pub version: u64,
}

impl Witness {
    /// A command begins.
    pub fn begin(&mut self, id: u64, at: Time, argv: Vec<String>) {
        self.version += 1;
        if self.ran.len() >= REMEMBERED {
            self.ran.remove(0);
        }
        self.ran.push(Ran { at, argv, exit: None, id });
    }

    /// A command ended.
    /// `argv` is what it was in the end: a forked shell becomes the command.
    pub fn end(&mut self, id: u64, argv: &[String], exit: i32) {
        if let Some(ran) = self.ran.iter_mut().rev().find(|r| r.id == id && r.exit.is_none()) {
            self.version += 1;
            ran.argv = argv.to_vec();
            ran.exit = Some(exit);
        }
    }

    /// A page was seen.
    pub fn saw(&mut self, at: Time, by: &str) {
        self.version += 1;
        if self.seen.len() >= REMEMBERED {
            self.seen.remove(0);
        }
        self.seen.push(Seen { at, by: by.to_string() });
    }

    /// The dashboard was opened.
    pub fn opened_dashboard(&mut self, at: Time) {
        self.version += 1;
        self.dashboard = Some(at);
    }
}
