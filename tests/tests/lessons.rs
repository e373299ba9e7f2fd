//! Every lesson is played from its first step to its last: each step's check must fail before the
//! learner does anything and hold afterwards.

use std::{collections::BTreeMap, time::Duration};

use sandbar_core::{
    lesson::{
        Lesson, Step, catalogue,
        schema::{Play, Var},
        vars,
    },
    session::protocol::{Input, Output},
    view::{LessonView, Row},
};
use sandbar_tests::driver::Driver;

/// How long a check may take to hold once everything was done.
const PATIENCE: Duration = Duration::from_secs(600);
/// The terminal for commands that go on beside the first one.
const BESIDE: u32 = 2;

struct Player {
    driver: Driver,
    view: LessonView,
    beside: bool,
}

impl Player {
    fn new(lesson: &Lesson) -> Self {
        let mut player =
            Player { driver: Driver::new(7), view: LessonView::default(), beside: false };
        for command in &lesson.setup {
            player.run(command);
        }
        player.driver.input(Input::LessonOpen { lesson: lesson.id.clone() });
        player.pass(1);
        player
    }

    fn run(&mut self, command: &str) {
        self.driver.run(command, PATIENCE).unwrap_or_else(|error| panic!("{error}"));
        self.look();
    }

    fn pass(&mut self, seconds: u64) {
        // The coach looks as often as the page does at full speed, so that nothing is missed.
        for _ in 0..seconds {
            self.driver.pass(Duration::from_secs(1));
        }
        self.look();
    }

    fn look(&mut self) {
        for output in self.driver.others.drain(..) {
            if let Output::Lesson(view) = output {
                self.view = *view;
            }
        }
    }

    fn fill(&self, text: &str, vars: &BTreeMap<String, Var>) -> String {
        let client = self.driver.session.cluster().map(|c| c.viewer());
        vars::fill(client.as_ref(), text, vars)
    }

    fn keys_beside(&mut self, keys: &str) {
        if !self.beside {
            let place = String::new();
            let open = Input::TerminalOpen { id: BESIDE, place, cols: 100, rows: 30 };
            self.driver.input(open);
            self.beside = true;
            self.pass(1);
        }
        self.driver.input(Input::TerminalKeys { id: BESIDE, data: keys.to_string() });
        self.pass(1);
    }

    fn browse(&mut self, service: &str, times: usize) {
        let (namespace, name) = service.split_once('/').expect("namespace/name");
        let url = self.driver.rows.values().find_map(|row| match row {
            Row::Service(s) if s.namespace == namespace && s.name == name => {
                s.urls.first().cloned()
            }
            _ => None,
        });
        let url = url.unwrap_or_else(|| panic!("service {service} has no address"));
        for request in 0..times {
            self.driver.input(Input::Browse { request: request as u64, url: url.clone() });
            self.driver.pass(Duration::from_millis(300));
            self.look();
        }
    }

    fn play(&mut self, step: &Step) {
        if step.play.is_empty() {
            let command = self.fill(&step.command, &step.vars);
            return self.run(&command);
        }
        for action in &step.play {
            match action {
                Play::Type(command) => {
                    let command = self.fill(command, &step.vars);
                    self.run(&command);
                }
                Play::Beside(command) => {
                    let command = self.fill(command, &step.vars);
                    self.keys_beside(&format!("{command}\r"));
                }
                Play::StopBeside(_) => self.keys_beside("\x03"),
                Play::Browse(service, times) => self.browse(service, *times),
                Play::Wait(seconds) => self.pass(*seconds),
                Play::Fault(fault) => {
                    let fault = serde_json::from_value(fault.clone()).expect("a fault");
                    self.driver.input(Input::Fault(fault));
                }
            }
        }
    }
}

fn play(lesson: &Lesson) {
    let mut player = Player::new(lesson);
    for (i, step) in lesson.steps.iter().enumerate() {
        let at = format!("{} step {} ({})", lesson.id, i + 1, step.title);
        assert_eq!(player.view.current, i, "{at}: the check holds before anything was done");
        player.play(step);
        let mut waited = 0;
        while player.view.current <= i && waited < PATIENCE.as_secs() {
            player.pass(5);
            waited += 5;
        }
        let missing = player.view.steps.get(i).map(|s| s.missing.clone()).unwrap_or_default();
        let screen: String = player.driver.printed.chars().rev().take(1500).collect();
        let screen: String = screen.chars().rev().collect();
        assert!(player.view.current > i, "{at}: still missing: {missing}\n{screen}");
        // Nothing that comes later may hold by itself.
        player.pass(3);
    }
}

/// One lesson each, so that a failure names it and they run side by side.
macro_rules! lessons {
    ($($name:ident $id:literal;)*) => {
        $(#[test]
        fn $name() {
            let courses = catalogue::load();
            let lesson = courses.iter().flat_map(|c| &c.lessons).find(|l| l.id == $id);
            play(lesson.expect("the lesson is in the catalogue"));
        })*

        #[test]
        fn every_lesson_is_played() {
            let played = [$($id),*];
            for lesson in catalogue::load().iter().flat_map(|c| &c.lessons) {
                assert!(played.contains(&lesson.id.as_str()), "{} is not played", lesson.id);
            }
        }
    };
}

lessons! {
    start "minikube/01-start";
    kubectl "minikube/02-kubectl";
    look_around "minikube/03-look-around";
    deploy "minikube/04-deploy";
    describe "minikube/05-describe";
    expose "minikube/06-expose";
    scale "minikube/07-scale";
    heal "minikube/08-heal";
    look_inside "minikube/09-look-inside";
    statuses "minikube/10-statuses";
    routing_table "minikube/11-routing-table";
    scheduler_life "scheduler/01-life";
    scheduler_placement "scheduler/02-placement";
    scheduler_spot_and_reserved "scheduler/03-spot-and-reserved";
}

/// Rows P1 to P16 of the inventory are all taught, and those of the scheduler.
#[test]
fn the_practical_is_covered() {
    let courses = catalogue::load();
    let rows: Vec<String> =
        courses.iter().flat_map(|c| &c.lessons).flat_map(|l| l.rows.clone()).collect();
    for n in 1..=16 {
        assert!(rows.contains(&format!("P{n}")), "P{n} is in no lesson");
    }
    for row in ["O21", "O22"] {
        assert!(rows.iter().any(|r| r == row), "{row} is in no lesson");
    }
}
