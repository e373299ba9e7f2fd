//! The lesson panel's state: what the engine says of the lesson, and what the person looks at.

use std::rc::Rc;

use sandbar_core::session::protocol::Input;
use sandbar_core::view::LessonView;

use crate::app::page::Page;
use crate::app::topics::Topic;
use crate::app::ui::Place;

/// The panel.
#[derive(Default)]
pub struct Lesson {
    /// What the engine said last.
    pub view: Rc<LessonView>,
    /// Whether the catalogue is shown although a lesson is open.
    pub catalogue: bool,
    /// Whether a lesson was opened for the person once already.
    pub offered: bool,
}

impl Page {
    /// The engine says what the panel shows.
    pub fn lesson_changed(&self, view: LessonView) {
        let offer = {
            let mut lesson = self.lesson.borrow_mut();
            let first =
                view.catalogue.iter().find(|c| c.done.0 < c.done.1).or(view.catalogue.first());
            let offer =
                first.filter(|_| view.id.is_empty() && !lesson.offered).map(|c| c.id.clone());
            lesson.offered = true;
            lesson.view = Rc::new(view);
            offer
        };
        // The page opens on a step, not on a list; a panel that was hidden meanwhile stays so.
        if let Some(id) = offer {
            self.begin_lesson(&id);
        }
        self.touch(Topic::Lesson);
    }

    fn begin_lesson(&self, id: &str) {
        self.lesson.borrow_mut().catalogue = false;
        self.send(Input::LessonOpen { lesson: id.to_owned() });
        self.touch(Topic::Lesson);
    }

    /// Opens a lesson and its panel.
    pub fn open_lesson(&self, id: &str) {
        self.begin_lesson(id);
        if !self.ui.borrow().lesson {
            self.show(Place::Lesson);
        }
    }

    /// Shows the catalogue, or the open lesson again.
    pub fn show_catalogue(&self, show: bool) {
        self.lesson.borrow_mut().catalogue = show;
        self.show(Place::Lesson);
        self.touch(Topic::Lesson);
    }

    /// Goes to a step.
    pub fn go_to_step(&self, step: usize) {
        self.send(Input::LessonGoto { step });
    }

    /// Goes some steps on, or back.
    pub fn move_step(&self, by: isize) {
        let view = self.lesson.borrow().view.clone();
        let to = view.current.saturating_add_signed(by);
        if !view.id.is_empty() && to < view.steps.len() {
            self.go_to_step(to);
        }
    }

    /// Types the current step's command.
    pub fn type_current_step(&self) {
        let view = self.lesson.borrow().view.clone();
        match view.steps.get(view.current).map(|s| s.command.clone()) {
            Some(command) if !command.is_empty() => self.type_for_me(&command),
            _ => self.notice("This step has no command to type."),
        }
    }

    /// The presenter's one key: types the step's command; once the step holds, goes on.
    pub fn present_next(&self) {
        let view = self.lesson.borrow().view.clone();
        match view.steps.get(view.current) {
            Some(step) if !step.done && !step.command.is_empty() => self.type_current_step(),
            _ => self.move_step(1),
        }
    }
}
