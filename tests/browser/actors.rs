//! The page of the actors in a real browser: who is overloaded, what moves, what fits on a phone.

use serde_json::{Value, json};

use crate::{
    chromium::{Kind, Page, browse},
    eventually,
    server::Server,
};

const ACTORS: [&str; 7] = ["webhook_handler", "archivist", "screener", "broadcaster", "relay", "session", "session_supervisor"];

async fn look(page: &Page, server: &Server) {
    page.goto(server.admin_url("/")).await;
    page.until("document.getElementById('state').dataset.state === 'live'").await;
}

/// Of a vessel of its own: what one and the same does twice in a second is one event.
fn event(vessel: usize) -> Value {
    json!({"custom_reference": "test_user|false", "vessel": {"name": format!("PETREL {vessel}")}, "event": {"type": "zone_entry"}})
}

/// The visible text of an actor's row.
async fn row(page: &Page, actor: &str) -> String {
    page.text(&format!("actor-{actor}")).await
}

async fn verdict(page: &Page, actor: &str) -> Value {
    page.value(&format!("document.getElementById('actor-{actor}').dataset.verdict")).await
}

/// Posts more at once than a mailbox for one message holds, until that is seen. Answers are of no interest here.
async fn overload(page: &Page, server: &Server) {
    let (client, url) = (reqwest::Client::new(), server.url("/notifications/webhook/zone-port-event"));
    eventually("the webhook handler is overloaded", async || {
        let posts = (0..40).map(|vessel| tokio::spawn(client.post(&url).json(&event(vessel)).send()));
        for post in posts.collect::<Vec<_>>() {
            post.await.unwrap().unwrap();
        }
        verdict(page, "webhook_handler").await == json!("too_small")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_actor_has_a_row_with_its_size_and_what_happens_when_it_is_full() {
    let server = Server::start_with(&[("LOOKOUT__MAILBOX__RELAY", "77")]).await;
    browse(Kind::Laptop, async |page| {
        look(page, &server).await;
        let shown = page.value("[...document.querySelectorAll('#actors > li')].map((row) => row.dataset.actor)").await;
        assert_eq!(shown, json!(ACTORS));
        for actor in ACTORS {
            let text = row(page, actor).await;
            for part in ["When full: ", "size ", "alive", &format!("mailbox.{actor}")] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
        assert!(row(page, "relay").await.contains("size 77"));
        assert!(page.text("summary").await.contains("Every mailbox holds"));
        let complaints = page.complaints().await;
        assert!(complaints.is_empty(), "{complaints:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_move_while_readers_come_and_webhooks_are_posted() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        look(page, &server).await;
        assert_eq!((page.text("connections").await.as_str(), page.text("latency").await.as_str()), ("0", "–"));
        let readers = (server.open_stream().await, server.open_stream().await);
        page.until("document.getElementById('connections').textContent === '2'").await;
        eventually("deliveries are seen", async || {
            server.post_webhook(event(0)).await;
            page.value("Number(document.getElementById('deliveries').textContent) > 0").await == json!(true)
        })
        .await;
        page.until("/[µm]?s$/.test(document.getElementById('latency').textContent)").await;
        for chart in ["connections-chart", "deliveries-chart", "latency-chart"] {
            page.until(&format!("document.querySelectorAll('#{chart} path').length > 0")).await;
        }
        page.until("document.querySelector('#actor-archivist .chart path.low') !== null").await;
        drop(readers);
        page.until("document.getElementById('connections').textContent === '0'").await;
        page.until("document.getElementById('deliveries').textContent === '0'").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_actor_is_named_with_its_recommendation() {
    let server = Server::start_with(&[("LOOKOUT__MAILBOX__WEBHOOK_HANDLER", "1")]).await;
    browse(Kind::Laptop, async |page| {
        look(page, &server).await;
        let _readers = (server.open_stream().await, server.open_stream().await);
        overload(page, &server).await;
        let summary = page.text("summary").await;
        assert!(summary.contains("Look at 1 of 7 actors\n") && summary.contains("webhook_handler: too small"), "{summary}");
        let text = row(page, "webhook_handler").await;
        assert!(text.contains("would have held the worst second") && text.contains("mailbox.webhook_handler = "), "{text}");
        page.until("document.querySelector('#actor-webhook_handler .chart path.full') !== null").await;
        for other in &ACTORS[1..] {
            assert_ne!(verdict(page, other).await, json!("too_small"), "{other}");
        }
        // docs/actors.png is this picture, reduced to a palette:
        // LOOKOUT_SCREENSHOT=actors.png cargo test --features browser-tests --test browser overloaded_actor
        if let Some(path) = std::env::var_os("LOOKOUT_SCREENSHOT") {
            for second in 0..20 {
                let shown = page.value("seen.last.delivered").await;
                for vessel in 0..=second % 7 {
                    server.post_webhook(event(vessel)).await;
                }
                page.until(&format!("seen.last.delivered > {shown}")).await;
            }
            std::fs::write(path, page.screenshot(1100, 1500).await).unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_ready_says_so_first_however_well_its_mailboxes_are() {
    let server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        look(page, &server).await;
        let shown =
            "(receive({ ...seen.last, ...arguments[0] }), byId('summary').dataset.tone + ': ' + byId('summary').innerText)";
        let told = async |change: Value| {
            let told = page.run(&format!("return {shown};"), change).await;
            told.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            told(json!({"reasons": ["store_failing", "store_stuck"], "warnings": []})).await,
            "critical: This node is not ready. store_failing store_stuck"
        );
        assert_eq!(
            told(json!({"reasons": [], "warnings": ["bus_lost"]})).await,
            "warning: Every mailbox holds what comes. bus_lost"
        );
        assert_eq!(told(json!({"reasons": [], "warnings": []})).await, "ok: Every mailbox holds what comes.");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_scrolls_the_actors_down_only() {
    let server = Server::start_with(&[("LOOKOUT__MAILBOX__WEBHOOK_HANDLER", "1")]).await;
    browse(Kind::Phone, async |page| {
        look(page, &server).await;
        overload(page, &server).await;
        assert_eq!(page.value("innerWidth").await, json!(390));
        assert_eq!(page.value("document.documentElement.scrollWidth").await, json!(390));
        let narrow =
            "[...document.querySelectorAll('#actors .chart')].every((chart) => chart.getBoundingClientRect().width > 250)";
        assert_eq!(page.value(narrow).await, json!(true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_gone_is_told_and_one_that_is_back_starts_anew() {
    let mut server = Server::start().await;
    browse(Kind::Laptop, async |page| {
        look(page, &server).await;
        server.post_webhook(event(0)).await;
        page.until("document.querySelector('#actor-archivist .chart path.low') !== null").await;
        server.kill();
        page.until("document.getElementById('state').dataset.state === 'reconnecting'").await;
        server.restart().await;
        page.until("document.getElementById('state').dataset.state === 'live'").await;
        page.until("document.querySelector('#actor-webhook_handler .figures').textContent.includes('handled0, ')").await;
    })
    .await;
}
