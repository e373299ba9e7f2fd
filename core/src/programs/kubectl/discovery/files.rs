//! The files: `servergroups.json`, and a folder a version with `serverresources.json`.
//!
//! Whatever a file holds is taken for a foreign one, and is left alone, unless it is exactly of that
//! form. Text goes to and from [`Value`]; which kinds they mean is for [`super::known`].

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use serde_json::{Value, json};

use crate::{
    api::json,
    machine::Proc,
    programs::kubectl::{flags::Parsed, kubeconfig::make_dirs_mode},
};

/// How long what was told is believed.
const LIFE: Duration = Duration::from_secs(6 * 60 * 60);
/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// The most kinds that are taken from one file.
const MAX_KINDS: usize = 5_000;

/// The folder for one server: `--cache-dir`, or `$KUBECACHEDIR`, or `~/.kube/cache`; then
/// `discovery`, and the address with odd characters made harmless.
pub fn folder(proc: &Proc, parsed: &Parsed, server: &str) -> String {
    let usual = proc.env("KUBECACHEDIR").filter(|dir| !dir.is_empty()).unwrap_or_else(|| {
        let home = proc.env("HOME").unwrap_or_default();
        if home.is_empty() {
            ".kube/cache".into()
        } else {
            format!("{}/.kube/cache", home.trim_end_matches('/'))
        }
    });
    let base = match parsed.str("cache-dir") {
        given if parsed.changed("cache-dir") && !given.is_empty() => given.to_owned(),
        _ => usual,
    };
    let host = server.replacen("https://", "", 1).replacen("http://", "", 1);
    let safe = |c: char| c.is_ascii_alphanumeric() || "_/.()".contains(c);
    let host: String = host.chars().map(|c| if safe(c) { c } else { '_' }).collect();
    format!("{}/discovery/{host}", base.trim_end_matches('/'))
}

/// Whether there is a file with a server's groups that is good.
pub fn remembers(proc: &Proc, folder: &str) -> bool {
    read(proc, folder, "servergroups.json").as_ref().and_then(groups).is_some()
}

/// A group, and its versions in the order of the server's liking.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name, empty for the core group.
    pub name: String,
    /// Its versions.
    pub versions: Vec<String>,
    /// The version that clients are to prefer.
    pub preferred: String,
}

impl Group {
    /// Its versions as places: `v1`, `apps/v1`.
    pub fn places(&self) -> impl Iterator<Item = String> {
        self.versions.iter().map(|version| self.place(version))
    }

    fn place(&self, version: &str) -> String {
        if self.name.is_empty() { version.to_owned() } else { format!("{}/{version}", self.name) }
    }

    fn to_value(&self) -> Value {
        let version = |v: &String| json!({"groupVersion": self.place(v), "version": v});
        json!({"name": self.name, "preferredVersion": version(&self.preferred),
            "versions": self.versions.iter().map(version).collect::<Vec<_>>()})
    }
}

/// What a server told: groups, and lists of kinds by place.
pub struct Told {
    /// In the server's order.
    pub groups: Vec<Group>,
    /// Entries of `APIResourceList`s.
    pub lists: BTreeMap<String, Rc<Vec<Value>>>,
}

impl Told {
    /// From the two answers of aggregated discovery. Models `discovery.SplitGroupsAndResources`.
    pub fn new(core: &Value, rest: &Value) -> Told {
        let mut told = Told { groups: Vec::new(), lists: BTreeMap::new() };
        for item in items(core, "items").chain(items(rest, "items")) {
            let name = text(&item["metadata"], "name").to_owned();
            let mut group = Group { name, versions: Vec::new(), preferred: String::new() };
            for version in items(item, "versions").filter(|v| text(v, "freshness") != "Stale") {
                let number = text(version, "version").to_owned();
                let list = items(version, "resources").flat_map(lines).collect();
                told.lists.insert(group.place(&number), Rc::new(list));
                group.versions.push(number);
            }
            if let Some(first) = group.versions.first() {
                group.preferred.clone_from(first);
                told.groups.push(group);
            }
        }
        told
    }

