//! Configurations and what is wrong with them.

use super::*;
use crate::scheduler::plugins::PLUGINS;

fn of(body: &str) -> Result<Config, String> {
    let head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
    read(&format!("{head}{body}"))
}

fn names(places: &[usize]) -> Vec<&'static str> {
    places.iter().map(|place| PLUGINS[*place].name).collect()
}

#[test]
fn without_a_word_it_is_the_default() {
    let config = of("").unwrap();
    let default = Profile::default();
    assert_eq!(config.profiles.len(), 1);
    assert_eq!(
        (&config.profiles[0].name, &config.profiles[0].filters),
        (&default.name, &default.filters)
    );
    assert_eq!(config.leader_election, LeaderElection::default());
    let alone = of("profiles: [{}]").unwrap();
    assert_eq!(&*alone.profiles[0].name, DEFAULT);
    assert_eq!(
        alone.profiles[0].scores,
        default.scores.iter().map(|(p, w)| (*p, (*w).max(1))).collect::<Vec<_>>()
    );
}

#[test]
fn plugins_are_switched_off_and_weighed() {
    let config = of("
profiles:
- schedulerName: packed
  plugins:
    score:
      disabled: [{name: NodeResourcesBalancedAllocation}, {name: ImageLocality}]
      enabled: [{name: NodeResourcesFit, weight: 7}]
    multiPoint: {disabled: [{name: NodeName}]}
- schedulerName: bare
  plugins:
    preScore: {disabled: [{name: '*'}]}
    score: {disabled: [{name: '*'}]}
    postFilter: {disabled: [{name: DefaultPreemption}]}
")
    .unwrap();
    let [packed, bare] = config.profiles.as_slice() else { panic!("two profiles") };
    let weight = |name: &str| {
        let place = place_of(name).unwrap();
        packed.scores.iter().find(|(p, _)| *p == place).map(|(_, weight)| *weight)
    };
    assert_eq!(weight("NodeResourcesFit"), Some(7));
    assert_eq!(weight("TaintToleration"), Some(3));
    assert_eq!((weight("ImageLocality"), weight("NodeResourcesBalancedAllocation")), (None, None));
    assert_eq!(names(&packed.filters)[..2], ["NodeUnschedulable", "TaintToleration"]);
    assert!(bare.scores.is_empty());
    assert_eq!(names(&bare.post_filters), ["DynamicResources"]);
    assert!(names(&bare.filters).contains(&"NodeName"));
}

#[test]
fn what_is_wrong_is_said_as_upstream_says_it() {
    for (body, want) in [
        ("colour: red", "strict decoding error: unknown field \"colour\""),
        (
            "profiles: [{plugins: {filters: {}}}]",
            "strict decoding error: unknown field \"profiles[0].plugins.filters\"",
        ),
        (
            "percentageOfNodesToScore: 101",
            "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
        ),
        (
            "podInitialBackoffSeconds: 0\npodMaxBackoffSeconds: -1",
            "[podInitialBackoffSeconds: Invalid value: 0: must be greater than 0, \
             podMaxBackoffSeconds: Invalid value: -1: must be greater than or equal to \
             PodInitialBackoffSeconds]",
        ),
        (
            "profiles: [{schedulerName: a}, {schedulerName: a}]",
            "profiles[1].schedulerName: Duplicate value: \"a\"",
        ),
        ("profiles: [{schedulerName: a}, {}]", "profiles[1].schedulerName: Required value"),
        (
            "profiles: [{schedulerName: a, plugins: {filter: {enabled: [{name: Nope}]}}}]",
            "initializing profiles: creating profile for scheduler name a: FilterPlugin \"Nope\" \
             does not exist",
        ),
        (
            "profiles: [{schedulerName: a, plugins: {score: {enabled: [{name: NodeName}]}}}]",
            "initializing profiles: creating profile for scheduler name a: plugin \"NodeName\" \
             does not extend ScorePlugin plugin",
        ),
        (
            "profiles: [{schedulerName: a, plugins: {bind: {disabled: [{name: DefaultBinder}]}}}]",
            "initializing profiles: creating profile for scheduler name a: at least one bind \
             plugin is needed for profile with scheduler name \"a\"",
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: Best}}}]}]",
            "profiles[0].pluginConfig[0].args.scoringStrategy.type: Unsupported value: \"Best\": \
             supported values: \"LeastAllocated\", \"MostAllocated\", \"RequestedToCapacityRatio\"",
        ),
        (
            "profiles: [{pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 200}}]}]",
            "profiles[0].pluginConfig[0].args.hardPodAffinityWeight: Invalid value: 200: not in \
             valid range [0-100]",
        ),
        (
            "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultConstraints: \
             [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]}}]}]",
            "profiles[0].pluginConfig[0].args.defaultingType: Invalid value: \"System\": when \
             .defaultConstraints are not empty",
        ),
        ("extenders: [{urlPrefix: x}]", "extenders are not simulated"),
    ] {
        assert_eq!(of(body).map(|_| ()), Err(want.to_string()), "{body}");
    }
    assert_eq!(
        read("kind: KubeSchedulerConfiguration\napiVersion: kubescheduler.config.k8s.io/v1beta3")
            .map(|_| ()),
        Err("no kind \"KubeSchedulerConfiguration\" is registered for version \
             \"kubescheduler.config.k8s.io/v1beta3\" in scheme \
             \"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme/scheme.go:30\""
            .to_string())
    );
}
