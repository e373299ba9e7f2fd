//! Leads through a lesson: which step is next, what is missing, which hints were asked for.

use super::{
    catalogue::{self, Course},
    check::{Facts, check},
    schema::Lesson,
    vars,
    witness::Witness,
};
use crate::{
    client::Client,
    sim::Time,
    view::{CatalogueEntry, LessonView, StepView},
};

/// How far the learner is in one lesson.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Steps whose check held when they were the current one.
    done: Vec<bool>,
    /// Hints shown, by step.
    hints: Vec<usize>,
    current: usize,
    /// When the current step began.
    since: Time,
    /// `once` conditions of the current step that held.
    held: Vec<bool>,
    missing: String,
}

/// The coach: which lesson is open and how far each is.
pub struct Coach {
    courses: Vec<Course>,
    progress: std::collections::BTreeMap<String, Progress>,
    open: String,
    /// The current step's command as last shown: its placeholders follow the cluster.
    command: String,
    /// What the last check looked at, so that nothing is checked twice.
    checked: Option<(u64, u64, String, usize)>,
    changed: bool,
}

impl Default for Coach {
    fn default() -> Self {
        Coach {
            courses: catalogue::load(),
            progress: Default::default(),
            open: String::new(),
            command: String::new(),
            checked: None,
            changed: true,
        }
    }
}

impl Coach {
    fn lesson(&self, id: &str) -> Option<&Lesson> {
        self.courses.iter().flat_map(|c| &c.lessons).find(|l| l.id == id)
    }

    /// Files that lessons put into the learner's home directory: name and content.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let lessons = self.courses.iter().flat_map(|c| &c.lessons);
        lessons.flat_map(|l| l.files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// Opens a lesson at its first unfinished step; `""` (or an unknown id) closes the open one.
    pub fn open(&mut self, id: &str, now: Time) {
        let steps = self.lesson(id).map(|l| l.steps.len());
        self.open = if steps.is_some() { id.to_string() } else { String::new() };
        if let Some(steps) = steps {
            let progress = self.progress.entry(id.to_string()).or_default();
            progress.done.resize(steps, false);
            progress.hints.resize(steps, 0);
            let next = progress.done.iter().position(|d| !d).unwrap_or(steps);
            Self::begin(progress, next, now);
        }
        self.touch();
    }

    /// Goes to a step of the open lesson.
    pub fn goto(&mut self, step: usize, now: Time) {
        if let Some(progress) = self.progress.get_mut(&self.open) {
            let step = step.min(progress.done.len());
            Self::begin(progress, step, now);
        }
        self.touch();
    }

    /// Shows one more hint of a step of the open lesson.
    pub fn hint(&mut self, step: usize) {
        let total = self.lesson(&self.open).and_then(|l| l.steps.get(step)).map(|s| s.hints.len());
        if let (Some(progress), Some(total)) = (self.progress.get_mut(&self.open), total) {
            if let Some(shown) = progress.hints.get_mut(step) {
                *shown = (*shown + 1).min(total);
            }
        }
        self.touch();
    }

    fn begin(progress: &mut Progress, step: usize, now: Time) {
        progress.current = step;
        progress.since = now;
        progress.held.clear();
        progress.missing.clear();
    }

    fn touch(&mut self) {
        self.changed = true;
        self.checked = None;
    }

    /// Checks the current step if anything changed since the last call, and goes on to the next
    /// while checks hold. The facts are the cluster's state, its API and what was looked at.
    pub fn look(&mut self, cluster: &str, client: Option<&Client>, witness: &Witness, now: Time) {
        let current = self.progress.get(&self.open).map_or(0, |p| p.current);
        let revision = client.map_or(0, Client::revision);
        let mark = (revision, witness.version, cluster.to_string(), current);
        if self.open.is_empty() || self.checked.as_ref() == Some(&mark) {
            return;
        }
        self.checked = Some(mark);
        let Some(lesson) = self.courses.iter().flat_map(|c| &c.lessons).find(|l| l.id == self.open)
        else {
            return;
        };
        let Some(progress) = self.progress.get_mut(&self.open) else { return };
        let Some(step) = lesson.steps.get(progress.current) else { return };
        let command = vars::fill(client, &step.command, &step.vars);
        if command != self.command {
            self.command = command;
            self.changed = true;
        }
        let since = progress.since;
        let facts = Facts { cluster, client, witness, since, command: &self.command };
        match check(&facts, &step.check, &mut progress.held) {
            Ok(()) => {
                progress.done[progress.current] = true;
                let next = progress.current + 1;
                Self::begin(progress, next, now);
                self.touch();
            }
            Err(missing) if missing != progress.missing => {
                progress.missing = missing;
                self.changed = true;
            }
            Err(_) => {}
        }
    }

    /// The panel, if it changed since the last call.
    pub fn take_view(&mut self, client: Option<&Client>) -> Option<LessonView> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let mut view = LessonView { catalogue: self.catalogue(), ..Default::default() };
        let Some(lesson) = self.lesson(&self.open) else { return Some(view) };
        let progress = self.progress.get(&self.open).cloned().unwrap_or_default();
        view.id = lesson.id.clone();
        view.title = lesson.title.clone();
        view.intro = lesson.intro.clone();
        view.setup = lesson.setup.clone();
        view.current = progress.current;
        for (i, step) in lesson.steps.iter().enumerate() {
            let done = progress.done.get(i) == Some(&true);
            let shown = progress.hints.get(i).copied().unwrap_or(0).min(step.hints.len());
            let fill = |text: &str| vars::fill(client, text, &step.vars);
            view.steps.push(StepView {
                title: step.title.clone(),
                text: fill(&step.text),
                command: fill(&step.command),
                done,
                missing: if i == progress.current {
                    progress.missing.clone()
                } else {
                    String::new()
                },
                hints: step.hints[..shown].iter().map(|h| fill(h)).collect(),
                hints_total: step.hints.len(),
                after: if done { fill(&step.after) } else { String::new() },
            });
        }
        Some(view)
    }

    fn catalogue(&self) -> Vec<CatalogueEntry> {
        let entry = |course: &Course, lesson: &Lesson| CatalogueEntry {
            id: lesson.id.clone(),
            title: lesson.title.clone(),
            course: course.title.clone(),
            rows: lesson.rows.clone(),
            done: (
                self.progress.get(&lesson.id).map_or(0, |p| p.done.iter().filter(|d| **d).count()),
                lesson.steps.len(),
            ),
        };
        self.courses.iter().flat_map(|c| c.lessons.iter().map(move |l| entry(c, l))).collect()
    }
}
