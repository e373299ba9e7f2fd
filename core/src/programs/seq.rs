//! `seq`.

use crate::machine::{Proc, Program};

/// `seq`
pub const PROGRAM: Program = Program {
    name: "seq",
    summary: "print a sequence of numbers",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let (mut numbers, mut separator, mut width, mut format) =
        (Vec::new(), "\n".to_string(), false, None);
    let mut args = proc.args().iter().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-s" => separator = args.next().cloned().unwrap_or_default(),
            "-w" => width = true,
            arg if arg.len() > 2 && arg.starts_with("-s") => separator = arg[2..].to_string(),
            arg if arg.len() > 2 && arg.starts_with("-f") => format = Some(arg[2..].to_string()),
            "-f" => format = args.next().cloned(),
            arg => numbers.push(arg.to_string()),
        }
    }
    let parsed: Result<Vec<f64>, &String> =
        numbers.iter().map(|n| n.parse::<f64>().map_err(|_| n)).collect();
    let (first, step, last) = match parsed.as_deref() {
        Ok([last]) => (1.0, 1.0, *last),
        Ok([first, last]) => (*first, 1.0, *last),
        Ok([first, step, last]) => (*first, *step, *last),
        Err(bad) => {
            proc.eprint(&format!("seq: invalid floating point argument: '{bad}'\n")).await;
            return 1;
        }
        _ => {
            let what = if numbers.is_empty() { "missing operand" } else { "extra operand" };
            proc.eprint(&format!("seq: {what}\nTry 'seq --help' for more information.\n")).await;
            return 1;
        }
    };
    if step == 0.0 {
        proc.eprint("seq: invalid Zero increment value: '0'\n").await;
        return 1;
    }
    let decimals = |text: &String| text.split_once('.').map_or(0, |(_, d)| d.len());
    let decimals = numbers.iter().take(2).map(decimals).max().unwrap_or(0);
    // Formats know no more than 65,535 digits.
    let decimals = decimals.min(1_000);
    let widest = format!("{first:.decimals$}").len().max(format!("{last:.decimals$}").len());
    let (mut index, mut started) = (0_u64, false);
    loop {
        let value = first + index as f64 * step;
        if (step > 0.0 && value > last + 1e-9) || (step < 0.0 && value < last - 1e-9) {
            break;
        }
        let text = match (&format, width) {
            (Some(format), _) => {
                let args = [value.to_string()];
                String::from_utf8_lossy(&super::printf::one_round(format, &mut args.as_slice()).0)
                    .into_owned()
            }
            (None, true) => format!("{value:0widest$.decimals$}"),
            (None, false) => format!("{value:.decimals$}"),
        };
        let before = if std::mem::replace(&mut started, true) { separator.as_str() } else { "" };
        proc.print(&format!("{before}{text}")).await;
        index += 1;
    }
    if started {
        proc.print("\n").await;
    }
    0
}
