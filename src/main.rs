//! The `lookout` command: arguments, configuration, logging, signals, exit code.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use actix::System;
use clap::{Parser, Subcommand};
use lookout::{
    app::App,
    commands,
    config::{self, AuthMode, Config, Loaded},
    http::{auth::Door, connection::tls, listen::ListenError, reload::Origin},
    logging::Logging,
    shutdown::Signals,
    store::DeadLetter,
    systemd,
};
use tokio::task::JoinHandle;

/// Tens of thousands of connections come and go at once; glibc would keep their memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was built, by whom and for what.
const BUILD: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("LOOKOUT_BUILD_COMMIT"),
    "\nrustc: ",
    env!("LOOKOUT_BUILD_RUSTC"),
    "\ntarget: ",
    env!("LOOKOUT_BUILD_TARGET"),
    "\nprofile: ",
    env!("LOOKOUT_BUILD_PROFILE"),
);

/// Maritime zone and port events from a webhook to browser dashboards, screened and never lost.
#[derive(Parser)]
#[command(version, long_version = BUILD)]
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
    /// Read the configuration and report every fault and every risk; faults end it with 1, risks alone with 0.
    Check,
    /// What could not be used.
    DeadLetters {
        #[command(subcommand)]
        action: DeadLetters,
    },
    /// Who may connect where auth.mode is "store"; beside a running server it takes effect at once.
    User {
        #[command(subcommand)]
        action: User,
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
enum User {
    /// Let users in.
    Add {
        /// Their ids.
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// Let users in no longer, and end their streams.
    Remove {
        /// Their ids.
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// List them, one a line.
    List,
}

#[derive(Subcommand)]
enum DeadLetters {
    /// List them, newest first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Write the exact body of one to standard output, and what is known of it to standard error.
    Show {
        /// Its number.
        seq: i64,
    },
    /// Have a running server take them in again, as if they were posted now.
    Retry {
        /// Their numbers.
        #[arg(required = true)]
        seqs: Vec<i64>,
    },
    /// Drop them; they are gone by that.
    Drop {
        /// Their numbers.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        seqs: Vec<i64>,
        /// All that are there.
        #[arg(long)]
        all: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let loaded = match Config::load(arguments.config.as_deref(), config::environment()) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprintln!("{faults}");
            if matches!(arguments.command, Some(Command::Check)) {
                faults.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
            }
            return ExitCode::FAILURE;
        }
    };
    let outcome = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => return serve(loaded, arguments.config),
        Command::Check => check(&loaded),
        Command::DeadLetters { action } => System::new().block_on(dead_letters(&loaded.config, action)),
        Command::User { action } => user(&loaded.config, action),
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

/// A failure is told by the log, so that whoever reads it by a program finds nothing else there.
fn serve(Loaded { config, warnings }: Loaded, file: Option<PathBuf>) -> ExitCode {
    let logging = match Logging::start(&config.log, env::var("RUST_LOG").ok()) {
        Ok(logging) => logging,
        Err(error) => {
            eprintln!("lookout: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("LOOKOUT_BUILD_COMMIT"));
    log::info!(target: "notifications", "event=starting version={version} commit={commit}");
    for warning in warnings {
        log::warn!(target: "notifications", "event=configuration {warning}");
    }
    raise_open_files(&config);
    let origin = Origin {
        read: Box::new(move || {
            Config::load(file.as_deref(), config::environment()).inspect(|loaded| raise_open_files(&loaded.config))
        }),
        log: Box::new(move |config| logging.change(config)),
    };
    match run(origin, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!(target: "notifications", "event=failed {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(origin: Origin, config: Config) -> Outcome {
    System::new().block_on(async {
        let mut signals = Signals::new()?;
        let app = App::start_from(origin, config).await?;
        systemd::ready();
        let watchdog = systemd::feed_watchdog(app.pulse());
        let name = signals.wait(|| reload(&app)).await;
        systemd::stopping();
        log::info!(target: "notifications", "event=signal name={name}");
        app.stop().await;
        watchdog.inspect(JoinHandle::abort);
        Ok(())
    })
}

/// Beside all else: a list on a disk that does not answer must not keep the server from stopping.
fn reload(app: &App) {
    log::info!(target: "notifications", "event=signal name=SIGHUP");
    systemd::reloading();
    let reloader = app.reloader().clone();
    actix::spawn(async move {
        // The log has told the faults.
        let _ = reloader.reload().await;
        systemd::ready();
    });
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

fn check(Loaded { config, warnings }: &Loaded) -> Outcome {
    for warning in warnings {
        println!("warning: {warning}");
    }
    let faults = faults_of_files(config);
    if !faults.is_empty() {
        return Err(faults.join("\nlookout: ").into());
    }
    println!("the configuration is valid");
    Ok(())
}

/// What a start would say of the files of keys and certificates: they are a part of the configuration.
fn faults_of_files(config: &Config) -> Vec<String> {
    System::new().block_on(async {
        let certificate = tls::acceptor(&config.server).err().map(|error| ListenError::from(error).to_string());
        let keys = Door::open(&config.auth, None).err().map(|error| error.to_string());
        certificate.into_iter().chain(keys).collect()
    })
}

async fn dead_letters(config: &Config, action: DeadLetters) -> Outcome {
    match action {
        DeadLetters::List { limit } => {
            commands::dead_letters(&config.store, limit).await?.iter().for_each(|letter| println!("{}", line(letter)));
        }
        DeadLetters::Show { seq } => {
            let (letter, body) = commands::dead_letter(&config.store, seq).await?;
            eprintln!("{}", line(&letter));
            std::io::stdout().write_all(&body)?;
        }
        DeadLetters::Retry { seqs } => {
            for seq in seqs {
                println!("{seq}\t{}", commands::retry_dead_letter(config, seq).await?);
            }
        }
        DeadLetters::Drop { seqs, all } => {
            let which: Vec<Option<i64>> = if all { vec![None] } else { seqs.into_iter().map(Some).collect() };
            let mut dropped = 0;
            for seq in which {
                dropped += commands::drop_dead_letters(config, seq).await?;
            }
            println!("dropped {dropped}");
        }
    }
    Ok(())
}

fn line(letter: &DeadLetter) -> String {
    let DeadLetter { seq, received_at, item, reason, detail, body_bytes } = letter;
    let item = item.map_or_else(|| "-".to_owned(), |item| item.to_string());
    let at = lookout::notification::rfc3339(*received_at);
    // It may name a field of the body, and a terminal obeys control characters.
    let detail = detail.replace(char::is_control, "\u{fffd}");
    format!("{seq}\t{at}\titem={item}\tbytes={body_bytes}\t{reason}\t{detail}")
}

fn user(config: &Config, action: User) -> Outcome {
    let run = async {
        match action {
            User::Add { users } => {
                for (user, changed) in commands::set_users(config, users, true).await? {
                    println!("{user} {}", if changed { "was added" } else { "was there already" });
                }
            }
            User::Remove { users } => {
                let done = commands::set_users(config, users, false).await?;
                for (user, changed) in &done {
                    println!("{user} {}", if *changed { "was removed" } else { "is not there" });
                }
                if done.iter().any(|(_, changed)| !changed) {
                    return Err("not all of them were there".into());
                }
            }
            User::List => commands::users(config).await?.iter().for_each(|user| println!("{user}")),
        }
        if config.auth.mode != AuthMode::Store {
            eprintln!("lookout: auth.mode is not \"store\", so nobody asks for these users");
        }
        Ok(())
    };
    System::new().block_on(run)
}

fn export(config: &Config, file: &Path) -> Outcome {
    System::new().block_on(commands::export(config, file))?;
    Ok(())
}

fn import(config: &Config, file: &Path) -> Outcome {
    System::new().block_on(commands::import(config, file))?;
    Ok(())
}
