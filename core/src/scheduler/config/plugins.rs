//! Which plugins take part where: the default ones, less those that a profile disables, with those
//! that it enables.
//!
//! Models `mergePluginSet` of `apis/config/v1` and `expandMultiPointPlugins` of `framework/runtime`.

use serde_json::Value;

use super::{
    Profile,
    read::{Problems, list, number, text},
};
use crate::scheduler::{
    framework::Point,
    plugins::{PLUGINS, place_of},
};

/// Points as configurations and errors name them.
const POINTS: &[(&str, &str, Point)] = &[
    ("preEnqueue", "PreEnqueuePlugin", Point::PreEnqueue),
    ("queueSort", "QueueSortPlugin", Point::QueueSort),
    ("preFilter", "PreFilterPlugin", Point::PreFilter),
    ("filter", "FilterPlugin", Point::Filter),
    ("postFilter", "PostFilterPlugin", Point::PostFilter),
    ("preScore", "PreScorePlugin", Point::PreScore),
    ("score", "ScorePlugin", Point::Score),
    ("reserve", "ReservePlugin", Point::Reserve),
    ("permit", "PermitPlugin", Point::Permit),
    ("preBind", "PreBindPlugin", Point::PreBind),
    ("bind", "BindPlugin", Point::Bind),
    ("postBind", "PostBindPlugin", Point::PostBind),
];

/// A plugin that is enabled, and what its scores weigh (0: nothing was said).
type Enabled = (String, i64);

#[derive(Default)]
struct Set {
    enabled: Vec<Enabled>,
    disabled: Vec<String>,
}

impl Set {
    fn read(value: &Value, path: &str, problems: &mut Problems) -> Set {
        problems.fields(value, path, &["disabled", "enabled"]);
        let mut set = Set::default();
        for (i, plugin) in list(value, "enabled").iter().enumerate() {
            problems.fields(plugin, &format!("{path}.enabled[{i}]"), &["name", "weight"]);
            let name = text(plugin, "name").unwrap_or_default().to_string();
            set.enabled.push((name, number(plugin, "weight").unwrap_or(0)));
        }
        for (i, plugin) in list(value, "disabled").iter().enumerate() {
            problems.fields(plugin, &format!("{path}.disabled[{i}]"), &["name", "weight"]);
            set.disabled.push(text(plugin, "name").unwrap_or_default().to_string());
        }
        set
    }

    fn disables(&self, name: &str) -> bool {
        self.disabled.iter().any(|d| d == name || d == "*")
    }
}

/// Sets up a profile's plugins. Errors: plugins that do not exist, or not there.
pub(super) fn choose(
    profile: &mut Profile,
    wanted: &Value,
    path: &str,
    problems: &mut Problems,
) -> Result<(), String> {
    let path = format!("{path}.plugins");
    let mut known: Vec<&str> = POINTS.iter().map(|(name, ..)| *name).collect();
    known.push("multiPoint");
    problems.fields(wanted, &path, &known);
    let nothing = Value::Null;
    let mut part = |name: &str| {
        let value = wanted.get(name).unwrap_or(&nothing);
        Set::read(value, &format!("{path}.{name}"), problems)
    };
    let everywhere = merged(&part("multiPoint"));
    for (name, interface, point) in POINTS {
        let enabled = expand(&part(name), &everywhere, *point, interface)?;
        let mut places = Vec::new();
        for (name, weight) in &enabled {
            places.extend(place_of(name).map(|place| (place, (*weight).max(1))));
        }
        let only: Vec<usize> = places.iter().map(|(place, _)| *place).collect();
        match point {
            Point::PreEnqueue => profile.gates = only,
            Point::Filter => profile.filters = only,
            Point::PostFilter => profile.post_filters = only,
            Point::Score => profile.scores = places,
            Point::PreBind => profile.pre_binds = only,
            Point::QueueSort if only.len() != 1 => {
                return Err(match only.len() {
                    0 => format!(
                        "at least one queue sort plugin is required for profile with scheduler \
                         name {:?}",
                        profile.name
                    ),
                    _ => format!(
                        "only one queue sort plugin required for profile with scheduler name \
                         {:?}, but got {}",
                        profile.name,
                        only.len()
                    ),
                });
            }
            Point::Bind if only.is_empty() => {
                return Err(format!(
                    "at least one bind plugin is needed for profile with scheduler name {:?}",
                    profile.name
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The default plugins as changed for all points at once.
fn merged(custom: &Set) -> Set {
    let mut enabled: Vec<Enabled> = Vec::new();
    let own = |name: &str| custom.enabled.iter().find(|(n, _)| n == name);
    for plugin in PLUGINS.iter().filter(|p| !custom.disables(p.name)) {
        let default = (plugin.name.to_string(), plugin.weight);
        enabled.push(own(plugin.name).cloned().unwrap_or(default));
    }
    for plugin in &custom.enabled {
        if !enabled.contains(plugin) {
            enabled.push(plugin.clone());
        }
    }
    Set { enabled, disabled: custom.disabled.clone() }
}

/// The plugins of one point, in their order: those named for it that take part everywhere, those
/// that take part everywhere, the others named for it.
fn expand(
    own: &Set,
    everywhere: &Set,
    point: Point,
    interface: &str,
) -> Result<Vec<Enabled>, String> {
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in &own.enabled {
        let Some(place) = place_of(name) else {
            return Err(format!("{interface} {name:?} does not exist"));
        };
        if !PLUGINS[place].has(point) {
            return Err(format!("plugin {name:?} does not extend {interface} plugin"));
        }
        if seen.contains(&name.as_str()) {
            return Err(format!("plugin {name:?} already registered as {interface:?}"));
        }
        seen.push(name);
    }
    let (mut overridden, mut others) = (Vec::new(), Vec::new());
    for plugin in &everywhere.enabled {
        let (name, _) = plugin;
        let Some(place) = place_of(name) else {
            return Err(format!("{interface} {name:?} does not exist"));
        };
        if !PLUGINS[place].has(point) || own.disables(name) && !seen.contains(&name.as_str()) {
            continue;
        }
        if seen.contains(&name.as_str()) {
            overridden.push(name.clone());
        } else if others.contains(plugin) {
            return Err(format!("plugin {name:?} already registered as {interface:?}"));
        } else {
            others.push(plugin.clone());
        }
    }
    let first = own.enabled.iter().filter(|(name, _)| overridden.contains(name));
    let last = own.enabled.iter().filter(|(name, _)| !overridden.contains(name));
    Ok(first.cloned().chain(others.clone()).chain(last.cloned()).collect())
}
