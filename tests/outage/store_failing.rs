//! MongoDB that is there and fails: full, not the primary, slow, or silent about what it did. By its own fail points.

use mongodb::bson::{Document, doc};

use crate::node::{Node, assert_shown, assert_stays_open, reader};

/// What writes.
const WRITES: &[&str] = &["insert", "update", "findAndModify"];
const COMMIT: &[&str] = &["commitTransaction"];

/// Codes of MongoDB's errors.
const OUT_OF_DISK_SPACE: i32 = 14031;
const NOT_WRITABLE_PRIMARY: i32 = 10107;
const SHUTDOWN_IN_PROGRESS: i32 = 91;

/// While these commands fail like this, webhooks are refused and streams stay; afterwards everything that was posted is kept
/// and shown once, whether or not the failure was only one of the answer.
fn refuses_and_resumes(commands: &[&str], failure: Document) {
    let node = Node::start();
    let mut reader = reader(&node);
    node.keep("before");
    assert_shown(&mut reader, &["before"]);
    node.mongod.fail_commands(commands, failure);
    node.refused("failing");
    node.wait_for_readiness(503);
    node.mongod.heal();
    node.wait_for_readiness(200);
    node.keep("failing");
    node.keep("after");
    assert_shown(&mut reader, &["failing", "after"]);
    assert_stays_open(&mut reader);
    node.assert_kept(&["before", "failing", "after"]);
}

#[test]
fn a_full_disk() {
    refuses_and_resumes(WRITES, doc! { "errorCode": OUT_OF_DISK_SPACE });
}

#[test]
fn a_full_disk_at_the_commit() {
    refuses_and_resumes(COMMIT, doc! { "errorCode": OUT_OF_DISK_SPACE });
}

#[test]
fn writes_to_what_is_no_primary() {
    refuses_and_resumes(WRITES, doc! { "errorCode": NOT_WRITABLE_PRIMARY });
}

#[test]
fn commits_to_what_is_no_primary() {
    refuses_and_resumes(COMMIT, doc! { "errorCode": NOT_WRITABLE_PRIMARY });
}

#[test]
fn commits_whose_connection_is_cut() {
    refuses_and_resumes(COMMIT, doc! { "closeConnection": true });
}

#[test]
fn commits_that_happen_and_are_answered_as_unsure() {
    let unsure = doc! { "code": SHUTDOWN_IN_PROGRESS, "errmsg": "the server is shutting down" };
    refuses_and_resumes(COMMIT, doc! { "writeConcernError": unsure });
}

#[test]
fn commits_slower_than_the_timeout() {
    refuses_and_resumes(COMMIT, doc! { "blockConnection": true, "blockTimeMS": 5000 });
}

#[test]
fn one_failure_of_each_kind_costs_a_retry_at_most() {
    let node = Node::start();
    let mut reader = reader(&node);
    let failures = [
        (WRITES, doc! { "errorCode": NOT_WRITABLE_PRIMARY }),
        (COMMIT, doc! { "errorCode": NOT_WRITABLE_PRIMARY }),
        (WRITES, doc! { "closeConnection": true }),
        (COMMIT, doc! { "closeConnection": true }),
        (&["find", "aggregate"], doc! { "closeConnection": true }),
    ];
    for (round, (commands, mut failure)) in failures.into_iter().enumerate() {
        failure.insert("failCommands", commands);
        node.mongod.fail("failCommand", doc! { "times": 1 }, failure);
        let marker = round.to_string();
        node.keep(&marker);
        assert_shown(&mut reader, &[&marker]);
        node.mongod.heal();
    }
    node.assert_kept(&["0", "1", "2", "3", "4"]);
}
