//! The provider `list`: watch-lists read from files into one index, looked into without a lock or a network.
//!
//! Files are read at the start and whenever a timer outside calls `reload_if_changed`, once they have stopped changing. The index
//! is replaced at once; a file that cannot be read leaves the last good content in place and warns.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use chrono::Utc;
use futures_util::future::{BoxFuture, FutureExt};
use sha2::{Digest, Sha256};

use super::{
    ScreenError, Screener,
    index::{Index, Row},
    maritime_csv::{self, Broken},
    rules::{self, Looked, Standing},
};
use crate::{
    config,
    notification::{
        results::{ListInfo, ScreeningResults},
        rfc3339,
        subject::Subject,
    },
};

/// How long the start waits to look again at a list that was written just now. Later looks are a reload interval apart.
const SECOND_LOOK: Duration = Duration::from_millis(200);

/// Screens against the lists in memory.
#[derive(Debug)]
pub struct ListScreener {
    /// What screenings look into; replaced, never changed.
    loaded: Arc<ArcSwap<Loaded>>,
    /// The files. Locked while they are read, by nobody but the one who reloads.
    sources: Mutex<Vec<Source>>,
    max_list_age: ArcSwap<Duration>,
}

/// All lists of one moment.
#[derive(Debug)]
struct Loaded {
    index: Index,
    lists: Vec<ListInfo>,
    /// Since when each of them is current.
    current_at: Vec<SystemTime>,
    /// The age of the oldest list counts from here; `None`: there is no list.
    oldest: Option<SystemTime>,
    is_complete: bool,
    is_faulty: bool,
    covers_psc: bool,
}

/// A file that an operator named, and what it gave last.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    /// The last look at it.
    seen: Option<Result<Stamp, io::ErrorKind>>,
    /// What was last logged of it, so that it is logged once.
    complaint: Option<String>,
    /// It need not be read again while it looks the same.
    is_settled: bool,
    content: Option<Content>,
}

/// What tells two states of a file apart without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    size: u64,
}

#[derive(Debug)]
struct Content {
    info: ListInfo,
    digest: [u8; 32],
    rows: Arc<[Row]>,
    faulty: u64,
    modified: SystemTime,
    /// When this content was last known to be current: the file's modification time, but no later than when it was seen.
    current_at: SystemTime,
}

/// Why a file gave no list.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Broken(#[from] Broken),
}

impl ListScreener {
    /// Reads the lists of the configuration. A missing or broken one warns: it must not keep the service from starting.
    pub fn load(config: &config::Screening) -> Self {
        if config.lists.is_empty() {
            log::warn!(target: "notifications", "screening_lists=0 every result will be UNKNOWN");
        }
        let mut sources: Vec<Source> = config.lists.iter().map(|path| Source::new(path)).collect();
        look_twice_at(&mut sources);
        Self {
            loaded: Arc::new(ArcSwap::from_pointee(Loaded::of(&sources))),
            sources: Mutex::new(sources),
            max_list_age: ArcSwap::from_pointee(config.max_list_age),
        }
    }

    /// From now on these lists; of those that were there already the content is kept.
    pub fn follow(&self, config: &config::Screening) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *sources);
        *sources = config
            .lists
            .iter()
            .map(|path| match old.iter().position(|source| source.path == *path) {
                Some(known) => old.swap_remove(known),
                None => Source::new(path),
            })
            .collect();
        look_twice_at(&mut sources);
        self.max_list_age.store(Arc::new(config.max_list_age));
        self.loaded.store(Arc::new(Loaded::of(&sources)));
    }

    /// Looks at the files, and reads and swaps in what has changed and looks as it did the time before: a file that is still being
    /// written must not pass for a list. True: screenings from now on see something else.
    ///
    /// Blocks on files: to be called off the threads that serve sockets. A file that was only touched counts as current
    /// again, because whoever renews a list may find that nothing in it has changed.
    pub fn reload_if_changed(&self) -> bool {
        // A panic while reading leaves whole sources behind: each field is set at once.
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed = look_at(&mut sources);
        if has_changed {
            self.loaded.store(Arc::new(Loaded::of(&sources)));
        }
        has_changed
    }
}

impl Screener for ListScreener {
    fn provider(&self) -> &'static str {
        "list"
    }

    fn screen(&self, subject: Subject) -> BoxFuture<'static, Result<ScreeningResults, ScreenError>> {
        let (loaded, max_list_age) = (self.loaded.clone(), **self.max_list_age.load());
        async move { Ok(loaded.load().screen(&subject, max_list_age, SystemTime::now())) }.boxed()
    }

    fn list_ages(&self) -> Vec<(String, Duration)> {
        let (loaded, now) = (self.loaded.load(), SystemTime::now());
        let age = |since: &SystemTime| now.duration_since(*since).unwrap_or_default();
        loaded.lists.iter().map(|list| list.id.clone()).zip(loaded.current_at.iter().map(age)).collect()
    }

    fn reload_if_changed(&self) -> bool {
        Self::reload_if_changed(self)
    }

    fn follow(&self, config: &config::Screening) {
        Self::follow(self, config);
    }
}

