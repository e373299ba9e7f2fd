//! How fast replicas may follow what metrics ask for: stabilisation windows, policies, limits.
//!
//! Models `normalizeDesiredReplicas`, `normalizeDesiredReplicasWithBehaviors` and
//! `convertDesiredReplicasWithBehaviorRate` of `pkg/controller/podautoscaler/horizontal.go`.

use std::time::Duration;

use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerBehavior};

use crate::sim::Time;

/// Where nothing is said (`--horizontal-pod-autoscaler-downscale-stabilization`).
pub const WINDOW: Duration = Duration::from_secs(300);

/// What is remembered of one autoscaler.
#[derive(Default)]
pub struct History {
    /// What metrics asked for, and when.
    recommended: Vec<(Time, i32)>,
    /// By how much replicas were changed, and when; negative: down.
    changes: Vec<(Time, i32)>,
}

/// A condition's reason and message.
pub type Why = (&'static str, &'static str);

/// What came out, and why it is not (or is) what was asked for.
pub struct Limited {
    /// Replicas.
    pub replicas: i32,
    /// For the condition `AbleToScale`.
    pub able: Why,
    /// For the condition `ScalingLimited`: whether it is, and why.
    pub limited: (bool, Why),
}

const WITHIN: Why = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FEW: Why =
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const TOO_MANY: Why =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const UP_LIMIT: Why =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const DOWN_LIMIT: Why = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);
const READY: Why = ("ReadyForNewScale", "recommended size matches current size");
const DOWN_STABILIZED: Why = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent \
     recommendation",
);
const UP_STABILIZED: Why = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent \
     recommendation",
);

impl History {
    /// The first recommendation is what is there.
    pub fn begin(&mut self, now: Time, current: i32) {
        if self.recommended.is_empty() {
            self.recommended.push((now, current));
        }
    }

    /// Replicas were changed.
    pub fn changed(&mut self, now: Time, from: i32, to: i32) {
        const LONGEST: Duration = Duration::from_secs(3600);
        self.changes.retain(|(at, _)| now.since(*at) < LONGEST);
        self.changes.push((now, to - from));
    }

    fn added(&self, now: Time, period: i32) -> i32 {
        let period = Duration::from_secs(period.unsigned_abs().into());
        let recent = self.changes.iter().filter(|(at, _)| now.since(*at) < period);
        recent.map(|(_, by)| by).sum()
    }

    /// What may be done of what is asked for, where nothing is said about behaviour.
    pub fn limit(
        &mut self,
        now: Time,
        (current, desired): (i32, i32),
        range: (i32, i32),
    ) -> Limited {
        self.recommended.retain(|(at, _)| now.since(*at) < WINDOW);
        let most = self.recommended.iter().map(|(_, n)| *n).max().unwrap_or(desired);
        let stable = most.max(desired);
        self.recommended.push((now, desired));
        let able = if stable == desired { READY } else { DOWN_STABILIZED };
        let limit = (current * 2).max(4);
        let (top, why) = if range.1 > limit { (limit, UP_LIMIT) } else { (range.1, TOO_MANY) };
        let (replicas, limited) = match stable {
            n if n < range.0 => (range.0, (true, TOO_FEW)),
            n if n > top => (top, (true, why)),
            n => (n, (false, WITHIN)),
        };
        Limited { replicas, able, limited }
    }

