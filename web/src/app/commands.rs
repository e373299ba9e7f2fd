//! Everything the page can do by name: the palette, the keys and the buttons of the time bar are views of
//! this one table. A new one is one entry.

use super::page::Page;
use super::ui::{Overlay, Place, Theme};

/// Something the page can do.
pub struct Command {
    /// Its name in code.
    pub id: &'static str,
    /// What it does, in words.
    pub title: &'static str,
    /// The word on its button, empty for a picture only.
    pub short: &'static str,
    /// Its picture.
    pub icon: &'static str,
    /// The keys, as they are shown and as `keys` reads them (`Ctrl` is ⌘ on a Mac); empty for none.
    pub keys: &'static str,
    /// Whether it has a button in the time bar.
    pub in_bar: bool,
    /// Whether it is on, for things that are on or off.
    pub pressed: fn(&Page) -> Option<bool>,
    /// Does it.
    pub run: fn(&Page),
}

const fn plain(
    id: &'static str,
    title: &'static str,
    icon: &'static str,
    keys: &'static str,
    run: fn(&Page),
) -> Command {
    Command { id, title, short: "", icon, keys, in_bar: false, pressed: |_| None, run }
}

/// The table, in the order in which the palette shows it.
pub const COMMANDS: &[Command] = &[
    Command {
        id: "lesson",
        title: "Show or hide the lesson",
        short: "",
        icon: "lesson",
        keys: "Alt-1",
        in_bar: true,
        pressed: |p| Some(p.ui.borrow().lesson),
        run: |p| toggle_place(p, Place::Lesson),
    },
    plain("terminal", "Go to the terminal", "terminal", "Alt-2", |p| {
        p.show(Place::Terminal);
        p.focus_terminal();
    }),
    Command {
        id: "browser",
        title: "Show or hide the browser",
        short: "",
        icon: "browser",
        keys: "Alt-3",
        in_bar: true,
        pressed: |p| Some(p.ui.borrow().browser),
        run: |p| toggle_place(p, Place::Browser),
    },
    Command {
        id: "cluster",
        title: "Show or hide the cluster",
        short: "",
        icon: "cluster",
        keys: "Alt-4",
        in_bar: true,
        pressed: |p| Some(p.ui.borrow().cluster),
        run: |p| toggle_place(p, Place::Cluster),
    },
    plain("next-panel", "Move the keyboard to the next panel", "next", "F6", |p| p.step_focus(1)),
    plain("new-terminal", "New terminal", "plus", "Alt-T", |p| {
        p.new_terminal();
    }),
    plain("split-terminal", "Two terminals side by side, or one", "split", "Alt-S", |p| {
        p.split_terminal()
    }),
    plain("next-terminal", "Next terminal", "terminal", "Alt-]", |p| p.step_terminal(1)),
    plain("previous-terminal", "Previous terminal", "terminal", "Alt-[", |p| p.step_terminal(-1)),
    plain("close-terminal", "Close the terminal", "close", "", |p| {
        let id = p.terminals.borrow().active();
        p.close_terminal(id);
    }),
    plain("find", "Search in the terminal", "search", "Ctrl-F", |p| p.toggle_find()),
    plain("type-step", "Type the lesson's command", "enter", "Alt-Enter", |p| {
        p.type_current_step()
    }),
    plain("next-step", "Next step of the lesson", "next", "Alt-N", |p| p.move_step(1)),
    plain("previous-step", "Previous step of the lesson", "back", "Alt-B", |p| p.move_step(-1)),
    plain("catalogue", "All lessons", "list", "Alt-L", |p| p.show_catalogue(true)),
    plain("pause", "Pause time, or let it run", "pause", "Alt-P", |p| p.toggle_pause()),
    plain("speed-1", "Time as it is: ×1", "clock", "", |p| p.set_speed(1)),
    plain("speed-10", "Fast: ×10", "clock", "", |p| p.set_speed(10)),
    plain("speed-60", "Very fast: ×60", "clock", "", |p| p.set_speed(60)),
    plain("next-event", "Go to the next event and pause there", "next", "Alt-.", |p| {
        p.next_event()
    }),
    plain("larger", "Larger type in terminals", "larger", "Alt-+", |p| {
        p.arrange(|ui| ui.size = (ui.size + 1.0).min(28.0))
    }),
    plain("smaller", "Smaller type in terminals", "smaller", "Alt--", |p| {
        p.arrange(|ui| ui.size = (ui.size - 1.0).max(9.0))
    }),
    Command {
        id: "palette",
        title: "Find a command, an object or a lesson",
        short: "Ctrl-K",
        icon: "search",
        keys: "Ctrl-K",
        in_bar: true,
        pressed: |_| None,
        run: |p| p.toggle_overlay(Overlay::Palette),
    },
    Command {
        id: "presenter",
        title: "Presenter mode: large type, one place at a time",
        short: "",
        icon: "presenter",
        keys: "Alt-0",
        in_bar: true,
        pressed: |p| Some(p.ui.borrow().presenter),
        run: |p| {
            p.arrange(|ui| {
                ui.presenter = !ui.presenter;
                ui.place = Place::Terminal;
            });
            p.focus_terminal();
        },
    },
    Command {
        id: "theme",
        title: "Light, dark, or as the system says",
        short: "",
        icon: "theme",
        keys: "",
        in_bar: true,
        pressed: |_| None,
        run: next_theme,
    },
    Command {
        id: "help",
        title: "Help: keys, and ways out",
        short: "",
        icon: "help",
        keys: "F1",
        in_bar: true,
        pressed: |_| None,
        run: |p| p.toggle_overlay(Overlay::Help),
    },
    plain("start-over", "Start over with a new sandbox", "refresh", "", |_| {
        super::live::start_over()
    }),
    plain("reset-layout", "Put the panels back where they were at first", "split", "", |p| {
        p.arrange(|ui| {
            *ui = super::ui::Ui { theme: ui.theme, narrow: ui.narrow, ..Default::default() }
        });
    }),
];

/// Does what the command `id` says.
pub fn run(page: &Page, id: &str) {
    if let Some(command) = COMMANDS.iter().find(|c| c.id == id) {
        (command.run)(page);
    }
}

fn toggle_place(page: &Page, place: Place) {
    let ui = page.ui.borrow().clone();
    let shown = match place {
        _ if ui.single() => ui.place == place,
        Place::Lesson => ui.lesson,
        Place::Browser => ui.browser,
        Place::Cluster => ui.cluster,
        Place::Terminal => false,
    };
    if !shown {
        return page.show(place);
    }
    page.arrange(|ui| {
        ui.place = Place::Terminal;
        if ui.single() {
            return;
        }
        match place {
            Place::Lesson => ui.lesson = false,
            Place::Browser => ui.browser = false,
            Place::Cluster => ui.cluster = false,
            Place::Terminal => {}
        }
    });
}

fn next_theme(page: &Page) {
    let mut said = "";
    page.arrange(|ui| {
        (ui.theme, said) = match ui.theme {
            Theme::System => (Theme::Light, "Light."),
            Theme::Light => (Theme::Dark, "Dark."),
            Theme::Dark => (Theme::System, "Light or dark, as the system says."),
        };
    });
    page.notice(said);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_and_keys_are_unique() {
        let mut seen = BTreeSet::new();
        for command in COMMANDS {
            assert!(seen.insert(command.id), "{} twice", command.id);
            assert!(command.keys.is_empty() || seen.insert(command.keys), "{} twice", command.keys);
        }
    }
}
