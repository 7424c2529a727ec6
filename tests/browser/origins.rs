//! Stories about pages of other origins: who may read with credentials and who may not, as the browser decides it.

use serde_json::json;
use tempfile::TempDir;

use crate::{
    chromium::{Kind, Page, browse},
    server::Server,
};

const PAGE: &str = "/sse_test_client.html";
const STREAM: &str = "/notifications/zone-port-events/stream?user_id=test_user";
const HISTORY: &str = "/notifications/zone-port-notifications?user_id=test_user";
const WEBHOOK: &str = "/notifications/webhook/zone-port-event";

/// More than the six connections that a browser opens to one HTTP/1.1 server.
const TABS: u64 = 12;

/// Opens a stream from the page, and remembers under this name what becomes of it.
async fn open(page: &Page, name: &str, url: String, credentials: bool) {
    let script = "const [name, url, withCredentials] = arguments[0];
        window.streams ??= {}; window.types ??= {};
        const source = new EventSource(url, { withCredentials });
        streams[name] = 'connecting'; types[name] = [];
        source.onmessage = (event) => { streams[name] = 'open'; types[name].push(JSON.parse(event.data).type); };
        source.onerror = () => { streams[name] = ['connecting', 'open', 'refused'][source.readyState]; };";
    page.run(script, json!([name, url, credentials])).await;
}

/// Asks from the page with credentials, and waits for the status, or for the browser's refusal to show it.
async fn fetched(page: &Page, method: &str, url: String, body: Option<&str>) -> String {
    let script = "const [method, url, body] = arguments[0];
        window.fetched = 'waiting';
        fetch(url, { method, body, credentials: 'include' })
            .then((answer) => { fetched = String(answer.status); }, () => { fetched = 'refused'; });";
    page.run(script, json!([method, url, body])).await;
    page.until("fetched !== 'waiting'").await;
    page.value("fetched").await.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_reads_with_credentials_exactly_where_its_origin_is_configured() {
    let home = Server::start().await;
    let origins = format!("[\"{}\"]", home.url(""));
    let credentials = ("LOOKOUT__CORS__ALLOW_CREDENTIALS", "true");
    let friend = Server::start_with(&[("LOOKOUT__CORS__ALLOWED_ORIGINS", &origins), credentials]).await;
    let others = ("LOOKOUT__CORS__ALLOWED_ORIGINS", "[\"https://dash.example.com\"]");
    let stranger = Server::start_with(&[others, credentials]).await;
    let anybodys = Server::start().await;
    browse(Kind::Laptop, async |page| {
        page.goto(home.url(PAGE)).await;
        open(page, "friend", friend.url(STREAM), true).await;
        open(page, "stranger", stranger.url(STREAM), true).await;
        open(page, "stranger without", stranger.url(STREAM), false).await;
        open(page, "anybody", anybodys.url(STREAM), true).await;
        open(page, "anybody without", anybodys.url(STREAM), false).await;
        page.until("Object.values(streams).every((state) => state !== 'connecting')").await;
        let expected = json!({
            "friend": "open", "stranger": "refused", "stranger without": "refused", "anybody": "refused", "anybody without": "open",
        });
        assert_eq!(page.value("streams").await, expected);

        friend.post_webhook(json!({"vessel": {"imo": "9999993"}, "event": {"type": "zone_entry"}})).await;
        page.until("types['friend'].includes('zone_port_notification')").await;
        assert_eq!(fetched(page, "GET", friend.url(HISTORY), None).await, "200");
        assert_eq!(fetched(page, "GET", stranger.url(HISTORY), None).await, "refused");
        assert_eq!(fetched(page, "GET", anybodys.url(HISTORY), None).await, "refused");
        // Why it was refused can be read, too, where it may be.
        assert_eq!(fetched(page, "GET", friend.url("/notifications/zone-port-events/stream"), None).await, "400");
    })
    .await;
}

/// The settings of a server under TLS with a certificate that nobody vouches for.
fn secure(folder: &TempDir) -> [(&'static str, String); 2] {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    [("LOOKOUT__SERVER__TLS_CERT", certificate), ("LOOKOUT__SERVER__TLS_KEY", key)]
        .map(|(name, path)| (name, path.to_str().unwrap().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_under_tls_opens_a_dozen_streams_on_one_connection_across_origins() {
    let folder = TempDir::new().unwrap();
    let tls = secure(&folder);
    let tls = tls.each_ref().map(|(name, path)| (*name, path.as_str()));
    let home = Server::start_with(&tls).await;
    let origins = format!("[\"{}\"]", home.url(""));
    let cors = [("LOOKOUT__CORS__ALLOWED_ORIGINS", &*origins), ("LOOKOUT__CORS__ALLOW_CREDENTIALS", "true")];
    let friend = Server::start_with(&[tls, cors].concat()).await;
    let others = [("LOOKOUT__CORS__ALLOWED_ORIGINS", "[\"https://dash.example.com\"]"), cors[1]];
    let stranger = Server::start_with(&[tls, others].concat()).await;
    browse(Kind::Trusting, async |page| {
        page.goto(home.url(PAGE)).await;
        let protocols = "[...new Set(performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol))]";
        assert_eq!(page.value(protocols).await, json!(["h2"]), "the page's own files");
        for tab in 0..TABS {
            open(page, &format!("tab {tab}"), friend.url(STREAM), true).await;
        }
        open(page, "stranger", stranger.url(STREAM), true).await;
        page.until("Object.values(streams).every((state) => state !== 'connecting')").await;
        let open = "Object.values(streams).filter((state) => state === 'open').length";
        assert_eq!(page.value(open).await, json!(TABS));
        assert_eq!(page.value("streams['stranger']").await, json!("refused"));

        let webhook = r#"{"vessel": {"imo": "9999993"}, "event": {"type": "zone_entry"}}"#;
        assert_eq!(fetched(page, "POST", friend.url(WEBHOOK), Some(webhook)).await, "200");
        let told = "Object.values(types).filter((types) => types.includes('zone_port_notification')).length";
        page.until(&format!("{told} === {TABS}")).await;
        assert_eq!(fetched(page, "GET", stranger.url(HISTORY), None).await, "refused");

        // The page itself, over the same connection.
        page.click("connect").await;
        page.until_state("connected").await;
        page.click("post").await;
        page.until("document.querySelectorAll('#list > li').length === 1").await;
    })
    .await;
}
