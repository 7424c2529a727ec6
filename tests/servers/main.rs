//! The servers of the tests do what the tests rely on: they keep what they acknowledged, fail when told to, and come back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "mod.rs"]
mod servers;

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use mongodb::{
    Client, Collection,
    bson::{Document, doc},
    error::ErrorKind,
    options::{ClientOptions, WriteConcern},
};
use nix::sys::signal::Signal;
use servers::{Mongod, Nginx, Process, Redis, free_port};

async fn collection(mongod: &Mongod) -> Collection<Document> {
    let mut options = ClientOptions::parse(mongod.uri()).await.unwrap();
    options.server_selection_timeout = Some(Duration::from_secs(1));
    options.write_concern = Some(WriteConcern::majority());
    Client::with_options(options).unwrap().database("test").collection("kept")
}

#[tokio::test]
async fn mongod_keeps_a_majority_write_through_kill_9() {
    let mut mongod = Mongod::start();
    for life in 0..3_i32 {
        collection(&mongod).await.insert_one(doc! { "life": life }).await.unwrap();
        mongod.kill9();
        collection(&mongod).await.insert_one(doc! { "life": "none" }).await.unwrap_err();
        mongod.restart();
        assert_eq!(collection(&mongod).await.count_documents(doc! {}).await.unwrap(), u64::try_from(life + 1).unwrap());
    }
}

#[tokio::test]
async fn mongod_runs_transactions_and_ends_in_order() {
    let mut mongod = Mongod::start();
    let kept = collection(&mongod).await;
    let mut session = kept.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    kept.insert_one(doc! {}).session(&mut session).await.unwrap();
    assert_eq!(kept.count_documents(doc! {}).await.unwrap(), 0);
    session.commit_transaction().await.unwrap();
    mongod.stop();
    let alone = Mongod::start_alone();
    assert!(!alone.command(doc! { "hello": 1 }).contains_key("setName"));
    mongod.restart();
    assert_eq!(collection(&mongod).await.count_documents(doc! {}).await.unwrap(), 1);
}

#[tokio::test]
async fn mongod_fails_as_told_and_heals() {
    let mongod = Mongod::start();
    let kept = collection(&mongod).await;
    mongod.fail_commands(&["insert"], doc! { "errorCode": 14031 });
    let error = kept.insert_one(doc! {}).await.unwrap_err();
    assert!(matches!(&*error.kind, ErrorKind::Command(command) if command.code == 14031), "{error}");
    mongod.heal();
    kept.insert_one(doc! {}).await.unwrap();
}

#[tokio::test]
async fn a_frozen_mongod_answers_nobody_until_it_thaws() {
    let mut mongod = Mongod::start();
    let kept = collection(&mongod).await;
    kept.insert_one(doc! { "n": 1 }).await.unwrap();
    mongod.freeze();
    let insert = tokio::spawn({
        let kept = kept.clone();
        async move { kept.insert_one(doc! { "n": 2 }).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!insert.is_finished());
    mongod.thaw();
    insert.await.unwrap().unwrap();
    assert_eq!(kept.count_documents(doc! {}).await.unwrap(), 2);
}

#[test]
fn redis_keeps_its_data_over_a_restart_or_loses_it_when_asked_to() {
    let mut redis = Redis::start();
    assert!(redis.url().starts_with("redis://127.0.0.1:"));
    assert_eq!(redis.ask("SET kept yes"), "+OK");
    redis.kill9();
    redis.restart();
    assert_eq!(redis.ask("STRLEN kept"), ":3");
    redis.stop();
    redis.restart_empty();
    assert_eq!(redis.ask("STRLEN kept"), ":0");
    redis.freeze();
    redis.thaw();
    assert_eq!(redis.ask("PING"), "+PONG");
}

#[test]
fn nginx_serves_what_it_is_given_and_ends_with_its_workers() {
    let nowhere = free_port();
    let mut nginx = Nginx::start(|port| {
        format!(
            "server {{ listen 127.0.0.1:{port}; location / {{ return 204; }}\n\
             location /gone {{ proxy_pass http://127.0.0.1:{nowhere}; }} }}"
        )
    });
    let status = |address, path: &str| {
        let mut socket = TcpStream::connect(address)?;
        socket.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer.split(' ').nth(1).unwrap().to_owned())
    };
    assert_eq!(status(nginx.address(), "/").unwrap(), "204");
    assert_eq!(status(nginx.address(), "/gone").unwrap(), "502");
    assert!(nginx.error_log().contains("Connection refused"), "{}", nginx.error_log());
    nginx.stop();
    let start = Instant::now();
    while status(nginx.address(), "/").is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5), "a worker lives on");
    }
    nginx.restart();
    assert_eq!(status(nginx.address(), "/").unwrap(), "204");
}

#[test]
fn a_process_that_ends_by_itself_is_noticed_and_its_words_are_kept() {
    let mut process = Process::new("sh", Signal::SIGKILL);
    for life in ["one", "two"] {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo {life}")]);
        process.start(command);
        let start = Instant::now();
        while !process.has_ended() {
            assert!(start.elapsed() < Duration::from_secs(10), "it does not end");
        }
        assert!(!process.runs());
    }
    assert_eq!(process.log(), "one\ntwo\n");
}
