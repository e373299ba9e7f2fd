//! Background jobs.

use std::rc::Rc;

use super::Shell;
use crate::machine::{Child, ExitStatus, Proc};

/// A job: the processes of a pipeline.
#[derive(Clone)]
pub struct Job {
    /// Its number.
    pub id: usize,
    /// Its processes.
    pub children: Vec<Child>,
    /// The command as it was written.
    pub text: Rc<str>,
}

impl Job {
    /// How it ended, if all of it has.
    pub fn status(&self) -> Option<ExitStatus> {
        let mut last = None;
        for child in &self.children {
            last = Some(child.status()?);
        }
        last
    }

    /// Its state as `jobs` words it.
    pub fn state(&self) -> String {
        match self.status() {
            None => "Running".into(),
            Some(ExitStatus::Code(0)) => "Done".into(),
            Some(ExitStatus::Code(code)) => format!("Exit {code}"),
            Some(ExitStatus::OutOfMemory) => "Killed".into(),
            Some(ExitStatus::Signal(signal)) => match signal.description() {
                "" => format!("Signal {}", signal.number()),
                text => text.into(),
            },
        }
    }

    /// Its process group.
    pub fn group(&self) -> u32 {
        self.children.first().map_or(0, |c| c.process().group.get())
    }
}

/// The jobs of a shell.
#[derive(Default)]
pub struct Jobs(Vec<Job>);

impl Jobs {
    /// Adds a job and returns its number.
    pub fn add(&mut self, children: Vec<Child>, text: Rc<str>) -> usize {
        let id = self.0.last().map_or(1, |job| job.id + 1);
        self.0.push(Job { id, children, text });
        id
    }

    /// All jobs.
    pub fn all(&self) -> Vec<Job> {
        self.0.clone()
    }

    /// Forgets a job.
    pub fn remove(&mut self, id: usize) {
        self.0.retain(|job| job.id != id);
    }

    /// What a subshell knows: the jobs, to list them.
    pub fn for_subshell(&self) -> Jobs {
        Jobs(self.0.clone())
    }

    /// The job of `%1`, `%+`, `%-`, `%name`, or a process number.
    pub fn find(&self, name: &str) -> Option<Job> {
        let Some(name) = name.strip_prefix('%') else {
            let pid: u32 = name.parse().ok()?;
            return self.0.iter().find(|j| j.children.iter().any(|c| c.pid() == pid)).cloned();
        };
        match name {
            "" | "%" | "+" => self.0.last().cloned(),
            "-" => self.0.iter().rev().nth(1).or(self.0.last()).cloned(),
            _ => match name.parse::<usize>() {
                Ok(id) => self.0.iter().find(|j| j.id == id).cloned(),
                Err(_) => match name.strip_prefix('?') {
                    Some(part) => self.0.iter().find(|j| j.text.contains(part)).cloned(),
                    None => self.0.iter().find(|j| j.text.starts_with(name)).cloned(),
                },
            },
        }
    }

    /// A job's line in `jobs`.
    pub fn line(&self, job: &Job, long: bool) -> String {
        let position = self.0.iter().rev().position(|j| j.id == job.id);
        let mark = match position {
            Some(0) => '+',
            Some(1) => '-',
            _ => ' ',
        };
        let state = job.state();
        let pid = match (long, job.children.first()) {
            (true, Some(child)) => format!("{} ", child.pid()),
            _ => String::new(),
        };
        let running = if state == "Running" { " &" } else { "" };
        format!("[{}]{mark}  {pid}{state:<24}{}{running}\n", job.id, job.text)
    }
}

impl Shell {
    /// Tells of jobs that ended and forgets them.
    pub(super) async fn report_jobs(&self, proc: &Proc) {
        let ended: Vec<(Job, String)> = {
            let jobs = self.jobs.borrow();
            let all = jobs.all().into_iter().filter(|job| job.status().is_some());
            all.map(|job| (job.clone(), jobs.line(&job, false))).collect()
        };
        for (job, line) in ended {
            self.jobs.borrow_mut().remove(job.id);
            proc.eprint(&line).await;
        }
    }
}
