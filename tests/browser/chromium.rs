//! A headless Chromium behind its own chromedriver, and the questions that the tests ask the page.
//!
//! Each test has a browser of its own with a fresh profile, so nothing that one leaves behind helps another.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{BrowserLogEntry, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};

use crate::{eventually, server::free_address};

/// What differs between the browsers of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 1280 wide.
    Laptop,
    /// 390 wide, as a phone reports it.
    Phone,
    /// A laptop whose user lets no page store anything.
    WithoutStorage,
    /// A laptop that trusts every certificate.
    Trusting,
}

/// Runs a story in a new browser, and closes it however the story ends.
pub async fn browse(kind: Kind, story: impl AsyncFnOnce(&Page)) {
    let profile = TempDir::new().unwrap();
    let address = free_address();
    let process = Command::new("chromedriver")
        .arg(format!("--port={}", address.port()))
        .stdout(Stdio::null())
        .spawn()
        .expect("chromedriver must be installed: apt-get install chromium chromium-driver");
    let _chromedriver = Chromedriver(process);
    let url = format!("http://{address}");
    let status = format!("{url}/status");
    eventually("chromedriver answers", async || reqwest::get(&status).await.is_ok()).await;
    let driver = WebDriver::new(&url, capabilities(kind, &profile)).await.expect("chromium must be installed and start");
    let told: Result<(), _> = driver
        .run_and_quit(async |driver| {
            story(&Page(driver)).await;
            Ok::<_, std::convert::Infallible>(())
        })
        .await;
    told.unwrap();
}

fn capabilities(kind: Kind, profile: &TempDir) -> thirtyfour::ChromeCapabilities {
    let mut wanted = DesiredCapabilities::chrome();
    let user_data = format!("--user-data-dir={}", profile.path().display());
    for arg in [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,900",
        &user_data,
    ] {
        wanted.add_arg(arg).unwrap();
    }
    wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
    match kind {
        Kind::Laptop => {}
        Kind::Phone => {
            let phone = json!({"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2}});
            wanted.add_experimental_option("mobileEmulation", phone).unwrap();
        }
        Kind::Trusting => wanted.add_arg("--ignore-certificate-errors").unwrap(),
        Kind::WithoutStorage => {
            let denied = json!({"profile.default_content_setting_values.cookies": 2});
            wanted.add_experimental_option("prefs", denied).unwrap();
        }
    }
    wanted
}

struct Chromedriver(Child);

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The test client in its browser.
pub struct Page(WebDriver);

impl Page {
    /// Loads an address.
    pub async fn goto(&self, url: String) {
        self.0.goto(url).await.unwrap();
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.0.refresh().await.unwrap();
    }

    /// The value of a JavaScript expression.
    pub async fn value(&self, expression: &str) -> Value {
        self.run(&format!("return ({expression});"), json!(null)).await
    }

    /// Runs statements that see `arguments[0]`.
    pub async fn run(&self, script: &str, argument: Value) -> Value {
        self.0.execute(script, vec![argument]).await.unwrap().json().clone()
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        eventually(expression, async || self.value(expression).await == json!(true)).await;
    }

    /// Waits until the connection is in this state.
    pub async fn until_state(&self, state: &str) {
        self.until(&format!("document.getElementById('state-word').textContent === '{state}'")).await;
    }

    /// Clicks what has this id, as a user would: it must be visible and enabled.
    pub async fn click(&self, id: &str) {
        self.0.find(thirtyfour::By::Id(id)).await.unwrap().click().await.unwrap();
    }

    /// Replaces the content of an input.
    pub async fn fill(&self, id: &str, text: &str) {
        let input = self.0.find(thirtyfour::By::Id(id)).await.unwrap();
        input.clear().await.unwrap();
        input.send_keys(text).await.unwrap();
    }

    /// The visible text of what has this id.
    pub async fn text(&self, id: &str) -> String {
        self.value(&format!("document.getElementById('{id}').innerText")).await.as_str().unwrap().to_owned()
    }

    /// Waits for the row of a notification and returns its visible text.
    pub async fn row(&self, notification_id: &str) -> String {
        let row = format!("document.querySelector('[data-notification-id=\"{notification_id}\"]')");
        self.until(&format!("{row} !== null")).await;
        self.value(&format!("{row}.innerText")).await.as_str().unwrap().to_owned()
    }

    /// How many rows the list has.
    pub async fn rows(&self) -> u64 {
        self.value("document.querySelectorAll('#list > li').length").await.as_u64().unwrap()
    }

    /// How many messages of a type were received.
    pub async fn received(&self, message_type: &str) -> u64 {
        self.value(&format!("Number(counters.get('{message_type}').textContent)")).await.as_u64().unwrap()
    }

    /// Gives the page a message, as if the stream had sent it.
    pub async fn receive(&self, message: &Value) {
        let event = "receive(new MessageEvent('message', { data: arguments[0] }))";
        self.run(event, Value::String(message.to_string())).await;
    }

    /// Waits for one more heartbeat: whatever was sent before it has then been received.
    pub async fn heartbeat(&self) {
        let before = self.received("heartbeat").await;
        eventually("another heartbeat", async || self.received("heartbeat").await > before).await;
    }

    /// What is seen of the page in a window of this size, as PNG.
    pub async fn screenshot(&self, width: u32, height: u32) -> Vec<u8> {
        self.0.set_window_rect(0, 0, width, height).await.unwrap();
        self.0.screenshot_as_png().await.unwrap()
    }

    /// What the browser complained about since it was last asked.
    pub async fn complaints(&self) -> Vec<BrowserLogEntry> {
        self.0.browser_log().await.unwrap()
    }
}
