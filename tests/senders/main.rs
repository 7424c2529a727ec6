//! Requests that the public SDKs have signed: those of Standard Webhooks and of Svix, in Python and in JavaScript.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[expect(dead_code, unused_imports, reason = "the stories of the other target use the rest")]
#[path = "../hub/support/mod.rs"]
mod support;

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use lookout::config::SignatureScheme::StandardWebhooks;
use support::{
    Answer, Hub, Setup, event,
    sign::{WHSEC, borrowed},
};

/// Each interpreter with its script, and each SDK with the prefix of its headers.
const INTERPRETERS: [(&str, &str); 2] = [("python3", "sign.py"), ("node", "sign.mjs")];
const SDKS: [(&str, &str); 2] = [("standardwebhooks", "webhook"), ("svix", "svix")];

/// What an SDK makes of a body, at this second since 1970.
fn sign(interpreter: (&str, &str), sdk: &str, secret: &str, id: &str, at: i64, body: &[u8]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join(".test-tools/senders");
    assert!(folder.exists(), "{} is not there; tests/run installs it", folder.display());
    let (program, script) = interpreter;
    let mut command = Command::new(program);
    command.arg(root.join("tests/senders").join(script)).arg(&folder).args([sdk, secret, id, &at.to_string()]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the interpreter starts");
    process.stdin.take().unwrap().write_all(body).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {sdk}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn post(hub: &Hub, prefix: &str, id: &str, at: i64, signature: String, body: &[u8]) -> Answer {
    let header = |name, value| (format!("{prefix}-{name}"), value);
    let headers = [header("id", id.to_owned()), header("timestamp", at.to_string()), header("signature", signature)];
    hub.post_bytes(body, &borrowed(&headers))
}

#[test]
fn what_the_sdks_sign_is_taken_and_what_they_sign_with_another_secret_is_not() {
    let hub = Setup::new().signed_by(StandardWebhooks, &[WHSEC]).start();
    let (now, other) = (chrono::Utc::now().timestamp(), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let mut count = 0;
    for interpreter in INTERPRETERS {
        for (sdk, prefix) in SDKS {
            let id = format!("msg_{}_{sdk}", interpreter.0);
            let mut event = event("test_user|false", &id);
            event["remark"] = "\u{e9}\u{4e2d}\u{1f6a2} & <".into();
            let body = event.to_string().into_bytes();
            let post =
                |secret: &str, at, sent: &[u8]| post(&hub, prefix, &id, at, sign(interpreter, sdk, secret, &id, at, &body), sent);
            post(other, now, &body).assert_error(401);
            post(WHSEC, now - 3_600, &body).assert_error(401);
            post(WHSEC, now, &[&body[..], b" "].concat()).assert_error(401);
            assert_eq!(hub.history("")["count"], count, "{id}");
            assert_eq!(post(WHSEC, now, &body).assert_success()["duplicate"], false, "{id}");
            // A sender that tries again signs again, at another time.
            assert_eq!(post(WHSEC, now + 1, &body).assert_success()["duplicate"], true, "{id}");
            count += 1;
        }
    }
    assert_eq!(hub.history("")["count"], count);
}
