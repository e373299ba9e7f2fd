//! `sandbar images`: what can be pulled here. Real registries have millions of images; those of the
//! sandbox have the ones that were written for it, and those that were pushed.

use crate::{machine::Proc, runtime::Registries};

/// Runs `sandbar images ARGS`.
pub async fn run(proc: &Proc, args: &[String]) -> i32 {
    let word = match args {
        [] => "",
        [word] if !word.starts_with('-') => word.as_str(),
        _ => {
            proc.eprint("sandbar: images wants one word at most; see sandbar --help\n").await;
            return 1;
        }
    };
    let Some(registries) = proc.machine().get::<Registries>() else {
        proc.eprint("sandbar: images are listed on your own machine only\n").await;
        return 1;
    };
    let found: Vec<(String, Vec<String>)> =
        registries.list().into_iter().filter(|(name, _)| name.contains(word)).collect();
    if found.is_empty() {
        proc.eprint(&format!("sandbar: no image here has {word:?} in its name\n")).await;
        return 1;
    }
    let width = found.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, tags) in found {
        proc.print(&format!("{name:width$}   {}\n", tags.join(", "))).await;
    }
    0
}
