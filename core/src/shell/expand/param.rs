//! `$x`, `${x…}`.

use super::{Fields, Fut};
use crate::{
    machine::Proc,
    shell::{
        Flow, Shell,
        ast::{Index, Param, ParamOp, Word},
        pattern::Pattern,
        vars::Value,
    },
};

/// What a parameter is worth.
enum Worth {
    Unset,
    One(String),
    /// Several; the flag says that quoting joins them (`$*`).
    Many(Vec<String>, bool),
}

impl Param {
    /// Whether it gives several fields even where it is quoted.
    pub fn is_list(&self) -> bool {
        (self.name == "@" || matches!(self.index, Some(Index::All)))
            && !matches!(self.op, ParamOp::Length | ParamOp::Indirect)
    }
}

impl Shell {
    pub(super) fn expand_param<'a>(
        &'a self,
        proc: &'a Proc,
        param: &'a Param,
        quoted: bool,
        out: &'a mut Fields,
    ) -> Fut<'a, ()> {
        Box::pin(async move {
            let worth = match &param.op {
                ParamOp::Indirect => self.indirect(param),
                _ => self.worth(proc, param).await?,
            };
            match &param.op {
                ParamOp::Plain | ParamOp::Indirect => {}
                ParamOp::Length => {
                    let length = match &worth {
                        Worth::Unset => {
                            self.check_set(proc, param).await?;
                            0
                        }
                        Worth::One(text) => text.chars().count(),
                        Worth::Many(items, _) => items.len(),
                    };
                    out.value(&length.to_string(), quoted);
                    return Ok(());
                }
                ParamOp::Default(colon, word) => {
                    if worth.is_missing(*colon) {
                        return self.expand_parts(proc, word, quoted, out).await;
                    }
                }
                ParamOp::Alternative(colon, word) => {
                    if !worth.is_missing(*colon) {
                        return self.expand_parts(proc, word, quoted, out).await;
                    }
                    return Ok(());
                }
                ParamOp::Assign(colon, word) => {
                    if worth.is_missing(*colon) {
                        let text = self.expand_string(proc, word).await?;
                        self.assign(proc, &param.name, Value::Text(text.clone())).await?;
                        out.value(&text, quoted);
                        return Ok(());
                    }
                }
                ParamOp::Error(colon, word) => {
                    if worth.is_missing(*colon) {
                        let mut text = self.expand_string(proc, word).await?;
                        if text.is_empty() {
                            text = match (self.flavour.is_bash(), colon) {
                                (true, true) | (false, _) => "parameter null or not set",
                                (true, false) => "parameter not set",
                            }
                            .to_string();
                        }
                        return Err(self.fail(proc, &format!("{}: {text}", param.name)).await);
                    }
                }
                ParamOp::Bad(text) => {
                    let text = match (self.flavour.is_bash(), text.is_empty()) {
                        (true, false) => format!("{text}: bad substitution"),
                        _ => "bad substitution".to_string(),
                    };
                    return Err(self.fail(proc, &text).await);
                }
                op => {
                    let worth = self.transform(proc, op, worth, param).await?;
                    self.put(worth, quoted, out);
                    return Ok(());
                }
            }
            if matches!(worth, Worth::Unset) && !matches!(param.op, ParamOp::Indirect) {
                self.check_set(proc, param).await?;
            }
            self.put(worth, quoted, out);
            Ok(())
        })
    }

    /// With `set -u`, an unset parameter is an error.
    async fn check_set(&self, proc: &Proc, param: &Param) -> Result<(), Flow> {
        if !self.options.get().nounset || matches!(param.name.as_str(), "@" | "*") {
            return Ok(());
        }
        let text = match self.flavour.is_bash() {
            true => "unbound variable",
            false => "parameter not set",
        };
        Err(self.fail(proc, &format!("{}: {text}", param.name)).await)
    }

    fn put(&self, worth: Worth, quoted: bool, out: &mut Fields) {
        match worth {
            Worth::Unset => out.value("", quoted),
            Worth::One(text) => out.value(&text, quoted),
            Worth::Many(items, joined) if (quoted && joined) || !out.splits() => {
                let joiner = if joined { Fields::joiner(&self.ifs()) } else { " ".into() };
                out.push(&items.join(&joiner), quoted);
            }
            Worth::Many(items, _) => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.end();
                    }
                    out.value(item, quoted);
                }
            }
        }
    }

    fn indirect(&self, param: &Param) -> Worth {
        let vars = self.vars.borrow();
        if let (Some(Index::All | Index::Joined), Some(Value::Array(items))) =
            (&param.index, vars.get(&param.name))
        {
            return Worth::Many(items.keys().map(i64::to_string).collect(), false);
        }
        let name = vars.get(&param.name).map_or("", Value::text);
        vars.get(name).map_or(Worth::Unset, |v| Worth::One(v.text().to_string()))
    }

    async fn worth(&self, proc: &Proc, param: &Param) -> Result<Worth, Flow> {
        let one = |text: String| Ok(Worth::One(text));
        match param.name.as_str() {
            "@" => return Ok(Worth::Many(self.positional.borrow().clone(), false)),
            "*" => return Ok(Worth::Many(self.positional.borrow().clone(), true)),
            "#" => return one(self.positional.borrow().len().to_string()),
            "?" => return one(self.status.get().to_string()),
            "$" => return one(self.pid.to_string()),
            "!" => {
                let pid = self.last_background.get();
                return Ok(pid.map_or(Worth::Unset, |pid| Worth::One(pid.to_string())));
            }
            "-" => return one(self.option_letters()),
            "0" => return one(self.name.borrow().clone()),
            "RANDOM" if self.flavour.is_bash() => {
                return one(proc.sim().random(32_768).to_string());
            }
            "SECONDS" if self.flavour.is_bash() => {
                return one(proc.sim().now().since(self.started).as_secs().to_string());
            }
            "LINENO" => return one(self.line.get().to_string()),
            "PPID" => return one(proc.process().parent.get().to_string()),
            _ => {}
        }
        if let Ok(number) = param.name.parse::<usize>() {
            let positional = self.positional.borrow();
            let value = number.checked_sub(1).and_then(|i| positional.get(i));
            return Ok(value.map_or(Worth::Unset, |v| Worth::One(v.clone())));
        }
        let value = self.vars.borrow().get(&param.name).cloned();
        let Some(value) = value else {
            return Ok(match param.index {
                Some(Index::All | Index::Joined) => Worth::Many(Vec::new(), false),
                _ => Worth::Unset,
            });
        };
        Ok(match (&param.index, value) {
            (None, value) => Worth::One(value.text().to_string()),
            (Some(Index::One(word)), value) => {
                let index = self.arithmetic(proc, word).await?;
                match value {
                    Value::Array(items) => {
                        let end = items.keys().next_back().map_or(0, |k| k + 1);
                        let index = if index < 0 { end + index } else { index };
                        items.get(&index).map_or(Worth::Unset, |v| Worth::One(v.clone()))
                    }
                    Value::Text(text) if index == 0 => Worth::One(text),
                    Value::Text(_) => Worth::Unset,
                }
            }
            (Some(index), value) => {
                let items = match value {
                    Value::Array(items) => items.into_values().collect(),
                    Value::Text(text) => vec![text],
                };
                Worth::Many(items, *index == Index::Joined)
            }
        })
    }

    async fn transform(
        &self,
        proc: &Proc,
        op: &ParamOp,
        worth: Worth,
        param: &Param,
    ) -> Result<Worth, Flow> {
        if let ParamOp::Slice(offset, length) = op {
            let worth = match worth {
                Worth::Many(mut items, joined) if param.index.is_none() => {
                    items.insert(0, self.name.borrow().clone()); // `${@:0}` begins with $0
                    Worth::Many(items, joined)
                }
                other => other,
            };
            return self.slice(proc, offset, length.as_ref(), worth).await;
        }
        if matches!(worth, Worth::Unset) {
            self.check_set(proc, param).await?;
        }
        let pattern = match op {
            ParamOp::TrimStart(_, word) | ParamOp::TrimEnd(_, word) => {
                self.expand_pattern(proc, word).await?
            }
            ParamOp::Replace { pattern, .. } => self.expand_pattern(proc, pattern).await?,
            _ => String::new(),
        };
        let with = match op {
            ParamOp::Replace { with, .. } => self.expand_string(proc, with).await?,
            _ => String::new(),
        };
        let pattern = Pattern::new(&pattern);
        let change = |text: &str| change(text, op, &pattern, &with);
        Ok(match worth {
            Worth::Unset => Worth::One(change("")),
            Worth::One(text) => Worth::One(change(&text)),
            Worth::Many(items, joined) => {
                Worth::Many(items.iter().map(|i| change(i)).collect(), joined)
            }
        })
    }

    async fn slice(
        &self,
        proc: &Proc,
        offset: &Word,
        length: Option<&Word>,
        worth: Worth,
    ) -> Result<Worth, Flow> {
        let offset = self.arithmetic(proc, offset).await?;
        let length = match length {
            Some(word) => Some(self.arithmetic(proc, word).await?),
            None => None,
        };
        let bounds = |total: usize, offset: i64| {
            let total = total as i64;
            let start = if offset < 0 { total + offset } else { offset };
            if start < 0 || start > total {
                return (0, 0);
            }
            let end = match length {
                Some(n) if n < 0 => total + n,
                Some(n) => start.saturating_add(n).min(total),
                None => total,
            };
            (start as usize, end.max(start) as usize)
        };
        Ok(match worth {
            Worth::Unset => Worth::Unset,
            Worth::One(text) => {
                let chars: Vec<char> = text.chars().collect();
                let (start, end) = bounds(chars.len(), offset);
                Worth::One(chars[start..end].iter().collect())
            }
            Worth::Many(mut items, joined) => {
                let (start, end) = bounds(items.len(), offset);
                items = items[start..end].to_vec();
                Worth::Many(items, joined)
            }
        })
    }
}

