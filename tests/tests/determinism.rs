//! Same seed, same inputs, same run.

use sandbar_tests::determinism::digest;

#[test]
fn two_runs_are_equal() {
    assert_eq!(digest(), digest());
}
