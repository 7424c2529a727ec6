//! Stories about the rows: what strangers send stays text, and no row says more than is known.

use serde_json::{Value, json};

use crate::{
    chromium::{Kind, Page, browse},
    server::Server,
};

const PAGE: &str = "/sse_test_client.html";
const IMAGE: &str = "<img src=x onerror=\"window.ran = 1\">";
const SCRIPT: &str = "<script>window.ran = 1</script>";

fn notification(id: u32, results: Value) -> Value {
    json!({
        "type": "zone_port_notification", "notification_id": format!("{id:024x}"), "timestamp": "2026-11-23T11:15:00.000Z",
        "user_id": "test_user",
        "data": {
            "vessel": {"name": "GREY PETREL"}, "event": {"type": "zone_entry"}, "screening_results": results,
            "received_at": "2026-11-23T11:15:00.000Z", "auto_screen": true,
            "normalised": {"imo": null, "mmsi": null, "call_sign": null, "event_time": null, "latitude": null, "longitude": null},
        },
    })
}

fn results(severity: &str, hits: Value) -> Value {
    json!({"status": "done", "reason": null, "overall_severity": severity, "ship_sanctions": severity, "hits": hits})
}

fn update(id: u32, results: Value) -> Value {
    json!({"type": "screening_update", "notification_id": format!("{id:024x}"), "timestamp": "2026-11-23T11:16:00.000Z",
           "user_id": "test_user", "data": {"screening_results": results}})
}

/// One invented vessel in each of a dozen scripts.
const NAMES: [&str; 12] = [
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
];

