//! Signals and how a process ended.

/// A signal, numbered as on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Signal {
    Hup = 1,
    Int = 2,
    Quit = 3,
    Abrt = 6,
    Kill = 9,
    Usr1 = 10,
    Segv = 11,
    Usr2 = 12,
    Pipe = 13,
    Alrm = 14,
    Term = 15,
    Chld = 17,
    Cont = 18,
    Stop = 19,
    Tstp = 20,
    Winch = 28,
}

/// All signals with their names, by number.
pub const SIGNALS: &[(Signal, &str)] = &[
    (Signal::Hup, "HUP"),
    (Signal::Int, "INT"),
    (Signal::Quit, "QUIT"),
    (Signal::Abrt, "ABRT"),
    (Signal::Kill, "KILL"),
    (Signal::Usr1, "USR1"),
    (Signal::Segv, "SEGV"),
    (Signal::Usr2, "USR2"),
    (Signal::Pipe, "PIPE"),
    (Signal::Alrm, "ALRM"),
    (Signal::Term, "TERM"),
    (Signal::Chld, "CHLD"),
    (Signal::Cont, "CONT"),
    (Signal::Stop, "STOP"),
    (Signal::Tstp, "TSTP"),
    (Signal::Winch, "WINCH"),
];

impl Signal {
    /// Its number.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// Its name without `SIG`.
    pub fn name(self) -> &'static str {
        SIGNALS.iter().find(|(s, _)| *s == self).map_or("?", |(_, n)| n)
    }

    /// From `9`, `KILL` or `SIGKILL`, in either case.
    pub fn parse(text: &str) -> Option<Signal> {
        if let Ok(number) = text.parse::<i32>() {
            return SIGNALS.iter().find(|(s, _)| s.number() == number).map(|(s, _)| *s);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        SIGNALS.iter().find(|(_, n)| *n == name).map(|(s, _)| *s)
    }

    /// Whether the default action is to do nothing.
    pub fn ignored_by_default(self) -> bool {
        // Stopping is not simulated, so its signals have no effect either.
        matches!(self, Signal::Chld | Signal::Cont | Signal::Winch | Signal::Stop | Signal::Tstp)
    }

    /// Whether no process can handle or ignore it.
    pub fn is_unstoppable(self) -> bool {
        self == Signal::Kill
    }

    /// What a shell says about a foreground process that it ended; empty where shells say nothing.
    pub fn description(self) -> &'static str {
        match self {
            Signal::Hup => "Hangup",
            Signal::Quit => "Quit",
            Signal::Abrt => "Aborted",
            Signal::Kill => "Killed",
            Signal::Usr1 => "User defined signal 1",
            Signal::Segv => "Segmentation fault",
            Signal::Usr2 => "User defined signal 2",
            Signal::Alrm => "Alarm clock",
            Signal::Term => "Terminated",
            _ => "",
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this code (0 to 255).
    Code(i32),
    /// By a signal.
    Signal(Signal),
    /// By SIGKILL because its machine ran out of memory.
    OutOfMemory,
}

impl ExitStatus {
    /// As a shell and a container runtime report it: the code, or 128 + the signal's number.
    pub fn code(self) -> i32 {
        match self {
            ExitStatus::Code(code) => code & 0xff,
            ExitStatus::Signal(signal) => 128 + signal.number(),
            ExitStatus::OutOfMemory => 128 + Signal::Kill.number(),
        }
    }

    /// Whether it ended well.
    pub fn success(self) -> bool {
        self == ExitStatus::Code(0)
    }
}
