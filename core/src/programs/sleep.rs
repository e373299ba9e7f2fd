//! `sleep`.

use std::time::Duration;

use crate::machine::{Proc, Program};

/// `sleep`
pub const PROGRAM: Program = Program {
    name: "sleep",
    summary: "wait for an amount of time",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let args = proc.args().get(1..).unwrap_or_default();
    if args.is_empty() {
        let text = "sleep: missing operand\nTry 'sleep --help' for more information.\n";
        proc.eprint(text).await;
        return 1;
    }
    if args.iter().any(|a| a == "--help") {
        proc.print("Usage: sleep NUMBER[smhd]...\nWaits for the sum of the times given.\n").await;
        return 0;
    }
    let mut total = Duration::ZERO;
    for arg in args {
        match duration(arg) {
            Some(time) => total = total.saturating_add(time),
            None => {
                proc.eprint(&format!("sleep: invalid time interval '{arg}'\n")).await;
                return 1;
            }
        }
    }
    proc.sleep(total).await;
    0
}

/// `5`, `0.5s`, `2m`, `1h`, `3d`, `infinity`.
pub fn duration(text: &str) -> Option<Duration> {
    if text == "infinity" || text == "inf" {
        return Some(Duration::from_secs(u64::from(u32::MAX) * 10));
    }
    let unit = text.chars().next_back()?;
    let (number, factor) = match unit {
        's' => (&text[..text.len() - 1], 1.0),
        'm' => (&text[..text.len() - 1], 60.0),
        'h' => (&text[..text.len() - 1], 3600.0),
        'd' => (&text[..text.len() - 1], 86_400.0),
        _ => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * factor;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(4e10)))
}
