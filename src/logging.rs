//! Which log lines are written and how they look: as operators of the founding system know them, with a timestamp in front.
//!
//! `RUST_LOG` goes before `log.level`, because who sets it looks for something right now. Other crates' lines are shown from warnings
//! on, whatever the level: what is more may hold what callers sent. Only who names such a source gets more of it.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::Write,
    panic,
    sync::Arc,
};

use arc_swap::ArcSwap;
use env_logger::{Builder, Logger, Target};
use log::{Level, LevelFilter, Metadata, Record};

use crate::config::{Log, LogFormat};

/// The sources that are ours.
const OURS: [&str; 3] = ["sse", "notifications", "lookout"];

/// The log of this process, which can be changed while it is written.
#[derive(Clone)]
pub struct Logging {
    logger: Arc<ArcSwap<Logger>>,
    rust_log: Option<String>,
}

impl Logging {
    /// Starts logging to standard error; `rust_log` is what the variable `RUST_LOG` says.
    ///
    /// # Errors
    /// Where something in this process logs already.
    pub fn start(config: &Log, rust_log: Option<String>) -> Result<Self, log::SetLoggerError> {
        let (logger, faulty) = logger(config, rust_log.as_deref());
        let logging = Self { logger: Arc::new(ArcSwap::from_pointee(logger)), rust_log };
        log::set_boxed_logger(Box::new(logging.clone()))?;
        logging.limit();
        panic::set_hook(Box::new(|panic| log::error!(target: "lookout", "{}", told(panic))));
        for directive in faulty {
            log::warn!(target: "notifications", "event=rust_log_ignored part={directive:?} is neither a level nor source=level");
        }
        Ok(logging)
    }

    /// From now on by this configuration.
    pub fn change(&self, config: &Log) {
        self.logger.store(Arc::new(logger(config, self.rust_log.as_deref()).0));
        self.limit();
    }

    fn limit(&self) {
        log::set_max_level(self.logger.load().filter());
    }
}

impl log::Log for Logging {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.load().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.logger.load().log(record);
    }

    fn flush(&self) {}
}

/// A logger, and what cannot be read of `RUST_LOG`.
fn logger(config: &Log, rust_log: Option<&str>) -> (Logger, Vec<String>) {
    let mut builder = Builder::new();
    let faulty = filter(&mut builder, config.level, rust_log);
    let format = config.format;
    builder.target(Target::Stderr).format(move |out, record| writeln!(out, "{}", line(format, &now(), record)));
    (builder.build(), faulty)
}

fn filter(builder: &mut Builder, level: LevelFilter, rust_log: Option<&str>) -> Vec<String> {
    let (mut level, mut named, mut faulty) = (level, Vec::new(), Vec::new());
    for directive in rust_log.unwrap_or_default().split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        match (directive.parse(), directive.split_once('=')) {
            (Ok(bare), _) => level = bare,
            (_, Some((source, of_source))) if !source.is_empty() && of_source.parse::<LevelFilter>().is_ok() => {
                named.extend(of_source.parse().map(|of_source| (source, of_source)));
            }
            (_, None) if directive.chars().all(|character| character.is_alphanumeric() || "_:-".contains(character)) => {
                named.push((directive, LevelFilter::Trace));
            }
            _ => faulty.push(directive.to_owned()),
        }
    }
    builder.filter_level(level.min(LevelFilter::Warn));
    OURS.iter().for_each(|target| _ = builder.filter_module(target, level));
    if level < LevelFilter::Debug {
        // It calls every malformed request and every stream that was cut an error: one line each, and a flood of them a flood.
        builder.filter_module("actix_http", LevelFilter::Off);
    }
    named.into_iter().for_each(|(source, level)| _ = builder.filter_module(source, level));
    faulty
}

/// A panic, as a line like all others: whoever reads the log line by line must be able to read it, too.
fn told(panic: &panic::PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no text");
    let trace = Backtrace::capture();
    let trace = if trace.status() == BacktraceStatus::Captured { format!("\n{trace}") } else { String::new() };
    format!("event=panic thread={} at={at} message={message:?}{trace}", thread.name().unwrap_or("unnamed"))
}

