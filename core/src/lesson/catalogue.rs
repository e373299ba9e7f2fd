//! All lessons, in the order in which `lessons/index.yaml` lists them.

use serde::Deserialize;

use super::schema::Lesson;

const LESSONS: &str = include_str!(concat!(env!("OUT_DIR"), "/lessons.json"));

/// A course: lessons that belong together.
#[derive(Debug, Deserialize)]
pub struct Course {
    /// Title.
    pub title: String,
    /// Its lessons, in order.
    pub lessons: Vec<Lesson>,
}

/// Reads all lessons. A lesson that is not as [`super::schema`] says fails the tests, so that here
/// the (then impossible) error leaves an empty catalogue.
pub fn load() -> Vec<Course> {
    parse().unwrap_or_default()
}

/// Reads all lessons. Errors say what is wrong in which form.
pub fn parse() -> Result<Vec<Course>, serde_json::Error> {
    let value: serde_json::Value = serde_json::from_str(LESSONS)?;
    serde_json::from_value(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lesson_is_well_formed() {
        let courses = parse().expect("lessons parse");
        let mut ids = std::collections::BTreeSet::new();
        for lesson in courses.iter().flat_map(|c| &c.lessons) {
            assert!(ids.insert(&lesson.id), "{} twice", lesson.id);
            assert!(!lesson.rows.is_empty(), "{}: names no row", lesson.id);
            assert!(!lesson.steps.is_empty(), "{}: has no steps", lesson.id);
            for step in &lesson.steps {
                let at = format!("{}: {}", lesson.id, step.title);
                assert!(!step.check.is_empty(), "{at}: checks nothing");
                assert!(!step.hints.is_empty(), "{at}: has no hints");
                assert!(!step.command.is_empty() || !step.play.is_empty(), "{at}: can't be played");
            }
        }
    }

    fn names_below(folder: &std::path::Path, prefix: &str) -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.flat_map(|entry| {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match entry.path().is_dir() {
                true => names_below(&entry.path(), &format!("{name}/")),
                false => vec![name],
            }
        });
        names.collect()
    }

    #[test]
    fn every_file_is_in_the_index() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../lessons");
        let ids: std::collections::BTreeSet<_> =
            load().into_iter().flat_map(|c| c.lessons).map(|l| l.id).collect();
        let files: std::collections::BTreeSet<_> =
            load().into_iter().flat_map(|c| c.lessons).flat_map(|l| l.files.into_keys()).collect();
        for course in std::fs::read_dir(&root).unwrap().flatten().filter(|e| e.path().is_dir()) {
            for name in names_below(&course.path().join("files"), "") {
                assert!(files.contains(&name), "no lesson has the file {name}");
            }
            for file in std::fs::read_dir(course.path()).unwrap().flatten() {
                let path = file.path();
                if path.extension().is_none_or(|e| e != "yaml") {
                    continue;
                }
                let relative = path.strip_prefix(&root).unwrap().with_extension("");
                let id = relative.to_string_lossy().to_string();
                assert!(ids.contains(&id), "{id} is not in the index, or has another id");
            }
        }
    }
}
