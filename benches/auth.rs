//! What each auth mode adds to a stream's opening, and to each page of history. Mode `http` waits for another system, which is not
//! measured here; an answer that it has given before costs what is shown.
//!
//! A token is met for the first time once; later its signature is known to be good. Which of both is measured follows from how many
//! tokens are remembered: one, where two come in turns.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made ends with a panic")]

use std::{hint::black_box, sync::Arc, time::Duration};

use actix_web::{HttpRequest, http::StatusCode, test::TestRequest};
use criterion::Criterion;
use lookout::{
    actors::users::UserList,
    config::{Auth, AuthMode, Config, Secret},
    http::auth::{Credentials, Door},
    store::Users,
};
use tokens::{TokenKey, claims};
use upstream::{Reply, Upstream};

#[path = "../tests/hub/support/tokens.rs"]
#[allow(dead_code, reason = "only good tokens are measured")]
mod tokens;
#[path = "../tests/hub/support/upstream.rs"]
#[allow(dead_code, reason = "it is asked once")]
mod upstream;

const USERS: usize = 10_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("auth");
    let system = actix::System::new();
    let mut measure = |name: &str, config: &Auth, requests: [HttpRequest; 2]| {
        let ids = (0..USERS).map(|number| Arc::from(format!("user-{number}"))).collect();
        let users = Arc::new(UserList::new(Users { version: 1, ids }, Duration::from_secs(60)));
        let (door, tasks) = system.block_on(async { Door::open(config, Some(users)).expect("a door") });
        let mut turn = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                turn ^= 1;
                let credentials = Credentials { request: &requests[turn], access_token: None };
                system.block_on(door.admit(black_box("user-5000"), credentials)).expect("a pass")
            });
        });
        tasks.iter().for_each(|task| task.abort());
    };
    let request = || [(); 2].map(|()| TestRequest::default().to_http_request());
    let defaults = Config::defaults().auth;
    let users = (0..USERS).map(|number| format!("user-{number}")).collect();
    measure("open", &Auth { mode: AuthMode::Open, ..defaults.clone() }, request());
    measure("list", &Auth { users, ..defaults.clone() }, request());
    measure("store", &Auth { mode: AuthMode::Store, ..defaults.clone() }, request());
    let folder = tempfile::tempdir().expect("a folder");
    for key in TokenKey::of_each_kind() {
        let file = folder.path().join(key.algorithm());
        std::fs::write(&file, key.file()).expect("a key file");
        let requests = || {
            [0, 1].map(|number| {
                let mut claims = claims("user-5000");
                claims["jti"] = number.into();
                let bearer = format!("Bearer {}", key.token(&claims));
                TestRequest::default().insert_header(("Authorization", bearer)).to_http_request()
            })
        };
        for (when, cache_size) in [("for the first time", 1), ("again", 2)] {
            let config = Auth { mode: AuthMode::Jwt, jwt_key: Some(file.clone()), cache_size, ..defaults.clone() };
            measure(&format!("jwt, {}, {when}", key.algorithm()), &config, requests());
        }
    }
    let upstream = Upstream::start(|_| Reply::status(StatusCode::OK.as_u16()));
    let url = Some(Secret::new(upstream.url("/")));
    let cache_for = Duration::from_secs(3600);
    measure("http, again", &Auth { mode: AuthMode::Http, url, cache_for, ..defaults }, request());
    group.finish();
    criterion.final_summary();
}