/// Nothing ran, and the list holds no element that the page itself does not make.
async fn assert_inert(page: &Page) {
    page.value("document.querySelectorAll('details').forEach((details) => (details.open = true))").await;
    assert_eq!(page.value("document.querySelectorAll('#list :is(img, script, svg, iframe, i)').length").await, json!(0));
    assert_eq!(page.value("window.ran === undefined").await, json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_webhook_becomes_text_and_runs_nothing() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        page.click("connect").await;
        page.until_state("connected").await;
        let id = server
            .post_webhook(json!({
                "custom_reference": format!("{IMAGE}|true"),
                "vessel": {"imo": "1234567", "name": format!("{IMAGE}PETREL & SONS {SCRIPT}"), "flag": "<i>Liberia</i>"},
                "event": {"type": "zone_entry", "zone_name": format!("{SCRIPT}Shelf")},
                IMAGE: SCRIPT,
                "x < y": "stays",
            }))
            .await;
        let row = page.row(&id).await;
        assert!(row.contains("PETREL"), "{row}");
        assert_inert(page).await;
        let opened = page.row(&id).await;
        assert!(opened.contains("\"x < y\": \"stays\""), "{opened}");
        let complaints = page.complaints().await;
        assert!(complaints.is_empty(), "{complaints:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_a_dozen_scripts_and_the_hostile_payloads_become_text_and_run_nothing() {
    let server = Server::start().await;
    let mut batch: Value = serde_json::from_str(include_str!("../payloads/15-markup-and-injection-batch.json")).unwrap();
    batch.as_array_mut().unwrap().extend(NAMES.map(|name| {
        let hostile = format!("{name} {IMAGE}{SCRIPT}<svg/onload=window.ran=1>\u{202e}{name}");
        json!({"custom_reference": "test_user|false", "vessel": {"name": hostile}, "event": {"type": "zone_entry", "id": name}, &hostile: 1})
    }));
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        page.click("connect").await;
        page.until_state("connected").await;
        let answer = server.post(&batch).await;
        for result in answer["results"].as_array().unwrap() {
            page.row(result["notification_id"].as_str().unwrap()).await;
        }
        assert_eq!(page.rows().await, batch.as_array().unwrap().len() as u64);
        assert_inert(page).await;
        let list = page.text("list").await;
        for name in NAMES {
            assert!(list.contains(name), "{name}");
        }
        let complaints = page.complaints().await;
        assert!(complaints.is_empty(), "{complaints:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_trusts_no_server_with_markup() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        let hit = json!({"list": IMAGE, "entity_id": "1", "name": SCRIPT, "matched_on": IMAGE, "score": 1, "topics": [SCRIPT],
                         "programs": [IMAGE], "url": "javascript:window.ran=1"});
        let mut message = notification(1, results(IMAGE, json!([hit])));
        message["data"]["vessel"] = json!({"name": IMAGE, "imo": SCRIPT, "flag": {IMAGE: SCRIPT}});
        message["data"]["event"] = json!({"type": SCRIPT, "provider_type": IMAGE, "zone_name": IMAGE});
        message["user_id"] = json!(IMAGE);
        message["data"]["received_at"] = json!(SCRIPT);
        page.receive(&message).await;
        page.receive(&json!({"type": SCRIPT})).await;
        page.receive(&json!({"type": "replay_gap", "reason": IMAGE, "oldest": SCRIPT})).await;
        page.receive(&json!({"type": "caught_up", "replayed": IMAGE})).await;

        let row = page.row(&format!("{:024x}", 1)).await;
        assert!(row.contains(IMAGE) && row.contains(SCRIPT), "{row}");
        assert_inert(page).await;
        assert_eq!(page.value("document.querySelectorAll('#list a').length").await, json!(0));
        assert_eq!(page.value("document.querySelectorAll('img, body script').length").await, json!(0));
        let complaints = page.complaints().await;
        assert!(complaints.is_empty(), "{complaints:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_severity_is_told_in_words_and_in_a_tone_of_its_own() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        let severities = ["OK", "UNKNOWN", "WARNING", "CRITICAL", "PENDING"];
        for (id, severity) in (1..).zip(severities) {
            page.receive(&notification(id, results(severity, json!([])))).await;
        }
        page.receive(&notification(6, Value::Null)).await;
        page.receive(&notification(7, results("SOMETHING NEW", json!([])))).await;
        page.receive(&notification(8, json!({}))).await;
        let shown = page
            .value(
                "[...document.querySelectorAll('#list > li')].map((row) => \
                 [row.dataset.severity, row.querySelector('.severity').textContent]).reverse()",
            )
            .await;
        let expected = json!([
            ["ok", "OK"],
            ["unknown", "UNKNOWN"],
            ["warning", "WARNING"],
            ["critical", "CRITICAL"],
            ["pending", "PENDING"],
            ["none", "NOT SCREENED"],
            ["unknown", "SOMETHING NEW"],
            ["unknown", "UNKNOWN"],
        ]);
        assert_eq!(shown, expected);
        let tones = "new Set([...document.querySelectorAll('#list > li')].slice(2).map((row) => { \
                     const look = getComputedStyle(row.querySelector('.severity')); \
                     return [look.backgroundColor, look.borderStyle].join(); })).size";
        assert_eq!(page.value(tones).await, json!(6));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_the_row_of_its_notification_in_place() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        let possible = json!([{"list": "watch-list", "name": "GRAY PETREL", "matched_on": "name", "score": 0.9, "topics": [],
                               "programs": [], "url": "https://lists.example/1"}]);
        page.receive(&notification(1, results("PENDING", json!([])))).await;
        page.receive(&notification(2, results("OK", json!([])))).await;
        page.receive(&update(1, results("WARNING", possible))).await;
        page.receive(&update(3, results("CRITICAL", json!([])))).await;
        let order = "[...document.querySelectorAll('#list > li')].map((row) => Number(row.dataset.notificationId))";
        assert_eq!(page.value(order).await, json!([3, 2, 1]));

        let updated = page.row(&format!("{:024x}", 1)).await;
        for shown in ["WARNING", "GREY PETREL", "updated", "GRAY PETREL", "possible", "matched on name"] {
            assert!(updated.contains(shown), "{shown} in {updated}");
        }
        assert!(!updated.contains("PENDING"), "{updated}");
        assert!(!page.row(&format!("{:024x}", 2)).await.contains("updated"));
        let alone = page.row(&format!("{:024x}", 3)).await;
        assert!(alone.contains("CRITICAL") && alone.contains("not in this list"), "{alone}");

        page.receive(&notification(1, results("PENDING", json!([])))).await;
        assert_eq!(page.value(order).await, json!([1, 3, 2]), "sent again is one row still");
        assert!(page.row(&format!("{:024x}", 1)).await.contains("WARNING"), "a result is never taken back");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_word_is_known_with_blanks_around_it_too() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        let mut padded = results("OK", json!([]));
        padded["status"] = json!(" timed_out ");
        page.receive(&notification(1, padded)).await;
        let row = page.row(&format!("{:024x}", 1)).await;
        assert!(row.contains("screening timed out"), "{row}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_keeps_the_newest_500() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        let many = "for (let n = 1; n <= 503; n += 1) receive(new MessageEvent('message', { data: JSON.stringify( \
                    { type: 'zone_port_notification', notification_id: String(n), user_id: null, data: {} }) }));";
        page.run(many, json!(null)).await;
        assert_eq!(page.rows().await, 500);
        assert_eq!(page.value("document.querySelector('#list').lastElementChild.dataset.notificationId").await, json!("4"));
        assert_eq!(page.received("zone_port_notification").await, 503);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_told_loudly_and_unknown_messages_are_counted() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        assert_eq!(page.value("document.getElementById('gap').hidden").await, json!(true));
        page.receive(
            &json!({"type": "replay_gap", "timestamp": "2026-11-23T11:15:00.000Z", "reason": "pruned", "oldest": "1-2-3"}),
        )
        .await;
        page.receive(&json!({"type": "tide_table"})).await;
        page.run("receive(new MessageEvent('message', { data: 'no json' }))", json!(null)).await;
        let gap = page.text("gap").await;
        assert!(gap.contains("You may have missed notifications") && gap.contains("1-2-3"), "{gap}");
        assert_eq!(page.received("tide_table").await, 1);
        assert_eq!(page.received("(unreadable)").await, 1);
        page.click("gap-dismiss").await;
        assert_eq!(page.value("document.getElementById('gap').hidden").await, json!(true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_scrolls_down_only() {
    let server = Server::start().await;
    browse(Kind::Phone, async |page| {
        page.goto(server.url(PAGE)).await;
        let mut message = notification(1, results("CRITICAL", json!([])));
        message["data"]["vessel"]["name"] = json!("A".repeat(300));
        message["data"]["event"]["zone_name"] = json!("z".repeat(300));
        page.receive(&message).await;
        page.receive(&json!({"type": "t".repeat(200)})).await;
        page.receive(&json!({"type": "replay_gap", "reason": "pruned", "oldest": "0".repeat(200)})).await;
        page.value("document.querySelectorAll('details').forEach((details) => (details.open = true))").await;
        assert_eq!(page.value("innerWidth").await, json!(390));
        assert_eq!(page.value("document.documentElement.scrollWidth").await, json!(390));
    })
    .await;
}
