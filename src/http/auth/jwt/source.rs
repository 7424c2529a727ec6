//! Where keys come from, and how they stay fresh: one task reads them again, and everybody else takes what it has read last.
//!
//! What it reads must be good as a whole to take the place of what was there: a set that is broken, or an issuer that is away, must
//! not shut everybody out.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use actix_web::rt::{self, task::JoinHandle};
use arc_swap::ArcSwapOption;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    super::{
        DoorError,
        cache::{self, key},
        outgoing::Outgoing,
    },
    files, jwks,
    keys::{KeySet, Rules},
};
use crate::config::{Auth, Jwks};

/// How often a file is looked at for a change.
const LOOK_AT_FILE: Duration = Duration::from_secs(1);
/// Tokens can say anything: at most so often they make a set be fetched.
const WANTED_AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// After a failure it is tried again so soon; sooner while there are no keys at all.
const RETRY: Duration = Duration::from_secs(10);
const RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(1);
/// The longest key file or set, bytes.
const LONGEST: usize = 1 << 20;
/// Requests that may wait for a set to be fetched for them.
const WAITING: usize = 1024;

/// The keys as they are now.
pub struct Keys {
    current: Arc<ArcSwapOption<KeySet>>,
    wanted: mpsc::Sender<oneshot::Sender<()>>,
}

/// Where they come from.
enum Place {
    KeyFile(PathBuf),
    SetFile(PathBuf),
    SetUrl(Outgoing),
}

impl Keys {
    /// With the task that keeps them fresh, on this thread.
    pub fn open(config: &Auth, rules: Rules) -> Result<(Self, JoinHandle<()>), DoorError> {
        let place = match (&config.jwt_key, &config.jwt_jwks) {
            (_, Some(Jwks::Url(url))) => Place::SetUrl(Outgoing::new(&url.expose().parse().unwrap_or_default(), config.timeout)?),
            (_, Some(Jwks::File(file))) => Place::SetFile(file.clone()),
            (file, None) => Place::KeyFile(file.clone().unwrap_or_default()),
        };
        let mut keeper = Keeper {
            rules,
            cache_size: config.cache_size,
            refresh: config.jwt_refresh,
            current: Arc::default(),
            content: None,
            failing: false,
        };
        let of_file = |key, file: &Path, reason| DoorError::Keys { key, file: file.to_owned(), reason };
        match &place {
            Place::KeyFile(file) => {
                read_file(file)
                    .and_then(|content| keeper.take(&place, &content))
                    .map_err(|reason| of_file("jwt_key", file, reason))?;
            }
            Place::SetFile(file) => {
                read_file(file)
                    .and_then(|content| keeper.take(&place, &content))
                    .map_err(|reason| of_file("jwt_jwks", file, reason))?;
            }
            Place::SetUrl(_) => {}
        }
        let (wanted, asked) = mpsc::channel(WAITING);
        let current = keeper.current.clone();
        Ok((Self { current, wanted }, rt::spawn(keeper.keep(place, asked))))
    }

    /// The keys; none before the first were fetched.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        self.current.load_full()
    }

    /// Comes back when the keys were read again, or need not be.
    pub async fn read_again(&self) {
        let (tell, told) = oneshot::channel();
        if self.wanted.try_send(tell).is_ok() {
            let _ = told.await;
        }
    }
}

/// What the task works on.
struct Keeper {
    rules: Rules,
    cache_size: usize,
    refresh: Duration,
    current: Arc<ArcSwapOption<KeySet>>,
    /// What the keys were read from.
    content: Option<cache::Key>,
    failing: bool,
}

impl Keeper {
    async fn keep(mut self, place: Place, mut wanted: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut next = Instant::now();
        let mut wanted_last: Option<Instant> = None;
        loop {
            let tell = tokio::select! {
                () = sleep_until(next) => None,
                tell = wanted.recv() => Some(tell),
            };
            let tell = match tell {
                None => None,
                Some(None) => return,
                // Dropped: whoever waits goes on with the keys that are there.
                Some(Some(_)) if wanted_last.is_some_and(|last| last.elapsed() < WANTED_AT_MOST_EVERY) => continue,
                Some(tell) => {
                    wanted_last = Some(Instant::now());
                    tell
                }
            };
            let outcome = read(&place).await.and_then(|content| self.take(&place, &content));
            next = Instant::now() + self.pause(&place, outcome.is_ok());
            self.note(outcome);
            if let Some(tell) = tell {
                let _ = tell.send(());
            }
        }
    }

    /// Puts keys in the place of those before. The same content again leaves them, with all that is known of tokens.
    fn take(&mut self, place: &Place, content: &[u8]) -> Result<(), String> {
        let hash = key([content]);
        if self.content == Some(hash) {
            return Ok(());
        }
        let keys = match place {
            Place::KeyFile(_) => files::keys_in(content),
            Place::SetFile(_) => jwks::keys_in(content, false),
            Place::SetUrl(_) => jwks::keys_in(content, true),
        };
        let mut keys = keys?;
        keys.retain(|key| self.rules.allow(key.algorithm));
        if keys.is_empty() {
            return Err("no key in it can be used with auth.jwt_algorithms".to_owned());
        }
        let keys = KeySet::new(keys, &self.rules, self.cache_size);
        log::info!(target: "sse", "event=jwt_keys keys={}", keys.len());
        self.current.store(Some(Arc::new(keys)));
        self.content = Some(hash);
        Ok(())
    }

    fn pause(&self, place: &Place, went_well: bool) -> Duration {
        match place {
            Place::KeyFile(_) | Place::SetFile(_) => LOOK_AT_FILE,
            Place::SetUrl(_) if went_well => self.refresh,
            Place::SetUrl(_) if self.content.is_none() => RETRY_WITHOUT_KEYS.min(self.refresh),
            Place::SetUrl(_) => RETRY.min(self.refresh),
        }
    }

    fn note(&mut self, outcome: Result<(), String>) {
        let was_failing = std::mem::replace(&mut self.failing, outcome.is_err());
        match outcome {
            Ok(()) if was_failing => log::info!(target: "sse", "event=jwt_keys_back"),
            Err(reason) if !was_failing => {
                log::error!(target: "sse", "event=jwt_keys_failed reason={reason:?} the last good ones stay")
            }
            _ => {}
        }
    }
}

async fn read(place: &Place) -> Result<Vec<u8>, String> {
    match place {
        Place::KeyFile(file) | Place::SetFile(file) => {
            let file = file.clone();
            rt::task::spawn_blocking(move || read_file(&file)).await.unwrap_or_else(|_| Err("it cannot be read".to_owned()))
        }
        Place::SetUrl(outgoing) => outgoing.get(LONGEST).await.map_err(|error| error.to_string()),
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let file = std::fs::File::open(file).map_err(|error| error.to_string())?;
    file.take(LONGEST as u64 + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
    if content.len() > LONGEST { Err(format!("it is longer than {LONGEST} bytes")) } else { Ok(content) }
}
