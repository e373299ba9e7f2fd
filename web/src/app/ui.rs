//! Layout, theme, presenter mode and overlays: what the person arranged, remembered across visits.

use gloo::storage::{LocalStorage, Storage};
use serde::{Deserialize, Serialize};

use super::dom;
use super::page::Page;
use super::topics::Topic;

const KEY: &str = "sandbar.ui";

/// Below this width (CSS pixels) one panel is shown at a time.
pub const NARROW: u32 = 1000;

/// The panels in the order in which F6 visits them, and what gets the keyboard in each.
const PANELS: [(&str, &str); 5] = [
    (".lesson", ".scroll"),
    (".terminals", ".pane.active .xterm-helper-textarea, .file:not(.hidden) .cm-content"),
    (".browser", "input"),
    (".cluster", ".cluster-inner"),
    (".bar", "button"),
];

/// Light, dark, or as the system says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// A place of the page; one of them fills the page where there is room for one only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The lesson.
    Lesson,
    /// Terminals and editor.
    #[default]
    Terminal,
    /// The browser pane.
    Browser,
    /// The cluster.
    Cluster,
}

impl Place {
    /// All, in the order of their tabs.
    pub const ALL: [Place; 4] = [Place::Lesson, Place::Terminal, Place::Browser, Place::Cluster];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Place::Lesson => "Lesson",
            Place::Terminal => "Terminal",
            Place::Browser => "Browser",
            Place::Cluster => "Cluster",
        }
    }
}

/// What lies over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The command palette.
    Palette,
    /// Keys and what to do when lost.
    Help,
}

/// How the page is arranged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ui {
    /// Light or dark.
    pub theme: Theme,
    /// Large type, one place at a time.
    pub presenter: bool,
    /// Whether the lesson has its column.
    pub lesson: bool,
    /// Whether the cluster has its column.
    pub cluster: bool,
    /// Whether the browser pane is open.
    pub browser: bool,
    /// Width of the lesson's column, CSS pixels.
    pub left: f64,
    /// Width of the cluster's column, CSS pixels.
    pub right: f64,
    /// Height of the browser pane in percent of the middle column.
    pub bottom: f64,
    /// Share of the left of two terminals, percent.
    pub split: f64,
    /// Width of the details drawer, CSS pixels.
    pub drawer: f64,
    /// Size of type in terminals, CSS pixels.
    pub size: f64,
    /// The place shown where there is room for one only.
    #[serde(skip)]
    pub place: Place,
    /// Whether the window is narrow.
    #[serde(skip)]
    pub narrow: bool,
    /// What lies over the page.
    #[serde(skip)]
    pub overlay: Option<Overlay>,
}

impl Default for Ui {
    fn default() -> Self {
        Ui {
            theme: Theme::System,
            presenter: false,
            lesson: true,
            cluster: true,
            browser: false,
            left: 276.0,
            right: 352.0,
            bottom: 42.0,
            split: 50.0,
            drawer: 620.0,
            // On a small laptop, 80 columns matter more than half a pixel.
            size: if dom::media("(min-width: 1400px)") { 13.0 } else { 12.5 },
            place: Place::Terminal,
            narrow: false,
            overlay: None,
        }
    }
}

impl Ui {
    /// As the person left it.
    pub fn restore() -> Self {
        LocalStorage::get(KEY).unwrap_or_default()
    }

    /// Whether there is room for one place only.
    pub fn single(&self) -> bool {
        self.narrow || self.presenter
    }

    /// Puts what belongs to the whole document there: theme, size of type.
    pub fn paint(&self) {
        let Some(root) = dom::root() else { return };
        let theme = match self.theme {
            Theme::System if dom::media("(prefers-color-scheme: dark)") => "dark",
            Theme::Dark => "dark",
            _ => "light",
        };
        let _ = root.set_attribute("data-theme", theme);
        let _ = root.set_attribute("data-presenter", if self.presenter { "on" } else { "off" });
        let size = if self.presenter { self.size + 7.0 } else { self.size };
        let _ = root.style().set_property("--term-size", &format!("{size}px"));
    }
}

impl Page {
    /// Changes the arrangement, remembers it and draws it.
    pub fn arrange(&self, change: impl FnOnce(&mut Ui)) {
        let (before, after) = {
            let mut ui = self.ui.borrow_mut();
            let before = ui.clone();
            change(&mut ui);
            (before, ui.clone())
        };
        if before == after {
            return;
        }
        let _ = LocalStorage::set(KEY, &after);
        if (before.theme, before.presenter, before.size)
            != (after.theme, after.presenter, after.size)
        {
            self.repaint();
        }
        self.touch(Topic::Ui);
    }

    /// Theme or size of type changed: the document, terminals and canvases follow.
    pub fn repaint(&self) {
        self.ui.borrow().paint();
        self.terminals_restyle();
        for topic in [Topic::Nodes, Topic::Workloads, Topic::Load] {
            self.touch(topic);
        }
    }

    /// Brings a place to where it can be seen.
    pub fn show(&self, place: Place) {
        self.arrange(|ui| {
            ui.place = place;
            match place {
                Place::Lesson => ui.lesson = true,
                Place::Cluster => ui.cluster = true,
                Place::Browser => ui.browser = true,
                Place::Terminal => {}
            }
        });
    }

    /// A command asks for the dashboard, which here is the cluster panel. The terminal keeps the keyboard.
    pub fn show_dashboard(&self) {
        self.show(Place::Cluster);
        self.notice(
            "The dashboard is the Cluster panel: nodes, workloads, services and events, live.",
        );
    }

    /// Moves the keyboard to the next panel that is shown, or with -1 to the one before: the way out of
    /// a terminal, which takes the Tab key for itself.
    pub fn step_focus(&self, by: isize) {
        let here = gloo::utils::document().active_element();
        let at = PANELS.iter().position(|(panel, _)| {
            here.as_ref().is_some_and(|e| e.closest(panel).ok().flatten().is_some())
        });
        let n = PANELS.len() as isize;
        for step in 1..=n {
            let next = (at.map_or(0, |a| a as isize) + by * step).rem_euclid(n) as usize;
            let Some((panel, inside)) = PANELS.get(next) else { return };
            if dom::focus_first(&format!("{panel}:not(.hidden) {inside}")) {
                return;
            }
        }
    }

    /// Opens or closes an overlay.
    pub fn toggle_overlay(&self, overlay: Overlay) {
        let was = self.ui.borrow().overlay;
        self.arrange(|ui| ui.overlay = if was == Some(overlay) { None } else { Some(overlay) });
        if was == Some(overlay) {
            self.focus_terminal();
        }
    }

    /// Closes what lies over the page.
    pub fn close_overlay(&self) {
        if self.ui.borrow().overlay.is_some() {
            self.arrange(|ui| ui.overlay = None);
            self.focus_terminal();
        }
    }
}
