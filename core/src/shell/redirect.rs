//! Doing redirections.

use super::{
    Flavour, Flow, Shell,
    ast::{Redirect, RedirectOp},
};
use crate::machine::{Fd, FsError, Proc};

impl Shell {
    /// The same process with redirected descriptors; `None` where that failed, which was said.
    ///
    /// # Errors
    /// Where an expansion fails.
    pub(super) async fn redirect(
        &self,
        proc: &Proc,
        redirects: &[Redirect],
    ) -> Result<Option<Proc>, Flow> {
        let new = proc.with(proc.args().to_vec(), proc.io().copy());
        for redirect in redirects {
            if !self.redirect_one(proc, &new, redirect).await? {
                return Ok(None);
            }
        }
        Ok(Some(new))
    }

    async fn redirect_one(
        &self,
        proc: &Proc,
        new: &Proc,
        redirect: &Redirect,
    ) -> Result<bool, Flow> {
        let io = new.io();
        let (path, opened) = match &redirect.op {
            RedirectOp::Here(body) => {
                let body = body.borrow().clone();
                io.set(redirect.fd, Fd::bytes(self.expand_string(proc, &body).await?));
                return Ok(true);
            }
            RedirectOp::HereString(word) => {
                let text = self.expand_string(proc, word).await? + "\n";
                io.set(redirect.fd, Fd::bytes(text));
                return Ok(true);
            }
            RedirectOp::Duplicate(word) => {
                return self.duplicate(proc, new, redirect.fd, word).await;
            }
            RedirectOp::Read(word) => {
                let path = self.expand_string(proc, word).await?;
                let opened = new.open_read(&path);
                (path, opened)
            }
            RedirectOp::Write(word) => {
                let path = self.expand_string(proc, word).await?;
                if self.options.get().noclobber && proc.stat(&path).is_ok_and(|n| n.is_file()) {
                    self.complain(proc, &format!("{path}: cannot overwrite existing file")).await;
                    return Ok(false);
                }
                let opened = new.open_write(&path, false);
                (path, opened)
            }
            RedirectOp::Append(word) => {
                let path = self.expand_string(proc, word).await?;
                let opened = new.open_write(&path, true);
                (path, opened)
            }
            RedirectOp::ReadWrite(word) => {
                let path = self.expand_string(proc, word).await?;
                let opened = new.open_update(&path);
                (path, opened)
            }
            RedirectOp::Both(word, append) => {
                let path = self.expand_string(proc, word).await?;
                let opened = new.open_write(&path, *append);
                if let Ok(fd) = &opened {
                    io.set(2, fd.clone());
                }
                (path, opened)
            }
        };
        match opened {
            Ok(fd) => {
                io.set(redirect.fd, fd);
                Ok(true)
            }
            Err(error) => {
                let reading = matches!(redirect.op, RedirectOp::Read(_));
                let message = self.open_error(&path, error, reading);
                self.complain(proc, &message).await;
                Ok(false)
            }
        }
    }

    fn open_error(&self, path: &str, error: FsError, reading: bool) -> String {
        let (verb, missing) = match (reading, self.flavour) {
            (true, Flavour::Dash) => ("cannot open", "No such file"),
            (true, _) => ("can't open", "no such file"),
            (false, Flavour::Dash) => ("cannot create", "Directory nonexistent"),
            (false, _) => ("can't create", "nonexistent directory"),
        };
        match (self.flavour, error) {
            (Flavour::Bash, error) if path.is_empty() => format!(": {error}"),
            (Flavour::Bash, error) => format!("{path}: {error}"),
            (_, FsError::NotFound | FsError::NotADirectory) => format!("{verb} {path}: {missing}"),
            (_, error) => format!("{verb} {path}: {error}"),
        }
    }

    async fn duplicate(
        &self,
        proc: &Proc,
        new: &Proc,
        fd: u8,
        word: &super::ast::Word,
    ) -> Result<bool, Flow> {
        let target = self.expand_string(proc, word).await?;
        if target == "-" {
            new.io().set(fd, Fd::Closed);
            return Ok(true);
        }
        let source = target.parse::<u8>().ok().map(|n| new.io().get(n));
        match source {
            Some(source) if !matches!(source, Fd::Closed) => {
                new.io().set(fd, source);
                Ok(true)
            }
            Some(_) => {
                self.complain(proc, &format!("{target}: Bad file descriptor")).await;
                Ok(false)
            }
            None => {
                let message = match self.flavour {
                    Flavour::Bash => format!("{target}: ambiguous redirect"),
                    _ => "bad fd number".to_string(),
                };
                self.complain(proc, &message).await;
                Ok(false)
            }
        }
    }
}
