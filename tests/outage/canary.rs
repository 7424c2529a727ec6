//! A store that stands still is named by readiness.

use std::time::{Duration, Instant};

use crate::{
    node::{settings, start},
    servers::Mongod,
    support::wait_for,
};

const INTERVAL: Duration = Duration::from_secs(2);

#[test]
fn a_frozen_mongodb_is_named_within_two_intervals_and_forgotten_when_it_is_back() {
    let mut mongod = Mongod::start();
    let mut settings = settings(&mongod);
    settings.push(("ADMIN__CANARY_INTERVAL", "2s".into()));
    let server = start(&settings);
    for _ in 0..2 {
        wait_for("a canary to come through", || (server.metric("lookout_canary_age_seconds") < 1.0).then_some(()));
        mongod.freeze();
        let frozen = Instant::now();
        wait_for("the store to be named", || {
            let answer = server.admin("/readyz");
            let reasons = answer.json()["reasons"].to_string();
            assert!(!reasons.contains("_stuck") || reasons.contains("store_stuck"), "{reasons}");
            (answer.status() == 503 && reasons.contains("store_stuck")).then_some(())
        });
        assert!(frozen.elapsed() < 2 * INTERVAL + Duration::from_millis(500), "{:?}", frozen.elapsed());
        assert_eq!(server.admin("/healthz").status(), 200);
        mongod.thaw();
        wait_for("readiness", || (server.admin("/readyz").status() == 200).then_some(()));
    }
}
