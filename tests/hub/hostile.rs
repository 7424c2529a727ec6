//! Bodies and requests that want to become markup, script or SSE fields. The reader itself refuses every foreign field.

use std::cell::{Cell, RefCell};

use lookout::config::AuthMode;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Hub, Setup, USER, assert_inert, event, has_markup, payload};

#[test]
fn hostile_strings_are_inert_and_innocent_ones_unchanged() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let body = payload("15-");
    let sent: Vec<Value> = serde_json::from_slice(&body).unwrap();
    let answer = hub.post_bytes(&body, &[]).assert_success();
    let messages = reader.notifications(sent.len());
    for (index, sent) in sent.iter().enumerate() {
        let id = &answer["results"][index]["notification_id"];
        let message = messages.iter().find(|message| message.json["notification_id"] == *id).expect("streamed");
        assert_inert(&message.json);
        let name = sent["notification"]["event"]["vessel_information"]["name"].as_str().unwrap();
        if !has_markup(name) {
            assert_eq!(message.json["data"]["vessel"]["name"], name);
        }
    }
    let page = hub.history("");
    assert_eq!(page["count"], sent.len());
    assert_inert(&page);
}

#[test]
fn markup_in_a_dozen_scripts_is_inert_and_text_in_them_unchanged() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    for name in [
        "NORDLYS",
        "Γλάρος",
        "Чайка",
        "Նավակ",
        "თოლია",
        "שחף ים",
        "نورس البحر",
        "समुद्री चिड़िया",
        "นกนางนวล",
        "갈매기",
        "かもめ",
        "海鸥号",
    ] {
        let innocent = format!("{name} & {name} < {name} ≤ {name}");
        let mut sent = event(&format!("{name}<b>|false"), name);
        sent["vessel"]["name"] = innocent.clone().into();
        sent["remark"] = format!("{name}<img src=x onerror=alert(1)>{name}<script>{name}</script>").into();
        sent[format!("<svg onload=alert(1)>{name}")] = 1.into();
        hub.post_kept(sent);
        let json = reader.notification().json;
        assert_inert(&json);
        assert_eq!(json["data"]["vessel"]["name"], innocent);
        assert!(json["data"]["remark"].as_str().unwrap().starts_with(name), "{json}");
    }
}

#[test]
fn hostile_keys_owners_and_links_are_inert() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    let mut hostile = event("<img src=x onerror=alert(1)>|false", "a");
    hostile["<script>alert(1)</script>key"] = 1.into();
    hostile["<b>screening_results</b>"] = "clean".into();
    hostile["links"] = json!({
        "url": "java\tscript:alert(1)", "icon_url": " JavaScript:alert(1)", "href": "data:text/html,x",
        "link": "https://lookout.example/a?b=c&d", "homeUrl": "/relative", "note": "javascript:alert(1)",
    });
    hub.post_kept(hostile);
    let json = reader.notification().json;
    assert_inert(&json);
    let links = json!({
        "url": null, "icon_url": null, "href": null,
        "link": "https://lookout.example/a?b=c&d", "homeUrl": "/relative", "note": "javascript:alert(1)",
    });
    assert_eq!(json["data"]["links"], links);
    assert_eq!(json["data"]["screening_results"], Value::Null);
}

#[test]
fn hostile_requests_add_nothing_to_the_stream() {
    let hub = Setup::new().with(|config| config.auth.mode = AuthMode::Open).start();
    let reader = hub.reader("%3Cimg%20src=x%20onerror=alert(1)%3E");
    assert_inert(&reader.established);
    let reader = hub.reader("a%0D%0Aid:%200%0A%0Adata:%20%7B%7D");
    assert_eq!(reader.established["user_id"], "a\r\nid: 0\n\ndata: {}");
    let mut reader = hub.stream("a").query("last_event_id=%0Aevent:%20fake%0A%0A").connect();
    assert_eq!(reader.expect("replay_gap").json["reason"], "unknown_id");
    hub.stream("a%00b").query("scope=%3Cscript%3E").refused();
}

#[test]
fn any_text_is_inert_adds_no_field_and_is_unchanged_without_markup() {
    let hub = Hub::start();
    let reader = RefCell::new(hub.reader(USER));
    let spice =
        prop::sample::select(vec!['<', '>', '/', '!', '&', ';', '"', '\'', ':', '\r', '\n', '\0', '\u{85}', '\u{2028}', 'a']);
    let text = prop::collection::vec(prop_oneof![any::<char>(), spice], 0..40).prop_map(String::from_iter);
    let count = Cell::new(0);
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(text in text)| {
        count.set(count.get() + 1);
        let mut sent = event("test_user|false", &count.get().to_string());
        sent["remark"] = text.clone().into();
        hub.post_kept(sent);
        let json = reader.borrow_mut().notification().json;
        assert_inert(&json);
        if !has_markup(&text) {
            prop_assert_eq!(&json["data"]["remark"], &text);
        }
    });
}
