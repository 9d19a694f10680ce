//! The definitions in `crds/`: fresh, accepted without a warning, and readable for users.

use super::harness::cluster;

#[tokio::test]
async fn definitions_are_accepted_without_a_warning() {
    let applied = cluster().await.crds_applied().clone();
    assert_eq!(applied.stderr, "");
    assert_eq!(applied.ok().lines().count(), 2);
}
