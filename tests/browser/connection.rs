//! Stories about the connection: who gets in, what the page says, and that no restart loses or doubles anything.

use serde_json::{Value, json};

use crate::{
    chromium::{Kind, Page, browse},
    server::Server,
};

const PAGE: &str = "/sse_test_client.html";

async fn open(page: &Page, server: &Server) {
    page.goto(server.url(PAGE)).await;
    page.click("connect").await;
    page.until_state("connected").await;
}

fn webhook(name: &str) -> Value {
    json!({"custom_reference": "test_user|true", "vessel": {"imo": "1234567", "name": name}, "event": {"type": "zone_entry"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_webhook_comes_back_as_a_row_without_any_complaint_of_the_browser() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        assert_eq!(page.text("state-word").await, "disconnected");
        assert_eq!(page.value("document.getElementById('server').value").await, json!(server.url("")));
        page.click("connect").await;
        page.until_state("connected").await;

        page.click("post").await;
        page.until("document.getElementById('answer-status').textContent.startsWith('Accepted: 200')").await;
        let answer: Value = serde_json::from_str(&page.text("answer").await).unwrap();
        let row = page.row(answer["notification_id"].as_str().unwrap()).await;
        for shown in ["UNKNOWN", "SAMPLE TRADER", "1234567", "zone entry", "test_user"] {
            assert!(row.contains(shown), "{shown} in {row}");
        }

        page.click("auto-screen").await;
        page.click("post").await;
        page.until("document.querySelectorAll('#list > li').length === 2").await;
        let newest = page.value("document.querySelector('#list > li').innerText").await.to_string();
        assert!(newest.contains("NOT SCREENED"), "{newest}");

        let complaints = page.complaints().await;
        assert!(complaints.is_empty(), "{complaints:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_in_force() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        let inline = "const script = document.createElement('script');
            try { script.textContent = 'window.ran = 1'; document.body.append(script); } catch { return 'refused'; }
            return window.ran === undefined ? 'refused' : 'ran';";
        assert_eq!(page.run(inline, json!(null)).await, json!("refused"));
        let parsed = "try { document.body.innerHTML = arguments[0]; return 'parsed'; } catch { return 'refused'; }";
        assert_eq!(page.run(parsed, json!("<b>bold</b>")).await, json!("refused"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_found_again_and_nothing_is_lost_or_doubled() {
    let mut server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        open(page, &server).await;
        let first = server.post_webhook(webhook("BEFORE")).await;
        page.row(&first).await;

        server.kill();
        page.until_state("reconnecting").await;
        server.restart().await;
        let second = server.post_webhook(webhook("BETWEEN")).await;
        page.until_state("connected").await;

        assert!(page.row(&second).await.contains("BETWEEN"));
        page.heartbeat().await;
        assert_eq!(page.received("zone_port_notification").await, 2);
        assert_eq!(page.rows().await, 2);
        assert_eq!(page.received("replay_gap").await, 0);
        assert_eq!(page.received("caught_up").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_continues_where_disconnect_left_off() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        open(page, &server).await;
        page.click("disconnect").await;
        page.until_state("disconnected").await;
        let missed = server.post_webhook(webhook("MISSED")).await;

        page.click("connect").await;
        assert!(page.row(&missed).await.contains("MISSED"));
        page.heartbeat().await;
        assert_eq!(page.received("zone_port_notification").await, 1);
        assert!(page.text("caught-up").await.ends_with("1 sent again"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fell_silent_is_opened_again_behind_the_last_id() {
    let server = Server::start_with(&[("LOOKOUT__STREAM__HEARTBEAT_INTERVAL", "100s")]).await;
    browse(Kind::Laptop, async |page| {
        open(page, &server).await;
        let first = server.post_webhook(webhook("BEFORE")).await;
        page.row(&first).await;
        // As after a sleep: the clock has gone on, and nothing came.
        let silent = |seconds: u32, longest_gap: u32| {
            format!(
                "stream.lastMessageAt = Date.now() - {seconds} * 1000; stream.longestGap = {longest_gap} * 1000; \
                 const before = stream.source; reopenIfSilent(Date.now()); \
                 return [stream.source === before, document.getElementById('state-word').textContent];"
            )
        };
        assert_eq!(page.run(&silent(55, 1), json!(null)).await, json!([true, "connected"]), "patience is 60 s at least");
        assert_eq!(page.run(&silent(90, 40), json!(null)).await, json!([true, "connected"]), "it was silent for long before");
        assert_eq!(page.run(&silent(65, 1), json!(null)).await, json!([false, "reconnecting"]));
        page.until_state("connected").await;
        page.until("counters.get('caught_up').textContent === '1'").await;
        assert_eq!((page.received("zone_port_notification").await, page.received("replay_gap").await), (1, 0));
        let second = server.post_webhook(webhook("AFTER")).await;
        page.row(&second).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_reads_why_the_server_refuses() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        page.fill("user", "nobody_we_know").await;
        page.click("connect").await;
        page.until_state("refused").await;
        let refusal = reqwest::get(server.url("/notifications/zone-port-events/stream?user_id=nobody_we_know")).await.unwrap();
        assert_eq!(refusal.status(), 401);
        let refusal: Value = refusal.json().await.unwrap();
        assert_eq!(page.text("state-text").await, format!("401: {}", refusal["message"].as_str().unwrap()));
        assert!(page.text("retry").await.starts_with("in "));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_tried_again_until_there_is_room() {
    let server = Server::start_with(&[("LOOKOUT__STREAM__MAX_CONNECTIONS", "1")]).await;
    let occupant = server.open_stream().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        page.click("connect").await;
        page.until_state("refused").await;
        assert!(page.text("state-text").await.starts_with("503: "));
        drop(occupant);
        page.until_state("connected").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_survive_a_reload() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(server.url(PAGE)).await;
        page.fill("user", "somebody").await;
        page.click("own").await;
        page.reload().await;
        let settings = "[document.getElementById('user').value, document.getElementById('own').checked]";
        assert_eq!(page.value(settings).await, json!(["somebody", true]));
        let body = page.value("JSON.parse(document.getElementById('body').value).custom_reference").await;
        assert_eq!(body, json!("somebody|true"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_where_storage_is_denied() {
    let server = Server::start().await;
    browse(Kind::WithoutStorage, async |page| {
        page.goto(server.url(PAGE)).await;
        let denied = "try { localStorage.length; return false; } catch { return true; }";
        assert_eq!(page.run(denied, json!(null)).await, json!(true));
        open(page, &server).await;
        page.click("own").await;
        let id = server.post_webhook(webhook("NO STORAGE")).await;
        page.row(&id).await;
    })
    .await;
}
