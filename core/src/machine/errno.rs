//! Errors of files and of starting programs, worded as Linux words them.

use std::fmt;

/// Why a file operation failed. Displays as `strerror` does, without the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsError {
    /// ENOENT
    NotFound,
    /// EEXIST
    Exists,
    /// ENOTDIR
    NotADirectory,
    /// EISDIR
    IsADirectory,
    /// ENOTEMPTY
    NotEmpty,
    /// EACCES
    Access,
    /// EPERM
    NotPermitted,
    /// EROFS
    ReadOnly,
    /// ELOOP
    Loop,
    /// EINVAL
    Invalid,
    /// EBUSY
    Busy,
    /// EXDEV
    CrossDevice,
    /// ENXIO
    NoDevice,
    /// EBADF
    BadDescriptor,
    /// ETXTBSY and everything else that has no simulated counterpart
    NotSupported,
}

impl fmt::Display for FsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FsError::NotFound => "No such file or directory",
            FsError::Exists => "File exists",
            FsError::NotADirectory => "Not a directory",
            FsError::IsADirectory => "Is a directory",
            FsError::NotEmpty => "Directory not empty",
            FsError::Access => "Permission denied",
            FsError::NotPermitted => "Operation not permitted",
            FsError::ReadOnly => "Read-only file system",
            FsError::Loop => "Too many levels of symbolic links",
            FsError::Invalid => "Invalid argument",
            FsError::Busy => "Device or resource busy",
            FsError::CrossDevice => "Invalid cross-device link",
            FsError::NoDevice => "No such device or address",
            FsError::BadDescriptor => "Bad file descriptor",
            FsError::NotSupported => "Operation not supported",
        })
    }
}

impl std::error::Error for FsError {}

/// Why a program could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpawnError {
    /// No such name on the PATH: shells exit with 127.
    NotOnPath,
    /// The path (or the interpreter its first line names) can't be used: 127 for
    /// [`FsError::NotFound`], otherwise 126.
    File(FsError),
    /// The file is neither a program nor a script with a `#!` line (ENOEXEC).
    Format {
        /// Its absolute path.
        path: String,
    },
    /// The command is empty.
    Empty,
    /// The machine is off.
    MachineOff,
}

impl SpawnError {
    /// The exit code a shell reports.
    pub fn code(&self) -> i32 {
        match self {
            SpawnError::NotOnPath | SpawnError::File(FsError::NotFound) => 127,
            _ => 126,
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpawnError::NotOnPath => f.write_str("executable file not found in $PATH"),
            SpawnError::File(e) => e.fmt(f),
            SpawnError::Format { .. } => f.write_str("Exec format error"),
            SpawnError::Empty => f.write_str("no command specified"),
            SpawnError::MachineOff => f.write_str("the machine is not running"),
        }
    }
}

impl std::error::Error for SpawnError {}
