//! The `lookout` command: arguments, configuration, logging, signals, exit code.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use actix::System;
use clap::{Parser, Subcommand};
use lookout::{
    app::App,
    commands,
    config::{self, Config, Loaded},
    logging,
    shutdown::Signals,
};

/// Tens of thousands of connections come and go at once; glibc would keep their memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Maritime zone and port events from a webhook to browser dashboards, screened and never lost.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file; without one, the defaults and the environment (LOOKOUT__SECTION__KEY).
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (the default).
    Serve,
    /// Read the configuration and report every fault and every risk.
    Check,
    /// What could not be used.
    DeadLetters {
        #[command(subcommand)]
        action: DeadLetters,
    },
    /// Write the whole store to a file, one JSON object a line; run again, it goes on where it broke off. Stop all servers first.
    Export {
        /// Where to; `-` is standard output.
        file: PathBuf,
    },
    /// Read an export into an empty store; run again, it goes on where it broke off.
    Import {
        /// The export; `-` is standard input.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum DeadLetters {
    /// List them, newest first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let loaded = match Config::load(arguments.config.as_deref(), config::environment()) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(loaded),
        Command::Check => check(&loaded),
        Command::DeadLetters { action: DeadLetters::List { limit } } => list_dead_letters(&loaded.config, limit),
        Command::Export { file } => export(&loaded.config, &file),
        Command::Import { file } => import(&loaded.config, &file),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lookout: {error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn serve(Loaded { config, warnings }: Loaded) -> Outcome {
    logging::start(&config.log);
    for warning in warnings {
        log::warn!(target: "notifications", "event=configuration {warning}");
    }
    raise_open_files(&config);
    System::new().block_on(async {
        let mut signals = Signals::new()?;
        let app = App::start(config).await?;
        let name = signals.wait().await;
        log::info!(target: "notifications", "event=signal name={name}");
        app.stop().await;
        Ok(())
    })
}

/// Each stream is an open file; a limit below the configured number would turn readers away without a word.
fn raise_open_files(config: &Config) {
    let wanted = config.stream.max_connections as u64 + 1024;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < wanted => {
            log::warn!(target: "notifications", "event=open_files limit={limit} is less than stream.max_connections wants ({wanted})");
        }
        Ok(_) => {}
        Err(error) => log::warn!(target: "notifications", "event=open_files error={error}"),
    }
}

fn check(loaded: &Loaded) -> Outcome {
    for warning in &loaded.warnings {
        println!("warning: {warning}");
    }
    println!("the configuration is valid");
    Ok(())
}

fn list_dead_letters(config: &Config, limit: usize) -> Outcome {
    let letters = System::new().block_on(commands::dead_letters(&config.store, limit))?;
    for letter in letters {
        let item = letter.item.map_or_else(|| "-".to_owned(), |item| item.to_string());
        let at = lookout::notification::rfc3339(letter.received_at);
        println!("{}\t{at}\titem={item}\tbytes={}\t{}\t{}", letter.seq, letter.body_bytes, letter.reason, letter.detail);
    }
    Ok(())
}

fn export(config: &Config, file: &Path) -> Outcome {
    System::new().block_on(commands::export(config, file))?;
    Ok(())
}

fn import(config: &Config, file: &Path) -> Outcome {
    System::new().block_on(commands::import(config, file))?;
    Ok(())
}
