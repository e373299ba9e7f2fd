//! minikube's lines: a sign, two blanks, a sentence. Models `pkg/minikube/style`.

use crate::machine::Proc;

/// A line on standard output.
pub async fn out(proc: &Proc, sign: &str, text: &str) {
    proc.print(&format!("{sign}  {text}\n")).await;
}

/// A line on standard error.
pub async fn err(proc: &Proc, sign: &str, text: &str) {
    proc.eprint(&format!("{sign}  {text}\n")).await;
}

/// A line below another.
pub async fn sub(proc: &Proc, text: &str) {
    proc.print(&format!("    ▪ {text}\n")).await;
}

/// minikube's way to end with an error: `❌  Exiting due to <reason>: <text>`, framed by blank lines.
pub async fn exit(proc: &Proc, reason: &str, text: &str, code: i32) -> i32 {
    proc.eprint(&format!("\n❌  Exiting due to {reason}: {text}\n\n")).await;
    code
}
