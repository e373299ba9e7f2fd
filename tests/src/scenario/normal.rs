//! What differs from run to run is replaced by placeholders before answers are compared.
//!
//! The rules are those of the tool that made the recordings, in its order.

use regex_lite::{Captures, Regex};

const SAFE: &str = "bcdfghjklmnpqrstvwxz2456789";

/// A rule: what to look for, and what stands there instead.
struct Rule {
    pattern: Regex,
    new: &'static str,
}

/// All rules, compiled once.
pub struct Rules {
    first: Vec<Rule>,
    age: Regex,
    short_age: Regex,
    last: Vec<Rule>,
}

impl Default for Rules {
    fn default() -> Self {
        let rule = |pattern: &str, new: &'static str| Rule {
            pattern: Regex::new(&pattern.replace("SAFE", SAFE)).expect("a rule's pattern"),
            new,
        };
        Rules {
            first: vec![
                rule(
                    r"(?m) *ConfigMapName: +openshift\S+\n *Optional: .*\n| *- configMap:\n(?: .*\n){3} +name: openshift\S+\n",
                    "",
                ),
                rule(r".*(openshift|MissingClusterDNS).*\n?", ""),
                rule(
                    r"in \S+ \(\S+ including waiting\)\. Image size: \d+ bytes",
                    "in <age> (<age> including waiting). Image size: <n> bytes",
                ),
                rule(r"(Image ID|imageID): .*", "${1}: <image>"),
                rule(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uid>"),
                rule(r"\b[0-9a-f]{64}\b", "<digest>"),
                rule(
                    r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
                    "<time>",
                ),
                rule(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| ?[+-]\d\d:?\d\d)?", "<time>"),
                rule(r#"(template-hash|revision-hash)([=:] ?"?)[SAFE0-9a-z]+"#, "${1}${2}<hash>"),
                rule(r"\b(kubectl-edit|LIVE|MERGED)-\d+", "${1}-<n>"),
                rule(r"-[SAFE]{6,10}-[SAFE]{5}\b", "-<hash>-<id>"),
                rule(r"-[SAFE]{8,10}\b", "-<hash>"),
                rule(r"-[SAFE]{5}\b", "-<id>"),
                rule(r"-\d{8}-", "-<minute>-"),
                rule(r"-\d{8}\b", "-<minute>"),
                rule(r"\b\d{1,3}(\.\d{1,3}){3}\b", "<ip>"),
                rule(r" *\(x\d+ over [0-9smhd]+\)", ""),
                rule(r"\b[EIW]\d{4} [\d:.]+ +\d+ (\w+\.go):\d+\]", "<log> ${1}]"),
                // As `sandbar` tells times.
                rule(r"\b\d\d:\d\d:\d\d\.\d{3}\b", "<clock>"),
                rule(r"https://(<ip>|[\w.-]+):\d+", "https://<server>"),
            ],
            age: Regex::new(r"(\d+d)?(\d+h)?(\d+m)?\d+s\b").expect("a pattern"),
            short_age: Regex::new(r"((\d+d)?(\d+h)?\d+m|(\d+d)?\d+h|\d+d)\b").expect("a pattern"),
            last: vec![
                rule(r"\b3[0-2]\d{3}\b", "<nodeport>"),
                rule(r"\bnode-[1-9]\b", "<node>"),
                rule(r#"(resourceVersion"?: ?)"?\d+"?"#, "${1}<rv>"),
                rule(r"fakeRuntime://\S+|containerd://\S+|docker://\S+", "<container>"),
                rule(r"[ \t]+", " "),
                rule(r" +\n", "\n"),
            ],
        }
    }
}

impl Rules {
    /// A text with placeholders.
    pub fn normal(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for rule in &self.first {
            text = rule.pattern.replace_all(&text, rule.new).into_owned();
        }
        text = ages(&self.age, &text, true);
        let lines: Vec<String> = text
            .split('\n')
            .map(|line| {
                if line.contains("cpu") {
                    line.to_owned()
                } else {
                    ages(&self.short_age, line, false)
                }
            })
            .collect();
        text = lines.join("\n");
        for rule in &self.last {
            text = rule.pattern.replace_all(&text, rule.new).into_owned();
        }
        text
    }
}

/// Ages, but not those that are part of a word or a value, nor (`for_too`) behind `for `.
fn ages(pattern: &Regex, text: &str, for_too: bool) -> String {
    let replace = |found: &Captures| {
        let Some(all) = found.get(0) else { return String::new() };
        let before = &text[..all.start()];
        let word =
            before.chars().next_back().is_some_and(|c| c == '=' || c == '_' || c.is_alphanumeric());
        if word || (for_too && before.ends_with("for ")) {
            return all.as_str().to_owned();
        }
        "<age>".into()
    };
    pattern.replace_all(text, replace).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        let rules = Rules::default();
        for (text, want) in [
            ("web-7887448d46-rr9bs   1/1  12s", "web-<hash>-<id> 1/1 <age>"),
            ("10.96.0.1 443:31234/TCP 25m", "<ip> 443:<nodeport>/TCP <age>"),
            ("timeout=1s for 300s cpu: 100m", "timeout=1s for 300s cpu: 100m"),
            ("node-2/192.0.2.2", "<node>/<ip>"),
        ] {
            assert_eq!(rules.normal(text), want);
        }
    }
}