    /// As `servergroups.json` has it.
    pub fn groups_text(&self) -> String {
        let groups: Vec<String> = self.groups.iter().map(|g| ordered(&g.to_value())).collect();
        let groups = groups.join(",");
        format!("{{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[{groups}]}}\n")
    }
}

/// A resource of aggregated discovery and its subresources, as lines of a list.
fn lines(resource: &Value) -> Vec<Value> {
    let name = text(resource, "resource");
    let line = |name: String, of: &Value| {
        let carried = &of["responseKind"];
        let mut line = json!({"name": name, "kind": text(carried, "kind"), "verbs": of["verbs"],
            "singularName": text(resource, "singularResource"),
            "namespaced": text(resource, "scope") == "Namespaced"});
        for key in ["group", "version"] {
            if !text(carried, key).is_empty() {
                line[key] = text(carried, key).into();
            }
        }
        for key in ["shortNames", "categories"] {
            if of.get(key).is_some_and(Value::is_array) {
                line[key] = of[key].clone();
            }
        }
        line
    };
    let mut lines = vec![line(name.to_owned(), resource)];
    for sub in items(resource, "subresources") {
        lines.push(line(format!("{name}/{}", text(sub, "subresource")), sub));
    }
    lines
}

/// As `serverresources.json` has the list of a version.
pub fn resources_text(place: &str, list: &[Value]) -> String {
    let lines: Vec<String> = list.iter().map(ordered).collect();
    format!(
        "{{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":{},\
         \"resources\":[{}]}}\n",
        json::compact(&place.into()),
        lines.join(",")
    )
}

/// A flat object in the order of the fields of Go's types.
fn ordered(value: &Value) -> String {
    const ORDER: &[&str] = &[
        "name",
        "singularName",
        "namespaced",
        "group",
        "version",
        "kind",
        "verbs",
        "shortNames",
        "categories",
        "versions",
        "preferredVersion",
    ];
    let fields = ORDER.iter().filter_map(|key| {
        let value = value.get(key)?;
        Some(format!("\"{key}\":{}", json::compact(value)))
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// The JSON of a file that is there, not too old and not too long.
pub fn read(proc: &Proc, folder: &str, name: &str) -> Option<Value> {
    let path = format!("{folder}/{name}");
    let node = proc.stat(&path).ok()?;
    if !node.is_file() || node.size() > MAX_FILE || proc.sim().now() > node.mtime + LIFE {
        return None;
    }
    serde_json::from_slice(&proc.read_file(&path).ok()?).ok()
}

/// Writes a file, and the folders above it. Where that can't be, nothing is remembered.
pub fn write(proc: &Proc, folder: &str, name: &str, text: &str) {
    let path = format!("{folder}/{name}");
    let Some((parent, _)) = path.rsplit_once('/') else { return };
    make_dirs_mode(proc, parent, 0o750);
    if proc.write_file(&path, text.as_bytes()).is_ok() {
        // Who can write the file may not own it, and then can't change this.
        let _ = proc.set_attributes(&path, |node| node.mode = 0o660);
    }
}

fn is_list(value: &Value, kind: &str) -> bool {
    text(value, "kind") == kind && text(value, "apiVersion") == "v1"
}

/// What `servergroups.json` says. `None`: it is something else.
pub fn groups(value: &Value) -> Option<Vec<Group>> {
    let of = |value: &Value| {
        let versions = items(value, "versions").map(|v| text(v, "version").to_owned());
        let preferred = text(&value["preferredVersion"], "version").to_owned();
        Group { name: text(value, "name").to_owned(), versions: versions.collect(), preferred }
    };
    is_list(value, "APIGroupList").then(|| items(value, "groups").take(MAX_KINDS).map(of).collect())
}

/// What a `serverresources.json` says. `None`: it is something else.
pub fn resources(value: &Value) -> Option<Rc<Vec<Value>>> {
    let list = || items(value, "resources").take(MAX_KINDS).cloned().collect();
    is_list(value, "APIResourceList").then(|| Rc::new(list()))
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}