impl Worth {
    /// Whether a default takes its place; an empty value counts where a colon is written.
    fn is_missing(&self, colon: bool) -> bool {
        match self {
            Worth::Unset => true,
            Worth::One(text) => colon && text.is_empty(),
            Worth::Many(items, _) => {
                items.is_empty() || (colon && items.iter().all(String::is_empty))
            }
        }
    }
}

fn change(text: &str, op: &ParamOp, pattern: &Pattern, with: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let collect = |chars: &[char]| chars.iter().collect::<String>();
    match op {
        ParamOp::TrimStart(longest, _) => {
            let mut lengths: Vec<usize> = (0..=chars.len()).collect();
            if *longest {
                lengths.reverse();
            }
            let cut = lengths.into_iter().find(|n| pattern.matches_chars(&chars[..*n]));
            collect(&chars[cut.unwrap_or(0)..])
        }
        ParamOp::TrimEnd(longest, _) => {
            let mut starts: Vec<usize> = (0..=chars.len()).rev().collect();
            if *longest {
                starts.reverse();
            }
            let cut = starts.into_iter().find(|n| pattern.matches_chars(&chars[*n..]));
            collect(&chars[..cut.unwrap_or(chars.len())])
        }
        ParamOp::Replace { all, anchor, .. } => replace(&chars, *all, *anchor, pattern, with),
        ParamOp::Case(upper, all) => {
            let change = |c: char| -> String {
                if *upper { c.to_uppercase().collect() } else { c.to_lowercase().collect() }
            };
            chars
                .iter()
                .enumerate()
                .map(|(i, c)| if *all || i == 0 { change(*c) } else { c.to_string() })
                .collect()
        }
        _ => text.to_string(),
    }
}

fn replace(
    chars: &[char],
    all: bool,
    anchor: Option<char>,
    pattern: &Pattern,
    with: &str,
) -> String {
    let mut out = String::new();
    let mut at = 0;
    while at <= chars.len() {
        if anchor == Some('#') && at > 0 {
            break;
        }
        let ends = (at..=chars.len()).rev().filter(|e| anchor != Some('%') || *e == chars.len());
        let found = ends
            .into_iter()
            .find(|end| (*end > at || anchor.is_some()) && pattern.matches_chars(&chars[at..*end]));
        match found {
            Some(end) => {
                out.push_str(with);
                at = end;
                if !all {
                    break;
                }
            }
            None => {
                out.extend(chars.get(at));
                at += 1;
            }
        }
    }
    out.extend(chars.get(at..).unwrap_or_default());
    out
}
