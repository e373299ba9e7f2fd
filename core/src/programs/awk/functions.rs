//! The functions that come with awk.

use super::{
    ast::Expr,
    run::{Flow, Run},
    value::Value,
};
use crate::{machine::Command, programs::support::time::Date};

/// The functions that come with awk.
pub const FUNCTIONS: &[&str] = &[
    "atan2", "close", "cos", "exp", "fflush", "gsub", "index", "int", "length", "log", "match",
    "rand", "sin", "split", "sprintf", "sqrt", "srand", "strftime", "sub", "substr", "system",
    "systime", "tolower", "toupper",
];

impl Run<'_> {
    pub(super) async fn call(&mut self, name: &str, args: &[Expr]) -> Result<Value, Flow> {
        if let ("length", Some(Expr::Var(array))) = (name, args.first())
            && let Some(items) = self.arrays.get(array)
        {
            return Ok(Value::Number(items.len() as f64));
        }
        match name {
            "sub" | "gsub" => return self.substitute(name == "gsub", args).await,
            "split" => return self.split_into(args).await,
            "match" => {
                let (Some(text), Some(pattern)) = (args.first(), args.get(1)) else {
                    return wrong(name);
                };
                let text = self.value(text).await?;
                let (text, regex) = (self.text(&text), self.pattern(pattern).await?);
                let (start, length) = match regex.find(&text) {
                    Some(m) => (
                        text[..m.start()].chars().count() as f64 + 1.0,
                        m.as_str().chars().count() as f64,
                    ),
                    None => (0.0, -1.0),
                };
                self.vars.insert("RSTART".into(), Value::Number(start));
                self.vars.insert("RLENGTH".into(), Value::Number(length));
                return Ok(Value::Number(start));
            }
            "sprintf" => return Ok(Value::Text(self.format(args).await?)),
            _ => {}
        }
        let mut values = Vec::new();
        for arg in args {
            values.push(self.value(arg).await?);
        }
        let text = |i: usize| values.get(i).map_or(String::new(), |v| self.text(v));
        let number = |i: usize| values.get(i).map_or(0.0, Value::number);
        Ok(match name {
            "length" if values.is_empty() => Value::Number(self.record.chars().count() as f64),
            "length" => Value::Number(text(0).chars().count() as f64),
            "substr" => {
                let chars: Vec<char> = text(0).chars().collect();
                let start = number(1).round();
                let end = if values.len() > 2 { start + number(2).round() } else { f64::INFINITY };
                let from = (start.max(1.0) - 1.0).min(chars.len() as f64) as usize;
                let to = (end - 1.0).clamp(from as f64, chars.len() as f64) as usize;
                Value::Text(chars[from..to].iter().collect())
            }
            "index" => {
                let (a, b) = (text(0), text(1));
                Value::Number(a.find(&b).map_or(0.0, |i| a[..i].chars().count() as f64 + 1.0))
            }
            "tolower" => Value::Text(text(0).to_lowercase()),
            "toupper" => Value::Text(text(0).to_uppercase()),
            "int" => Value::Number(number(0).trunc()),
            "sqrt" => Value::Number(number(0).sqrt()),
            "exp" => Value::Number(number(0).exp()),
            "log" => Value::Number(number(0).ln()),
            "sin" => Value::Number(number(0).sin()),
            "cos" => Value::Number(number(0).cos()),
            "atan2" => Value::Number(number(0).atan2(number(1))),
            "rand" => Value::Number(self.proc.sim().random(1 << 30) as f64 / f64::from(1 << 30)),
            "srand" => Value::Number(0.0),
            "systime" => Value::Number(self.proc.sim().now().as_secs() as f64),
            "strftime" => {
                let time = match values.len() {
                    0 | 1 => self.proc.sim().now(),
                    _ => crate::sim::Time::from_secs(number(1) as u64),
                };
                let format =
                    if values.is_empty() { "%a %b %e %H:%M:%S %Z %Y".into() } else { text(0) };
                Value::Text(Date::new(time).format(&format, time))
            }
            "system" => {
                let command = text(0);
                self.flush().await;
                match self.proc.spawn(Command::new(["sh", "-c", &command])) {
                    Ok(child) => Value::Number(f64::from(child.wait().await.code())),
                    Err(error) => Value::Number(f64::from(error.code())),
                }
            }
            "close" => {
                let name = text(0);
                if let Some((to, child)) = self.outputs.remove(&name) {
                    drop(to);
                    if let Some(child) = child {
                        self.flush().await;
                        child.wait().await;
                    }
                }
                Value::Number(0.0)
            }
            _ => {
                self.flush().await;
                Value::Number(0.0)
            }
        })
    }

    async fn split_into(&mut self, args: &[Expr]) -> Result<Value, Flow> {
        let (Some(text), Some(Expr::Var(array))) = (args.first(), args.get(1)) else {
            return wrong("split");
        };
        let text = self.value(text).await?;
        let text = self.text(&text);
        let separator = match args.get(2) {
            Some(Expr::Regex(pattern)) => pattern.clone(),
            Some(expr) => {
                let value = self.value(expr).await?;
                self.text(&value)
            }
            None => self.var("FS").text(""),
        };
        let parts = self.split(&text, &separator)?;
        let count = parts.len();
        let items =
            parts.into_iter().enumerate().map(|(i, p)| ((i + 1).to_string(), Value::Input(p)));
        self.arrays.insert(array.clone(), items.collect());
        Ok(Value::Number(count as f64))
    }

    async fn substitute(&mut self, all: bool, args: &[Expr]) -> Result<Value, Flow> {
        let (Some(pattern), Some(with)) = (args.first(), args.get(1)) else { return wrong("sub") };
        let regex = self.pattern(pattern).await?;
        let with = self.value(with).await?;
        let with = self.text(&with);
        let record = Expr::Field(Box::new(Expr::Number(0.0)));
        let target = args.get(2).unwrap_or(&record);
        let text = self.value(target).await?;
        let text = self.text(&text);
        let (mut out, mut at, mut count) = (String::new(), 0, 0.0);
        for found in regex.find_iter(&text) {
            out.push_str(&text[at..found.start()]);
            let mut chars = with.chars().peekable();
            while let Some(c) = chars.next() {
                match (c, chars.peek()) {
                    ('\\', Some('&' | '\\')) => out.extend(chars.next()),
                    ('&', _) => out.push_str(found.as_str()),
                    (c, _) => out.push(c),
                }
            }
            at = found.end();
            count += 1.0;
            if !all {
                break;
            }
        }
        if count > 0.0 {
            out.push_str(&text[at..]);
            self.store(target, Value::Text(out)).await?;
        }
        Ok(Value::Number(count))
    }
}

fn wrong<T>(name: &str) -> Result<T, Flow> {
    Err(Flow::Error(format!("wrong arguments for {name}")))
}
