//! How log lines look: as operators of the founding system know them, with a timestamp in front.

use std::io::Write;

use env_logger::{Builder, Target};
use log::{Level, Record};

use crate::config::{Log, LogFormat};

/// Starts logging to standard error. Other crates' lines are shown from warnings on.
pub fn start(config: &Log) {
    let format = config.format;
    let mut builder = Builder::new();
    builder.filter_level(config.level.min(log::LevelFilter::Warn));
    for target in ["sse", "notifications", "lookout"] {
        builder.filter_module(target, config.level);
    }
    if config.level < log::LevelFilter::Debug {
        // It calls every malformed request and every stream that was cut an error: one line each, and a flood of them a flood.
        builder.filter_module("actix_http", log::LevelFilter::Off);
    }
    builder.target(Target::Stderr).format(move |out, record| writeln!(out, "{}", line(format, &now(), record))).init();
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
    use super::*;

    fn render(format: LogFormat) -> String {
        let record = Record::builder().level(Level::Warn).target("sse").args(format_args!("Connection queue full")).build();
        line(format, "2026-01-02T03:04:05.678Z", &record)
    }

    #[test]
    fn a_text_line_is_as_operators_know_it() {
        assert_eq!(render(LogFormat::Text), "2026-01-02T03:04:05.678Z [WARNING] sse: Connection queue full");
    }

    #[test]
    fn a_json_line_holds_the_same() {
        let expected =
            r#"{"timestamp":"2026-01-02T03:04:05.678Z","level":"WARNING","target":"sse","message":"Connection queue full"}"#;
        assert_eq!(render(LogFormat::Json), expected);
    }
}