fn now() -> String {
    crate::notification::rfc3339(chrono::Utc::now())
}

fn line(format: LogFormat, at: &str, record: &Record<'_>) -> String {
    let level = match record.level() {
        Level::Warn => "WARNING",
        level => level.as_str(),
    };
    match format {
        LogFormat::Text => format!("{at} [{level}] {}: {}", record.target(), record.args()),
        LogFormat::Json => {
            let message = record.args().to_string();
            serde_json::json!({"timestamp": at, "level": level, "target": record.target(), "message": message}).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use log::Log as _;

    use super::*;

    fn render(format: LogFormat, message: &str) -> String {
        line(
            format,
            "2026-01-02T03:04:05.678Z",
            &Record::builder().level(Level::Warn).target("sse").args(format_args!("{message}")).build(),
        )
    }

    #[test]
    fn a_text_line_is_as_operators_know_it() {
        let line = render(LogFormat::Text, "Connection queue full");
        assert_eq!(line, "2026-01-02T03:04:05.678Z [WARNING] sse: Connection queue full");
    }

    #[test]
    fn a_json_line_holds_the_same() {
        let expected =
            r#"{"timestamp":"2026-01-02T03:04:05.678Z","level":"WARNING","target":"sse","message":"Connection queue full"}"#;
        assert_eq!(render(LogFormat::Json, "Connection queue full"), expected);
    }

    #[test]
    fn a_json_line_stays_one_line_whatever_is_logged() {
        let message = "a \"quoted\" \\ back\\slash\r\n\t\u{0}\u{1b}[31m\u{85}\u{2028}\u{2029}\u{7f} 船 \u{1f6a2}";
        let line = render(LogFormat::Json, message);
        assert!(!line.chars().any(|character| character < ' '), "{line:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["message"], message);
    }

    /// Which level each source has.
    fn levels(level: LevelFilter, rust_log: &str) -> ([LevelFilter; 4], Vec<String>) {
        let (logger, faulty) = logger(&Log { level, format: LogFormat::Text }, Some(rust_log));
        let levels = ["sse", "lookout::app", "h2::codec", "actix_http::h1"].map(|target| {
            let enabled = |level: &Level| logger.enabled(&Metadata::builder().target(target).level(*level).build());
            Level::iter().filter(enabled).last().map_or(LevelFilter::Off, |level| level.to_level_filter())
        });
        (levels, faulty)
    }

    #[test]
    fn rust_log_goes_before_the_configured_level_and_other_crates_are_heard_only_when_they_are_named() {
        use LevelFilter::{Debug, Error, Info, Off, Trace, Warn};
        for (rust_log, expected) in [
            ("", [Info, Info, Warn, Off]),
            (" , ", [Info, Info, Warn, Off]),
            ("trace", [Trace, Trace, Warn, Warn]),
            ("WARN", [Warn, Warn, Warn, Off]),
            ("error", [Error, Error, Error, Off]),
            ("off", [Off, Off, Off, Off]),
            ("sse=debug", [Debug, Info, Warn, Off]),
            ("h2", [Info, Info, Trace, Off]),
            ("h2=debug, error", [Error, Error, Debug, Off]),
            ("actix_http=error", [Info, Info, Warn, Error]),
            ("sse=warn,sse=debug", [Debug, Info, Warn, Off]),
        ] {
            assert_eq!(levels(Info, rust_log), (expected, Vec::new()), "{rust_log:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_of_rust_log_is_told_and_the_rest_holds() {
        let (levels, faulty) = levels(LevelFilter::Info, "sse=loud,=debug,a/b,lookout=debug");
        assert_eq!(faulty, ["sse=loud", "=debug", "a/b"]);
        assert_eq!(levels[..2], [LevelFilter::Info, LevelFilter::Debug]);
    }
}
