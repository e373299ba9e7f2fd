//! Sets of completion indexes, as statuses write them: `0,2-4`.
//!
//! Models `pkg/controller/job/indexed_job_utils.go`.

use k8s_openapi::api::core::v1::Pod;

use crate::api::meta::annotation;

/// The annotation (and label) of a pod that holds its index.
pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Intervals, in order, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexes(Vec<(i32, i32)>);

impl Indexes {
    /// From a status; what is no index below `limit` is left out.
    pub fn parse(text: &str, limit: i32) -> Self {
        let mut set = Indexes::default();
        for part in text.split(',').filter(|p| !p.is_empty()) {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let (Ok(low), Ok(high)) = (low.parse::<i32>(), high.parse::<i32>()) else { continue };
            let high = high.min(limit - 1);
            if low >= 0 && low <= high {
                set.0.push((low, high));
            }
        }
        set.tidy();
        set
    }

    fn tidy(&mut self) {
        self.0.sort_unstable();
        let mut tidy: Vec<(i32, i32)> = Vec::with_capacity(self.0.len());
        for (low, high) in self.0.drain(..) {
            match tidy.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => tidy.push((low, high)),
            }
        }
        self.0 = tidy;
    }

    /// Adds some.
    pub fn extend(&mut self, indexes: impl IntoIterator<Item = i32>) {
        self.0.extend(indexes.into_iter().map(|i| (i, i)));
        self.tidy();
    }

    /// Whether an index is among them.
    pub fn has(&self, index: i32) -> bool {
        let place = self.0.partition_point(|(_, high)| *high < index);
        self.0.get(place).is_some_and(|(low, _)| *low <= index)
    }

    /// How many there are.
    pub fn count(&self) -> i32 {
        self.0.iter().map(|(low, high)| high - low + 1).sum()
    }

    /// The intervals, lowest first.
    pub fn intervals(&self) -> impl Iterator<Item = (i32, i32)> + '_ {
        self.0.iter().copied()
    }

    /// How many are in an interval.
    pub fn count_in(&self, low: i32, high: i32) -> i32 {
        let overlap = |(l, h): &(i32, i32)| ((*h).min(high) - (*l).max(low) + 1).max(0);
        self.0.iter().map(overlap).sum()
    }
}

impl std::fmt::Display for Indexes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (low, high)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match high - low {
                0 => write!(f, "{comma}{low}")?,
                1 => write!(f, "{comma}{low},{high}")?,
                _ => write!(f, "{comma}{low}-{high}")?,
            }
        }
        Ok(())
    }
}

/// A pod's index, if it has one below `completions`.
pub fn of(pod: &Pod, completions: i32) -> Option<i32> {
    let index: i32 = annotation(&pod.metadata, INDEX)?.parse().ok()?;
    (0..completions).contains(&index).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_as_intervals() {
        for (add, want) in [
            (vec![], "1-3"),
            (vec![0, 4, 9], "0-4,9"),
            (vec![5, 6], "1-3,5,6"),
            (vec![5, 6, 7, 5], "1-3,5-7"),
        ] {
            let mut set = Indexes::parse("1-3,12", 10);
            set.extend(add);
            assert_eq!(set.to_string(), want);
        }
        let set = Indexes::parse("0,2-4", 10);
        assert_eq!((set.count(), set.count_in(3, 8)), (4, 2));
        assert!(set.has(3) && !set.has(1) && !set.has(5));
    }
}
