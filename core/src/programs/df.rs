//! `df`.

use super::support::{
    names::human,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `df`
pub const PROGRAM: Program = Program {
    name: "df",
    summary: "show how much space file systems have",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec =
    Spec { usage: "df [-h]", short: "hkTa", long: &[("human-readable", 'h')], trouble: 1 };

/// Every file system is shown as this large: simulated disks have no end.
const SIZE: u64 = 64 << 30;

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let show =
        |bytes: u64| if options.has('h') { human(bytes) } else { (bytes / 1024).to_string() };
    let mut rows = vec![[
        "Filesystem".to_string(),
        if options.has('h') { "Size".into() } else { "1K-blocks".into() },
        "Used".into(),
        if options.has('h') { "Avail".into() } else { "Available".into() },
        "Use%".into(),
        "Mounted on".into(),
    ]];
    for (at, _) in proc.machine().files().mount_points() {
        if at == "/proc" {
            continue;
        }
        let place = proc.machine().files().locate(&at, true, crate::machine::fs::Who::ROOT);
        let used = place.map_or(0, |(place, _)| place.fs.used());
        let name = if at == "/" { "overlay" } else { "/dev/vda1" };
        rows.push([
            name.into(),
            show(SIZE),
            show(used),
            show(SIZE.saturating_sub(used)),
            format!("{}%", used * 100 / SIZE),
            at,
        ]);
    }
    let widths: Vec<usize> =
        (0..6).map(|i| rows.iter().map(|r| r[i].len()).max().unwrap_or(0)).collect();
    for row in rows {
        let line = format!(
            "{:<w0$} {:>w1$} {:>w2$} {:>w3$} {:>w4$} {}\n",
            row[0],
            row[1],
            row[2],
            row[3],
            row[4],
            row[5],
            w0 = widths[0].max(14),
            w1 = widths[1],
            w2 = widths[2].max(5),
            w3 = widths[3],
            w4 = widths[4]
        );
        proc.print(&line).await;
    }
    0
}