    /// The same, as an autoscaler's behaviour says.
    pub fn limit_by(
        &mut self,
        now: Time,
        behavior: &HorizontalPodAutoscalerBehavior,
        (current, desired): (i32, i32),
        range: (i32, i32),
    ) -> Limited {
        let window = |rules: Option<&HPAScalingRules>, or: Duration| {
            let seconds = rules.and_then(|r| r.stabilization_window_seconds);
            seconds.map_or(or, |s| Duration::from_secs(s.max(0).unsigned_abs().into()))
        };
        let (ups, downs) = (behavior.scale_up.as_ref(), behavior.scale_down.as_ref());
        let (up, down) = (window(ups, Duration::ZERO), window(downs, WINDOW));
        let within = |window: Duration| {
            let recent = self.recommended.iter().filter(move |(at, _)| now.since(*at) < window);
            recent.map(|(_, n)| *n)
        };
        let least = within(up).chain([desired]).min().unwrap_or(desired);
        let most = within(down).chain([desired]).max().unwrap_or(desired);
        let stable = if current < least { least } else { current.min(most) };
        let able = match (stable == desired, desired >= current) {
            (true, _) => READY,
            (false, true) => UP_STABILIZED,
            (false, false) => DOWN_STABILIZED,
        };
        self.recommended.retain(|(at, _)| now.since(*at) < up.max(down));
        self.recommended.push((now, desired));
        let (replicas, limited) = if stable > current {
            let limit = ups.map_or(i32::MAX, |r| self.furthest(now, current, r, true)).max(current);
            let (top, why) = if range.1 > limit { (limit, UP_LIMIT) } else { (range.1, TOO_MANY) };
            if stable > top { (top, (true, why)) } else { (stable, (false, WITHIN)) }
        } else if stable < current {
            let limit =
                downs.map_or(i32::MIN, |r| self.furthest(now, current, r, false)).min(current);
            let (low, why) = if range.0 < limit { (limit, DOWN_LIMIT) } else { (range.0, TOO_FEW) };
            if stable < low { (low, (true, why)) } else { (stable, (false, WITHIN)) }
        } else {
            (stable, (false, WITHIN))
        };
        Limited { replicas, able, limited }
    }

    /// How far policies let go in their direction. Of several the one that goes furthest counts,
    /// unless the rules say `Min`.
    fn furthest(&self, now: Time, current: i32, rules: &HPAScalingRules, up: bool) -> i32 {
        let select = rules.select_policy.as_deref();
        if select == Some("Disabled") {
            return current;
        }
        let proposals = rules.policies.iter().flatten().map(|p| {
            let start = current - self.added(now, p.period_seconds);
            let share = f64::from(p.value) / 100.0;
            match (p.type_.as_str(), up) {
                ("Pods", true) => start.saturating_add(p.value),
                ("Pods", false) => start.saturating_sub(p.value),
                (_, true) => (f64::from(start) * (1.0 + share)).ceil() as i32,
                (_, false) => (f64::from(start) * (1.0 - share)) as i32,
            }
        });
        let highest = up == (select != Some("Min"));
        let found = if highest { proposals.max() } else { proposals.min() };
        found.unwrap_or(current)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::autoscaling::v2::HPAScalingPolicy;

    use super::*;

    #[test]
    fn going_down_waits_five_minutes_and_going_up_doubles() {
        let mut history = History::default();
        let at = |seconds: u64| Time::from_secs(1000 + seconds);
        assert_eq!(history.limit(at(0), (1, 9), (1, 10)).replicas, 4);
        assert_eq!(history.limit(at(15), (4, 9), (1, 10)).replicas, 8);
        let waiting = history.limit(at(60), (8, 1), (1, 10));
        assert_eq!((waiting.replicas, waiting.able.0), (9, "ScaleDownStabilized"));
        assert_eq!(history.limit(at(316), (8, 1), (1, 10)).replicas, 1);
    }

    #[test]
    fn policies_say_how_fast() {
        let policy =
            |kind: &str, value| HPAScalingPolicy { type_: kind.into(), value, period_seconds: 60 };
        let rules = |policies, select: &str| HPAScalingRules {
            policies: Some(policies),
            select_policy: Some(select.into()),
            stabilization_window_seconds: Some(0),
            tolerance: None,
        };
        let behavior = HorizontalPodAutoscalerBehavior {
            scale_up: Some(rules(vec![policy("Pods", 1), policy("Percent", 100)], "Min")),
            scale_down: Some(rules(vec![policy("Percent", 50)], "Max")),
        };
        let mut history = History::default();
        let now = Time::from_secs(1000);
        let up = history.limit_by(now, &behavior, (3, 9), (1, 10));
        assert_eq!((up.replicas, up.limited.1.0), (4, "ScaleUpLimit"));
        history.changed(now, 3, 4);
        let again = history.limit_by(now + Duration::from_secs(15), &behavior, (4, 9), (1, 10));
        assert_eq!(again.replicas, 4, "one in a minute");
        let later = now + Duration::from_secs(100);
        let down = history.limit_by(later, &behavior, (8, 1), (1, 10));
        assert_eq!((down.replicas, down.limited.1.0), (4, "ScaleDownLimit"));
    }
}