impl Loaded {
    fn of(sources: &[Source]) -> Self {
        let contents: Vec<&Content> = sources.iter().filter_map(|source| source.content.as_ref()).collect();
        Self {
            index: Index::of(contents.iter().map(|content| (content.info.id.clone(), content.rows.clone())).collect()),
            lists: contents.iter().map(|content| content.info.clone()).collect(),
            current_at: contents.iter().map(|content| content.current_at).collect(),
            oldest: contents.iter().map(|content| content.current_at).min(),
            is_complete: contents.len() == sources.len(),
            is_faulty: contents.iter().any(|content| content.faulty > 0),
            covers_psc: contents.iter().any(|content| rules::covers_psc(&content.rows)),
        }
    }

    fn standing(&self, max_list_age: Duration, now: SystemTime) -> Standing {
        match self.oldest {
            None => Standing::NoList,
            Some(_) if !self.is_complete => Standing::Incomplete,
            Some(_) if self.is_faulty => Standing::Faulty,
            // A clock that was set back makes no list older.
            Some(oldest) if now.duration_since(oldest).unwrap_or_default() > max_list_age => Standing::Stale,
            Some(_) => Standing::Fresh,
        }
    }

    fn screen(&self, subject: &Subject, max_list_age: Duration, now: SystemTime) -> ScreeningResults {
        let standing = self.standing(max_list_age, now);
        let looked = Looked { lists: self.lists.clone(), standing, covers_psc: self.covers_psc };
        let matches = self.index.find(subject);
        rules::results(subject, &matches, looked, now.into(), Utc::now())
    }
}

/// Refreshes each of them. True: one has changed.
fn look_at(sources: &mut [Source]) -> bool {
    sources.iter_mut().fold(false, |has_changed, source| source.refresh() | has_changed)
}

/// A file that has been there for a while is read by that.
fn look_twice_at(sources: &mut [Source]) {
    look_at(sources);
    if sources.iter().any(Source::may_be_changing) {
        thread::sleep(SECOND_LOOK);
    }
    look_at(sources);
}

impl Source {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: None, complaint: None, is_settled: false, content: None }
    }

    /// Brings the content up to date with a file that looks as it did the time before. True: it is another, or counts from
    /// another time.
    fn refresh(&mut self) -> bool {
        let now = SystemTime::now();
        let looked = Stamp::of(&self.path);
        let seen = looked.as_ref().map(|stamp| *stamp).map_err(io::Error::kind);
        let is_news = self.seen != Some(seen);
        if !is_news && self.is_settled {
            return false;
        }
        self.seen = Some(seen);
        self.is_settled = seen.is_ok_and(|stamp| stamp.is_settled(now)) && !is_news;
        if is_news && seen.is_ok() {
            return false;
        }
        match looked.map_err(Unreadable::from).and_then(|stamp| self.read(stamp, now)) {
            Ok(has_changed) => {
                self.complaint = None;
                has_changed
            }
            Err(error) => {
                // What denied the reading may pass without a trace on the file.
                self.is_settled &= matches!(error, Unreadable::Broken(_));
                let complaint = Some(error.to_string());
                if self.complaint != complaint {
                    let kept = self.content.as_ref().map_or("none", |content| content.info.version.as_str());
                    let (path, error) = (self.path.display(), error.to_string());
                    log::warn!(target: "notifications", "watch_list={path} error={error:?} kept_version={kept}");
                    self.complaint = complaint;
                }
                false
            }
        }
    }

    /// It was written to so lately that somebody may be at it still.
    fn may_be_changing(&self) -> bool {
        self.seen.is_some_and(|seen| seen.is_ok_and(|stamp| !stamp.is_settled(SystemTime::now())))
    }

    fn read(&mut self, stamp: Stamp, now: SystemTime) -> Result<bool, Unreadable> {
        let modified = stamp.modified;
        let bytes = fs::read(&self.path)?;
        if Stamp::of(&self.path)? != stamp {
            // It was written to meanwhile; the next look sees that too.
            return Ok(false);
        }
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        if let Some(content) = self.content.as_mut().filter(|content| content.digest == digest) {
            let is_touched = content.modified != modified;
            if is_touched {
                (content.modified, content.current_at) = (modified, modified.min(now));
            }
            return Ok(is_touched);
        }
        let parsed = maritime_csv::read(&bytes)?;
        let info = ListInfo {
            id: self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            version: version(&digest),
            loaded_at: rfc3339(Utc::now()),
            entries: parsed.entries,
        };
        log::info!(
            target: "notifications",
            "watch_list={} version={} entries={} faulty={}",
            self.path.display(), info.version, parsed.entries, parsed.faulty
        );
        if parsed.faulty > 0 {
            log::warn!(target: "notifications", "watch_list={} faulty_rows={}", self.path.display(), parsed.faulty);
        }
        let (rows, faulty) = (parsed.rows.into(), parsed.faulty);
        self.content = Some(Content { info, digest, rows, faulty, modified, current_at: modified.min(now) });
        Ok(true)
    }
}

impl Stamp {
    /// The coarsest clock of a file system in use: FAT counts in two seconds.
    const GRAIN: Duration = Duration::from_secs(2);

    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { modified: metadata.modified()?, size: metadata.len() })
    }

    /// False for a file changed so lately that a further change may carry the same time.
    fn is_settled(&self, now: SystemTime) -> bool {
        now.duration_since(self.modified).is_ok_and(|age| age > Self::GRAIN)
    }
}

/// The first twelve hex digits.
fn version(digest: &[u8; 32]) -> String {
    digest[..6].iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
