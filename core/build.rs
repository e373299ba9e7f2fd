//! Puts the lessons into the engine: every file that `lessons/index.yaml` names, as one JSON text.
//! A lesson's `files` are in it, or, where it lists names, beside it in its course's folder `files/`.
//!
//! Doing it here means that a lesson that is no YAML stops the build, and that the engine in the
//! page has no YAML to parse before its first prompt.

use std::{error::Error, fs, path::Path};

use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lessons");
    println!("cargo:rerun-if-changed={}", root.display());
    let index = read(&root.join("index.yaml"))?;
    let mut courses = Vec::new();
    for course in index["courses"].as_array().into_iter().flatten() {
        let mut lessons = Vec::new();
        for name in course["lessons"].as_array().into_iter().flatten() {
            let name = name.as_str().ok_or("index.yaml: a lesson's name is no text")?;
            let path = root.join(format!("{name}.yaml"));
            let mut lesson = read(&path)?;
            if let Some(names) = lesson["files"].as_array() {
                lesson["files"] = beside(&path, names)?;
            }
            lessons.push(lesson);
        }
        courses.push(json!({"title": course["title"], "lessons": lessons}));
    }
    let out = Path::new(&std::env::var("OUT_DIR")?).join("lessons.json");
    fs::write(out, serde_json::to_string(&courses)?)?;
    Ok(())
}

fn read(path: &Path) -> Result<Value, Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_yaml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()).into())
}

/// The files of these names beside a lesson: name and content.
fn beside(lesson: &Path, names: &[Value]) -> Result<Value, Box<dyn Error>> {
    let folder = lesson.with_file_name("files");
    let mut files = serde_json::Map::new();
    for name in names {
        let name = name.as_str().ok_or("a file's name is no text")?;
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        files.insert(name.to_owned(), Value::String(text));
    }
    Ok(Value::Object(files))
}
