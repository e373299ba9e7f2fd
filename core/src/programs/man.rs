//! `man`: shows the help of a program in a pager.

use super::support::opts::Options;
use crate::machine::{Command, Fd, Proc, Program};

/// `man`
pub const PROGRAM: Program = Program {
    name: "man",
    summary: "show a program's help",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let words: Vec<String> = proc
        .args()
        .iter()
        .skip(1)
        .filter(|a| !a.starts_with('-') && a.parse::<u8>().is_err())
        .cloned()
        .collect();
    if words.is_empty() {
        proc.eprint("What manual page do you want?\nFor example, try 'man man'.\n").await;
        return 1;
    }
    let mut text = String::new();
    for word in &words {
        // `man kubectl-get` is the page of `kubectl get`.
        let parts: Vec<&str> = word.split('-').collect();
        let found = |name: &str| {
            proc.machine()
                .find_command(name, &proc.env_all(), &proc.cwd(), proc.who())
                .ok()
                .and_then(|_| proc.machine().registered(name))
        };
        let (argv, program) = match (found(word), found(parts[0])) {
            (Some(program), _) => (vec![word.clone()], program),
            (None, Some(program)) => (parts.iter().map(|p| (*p).to_string()).collect(), program),
            (None, None) => {
                proc.eprint(&format!("No manual entry for {word}\n")).await;
                return 16;
            }
        };
        let help = help(&proc, argv).await;
        let title = word.to_uppercase();
        text.push_str(&format!("{title}(1)\n\nNAME\n       {word} - {}\n\n", program.summary));
        if !help.is_empty() {
            text.push_str("DESCRIPTION\n");
            for line in help.lines() {
                text.push_str(&format!("       {line}\n"));
            }
        }
    }
    super::less::page(&proc, &text, &words[0], &Options::default()).await
}

/// What a program prints when it is asked for help; nothing if it does not know that option.
async fn help(proc: &Proc, mut argv: Vec<String>) -> String {
    // These run, or wait for input, whatever they are given.
    const NO_HELP: &[&str] = &[
        "yes", "init", "true", "false", "echo", "tty", "bash", "dash", "ash", "rev", "tac", "nl",
        "vi", "vim",
    ];
    if NO_HELP.contains(&argv[0].as_str()) {
        return String::new();
    }
    argv.push("--help".to_string());
    let (out, buffer) = Fd::capture();
    let command = Command::new(argv).stdin(Fd::Null).stdout(out).stderr(Fd::Null);
    match proc.spawn(command) {
        Ok(child) if child.wait().await.success() => {
            String::from_utf8_lossy(&buffer.borrow()).into_owned()
        }
        _ => String::new(),
    }
}
