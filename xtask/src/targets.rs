//! What measurements have to reach, and the table that says whether they did.

use crate::Res;

/// A measurement that must stay below a number.
const MOST: &[(&str, f64)] = &[
    ("schedule/native/plain/100/1000/wall", 1.0),
    ("schedule/native/apart/100/1000/wall", 5.0),
    ("schedule/native/plain/5000/30000/wall", 60.0),
];

/// A measurement that may cost so much more with ten times the work: twice what is linear, as
/// small ones are uncertain.
const LINEAR: &[(&str, &str, f64)] =
    &[("replicas/native/100/wall", "replicas/native/1000/wall", 20.0)];

/// Something measured: its name, value and unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// `schedule/native/plain/100/1000/wall`
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
}

/// Reads what measurements print, one JSON object a line; other lines are left out.
pub fn read(text: &str) -> Vec<Measured> {
    let measured = |line: &str| {
        let value = field(line, "value")?.parse().ok()?;
        let name = field(line, "name")?.to_owned();
        Some(Measured { name, value, unit: field(line, "unit")?.to_owned() })
    };
    text.lines().filter_map(measured).collect()
}

/// A field of an object that holds nothing but numbers and plain text.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.split_once(&format!("\"{name}\":"))?.1.trim_start();
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}']).next().map(str::trim),
    }
}

/// The table of those that have a target, and whether each reached it.
pub fn table(all: &[Measured]) -> (String, Res) {
    let value = |name: &str| all.iter().find(|m| m.name == name);
    let (mut table, mut missed) = (String::new(), Vec::new());
    let mut row = |name: &str, is: String, wanted: String, ok: bool| {
        let verdict = if ok { "ok" } else { "MISSED" };
        table.push_str(&format!("{name:<52} {is:>14} {wanted:>14}  {verdict}\n"));
        if !ok {
            missed.push(name.to_owned());
        }
    };
    for (name, most) in MOST {
        if let Some(m) = value(name) {
            let (is, wanted) =
                (format!("{:.2} {}", m.value, m.unit), format!("< {most} {}", m.unit));
            row(name, is, wanted, m.value < *most);
        }
    }
    for (few, many, most) in LINEAR {
        if let (Some(few), Some(many)) = (value(few), value(many)) {
            let times = many.value / few.value.max(f64::MIN_POSITIVE);
            let name = format!("{} : {}", many.name, few.name.rsplit('/').nth(1).unwrap_or(""));
            row(&name, format!("{times:.1} times"), format!("< {most} times"), times < *most);
        }
    }
    match missed.as_slice() {
        [] => (table, Ok(())),
        some => (table, Err(format!("these missed their targets: {}", some.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_said() {
        let lines = |wall: f64, many: f64| {
            format!(
                "==> noise\n{{\"name\":\"schedule/native/plain/100/1000/wall\",\"unit\":\"s\",\
                 \"value\":{wall}}}\n{{\"name\":\"replicas/native/100/wall\",\"value\":0.5,\
                 \"unit\":\"s\"}}\n{{\"name\":\"replicas/native/1000/wall\",\"value\":{many},\
                 \"unit\":\"s\"}}\n"
            )
        };
        for (wall, many, missed) in [
            (0.5, 6.0, None),
            (1.5, 6.0, Some("schedule/native/plain/100/1000/wall")),
            (0.5, 11.0, Some("replicas/native/1000/wall : 100")),
        ] {
            let measured = read(&lines(wall, many));
            assert_eq!(measured.len(), 3);
            let (table, verdict) = table(&measured);
            assert_eq!(table.lines().count(), 2, "{table}");
            match missed {
                None => assert_eq!(verdict, Ok(())),
                Some(name) => assert!(verdict.is_err_and(|why| why.ends_with(name))),
            }
        }
    }
}
