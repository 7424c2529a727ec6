//! The real server, or two of them over MongoDB and Redis, with a file that can be changed while it runs.

use std::fmt::Write as _;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    cases::Case,
    figures::{Figures, Glance},
    servers::{Mongod, Redis},
    support::Server,
};

/// What one case runs on.
pub struct Stage {
    /// The node whose actor is overloaded.
    pub node: Server,
    other: Option<Server>,
    servers: Option<(Mongod, Redis)>,
}

impl Stage {
    /// With the mailbox that is too small.
    pub fn new(case: &Case) -> Self {
        let servers = case.fleet.then(|| (Mongod::start(), Redis::start()));
        let stage = Self { node: Server::prepared(&[]), other: case.fleet.then(|| Server::prepared(&[])), servers };
        stage.node.write_config(&stage.file(case.file, case.mailbox));
        std::fs::write(stage.node.folder().join("list.csv"), list()).expect("a list");
        if let Some(other) = &stage.other {
            other.write_config(&stage.file(case.file, None));
        }
        let stage = Self { node: stage.node.started(), other: stage.other.map(Server::started), ..stage };
        for node in [Some(&stage.node), stage.other.as_ref()].into_iter().flatten().filter(|_| case.fleet) {
            node.wait_for_metric("lookout_bus_connected", 1.0);
        }
        stage
    }

    fn file(&self, own: &str, mailbox: Option<&str>) -> String {
        let mut file = "[auth]\nmode = 'open'\n[log]\nlevel = 'error'\n".to_owned();
        if !own.contains("[stream]") {
            file += "[stream]\nmax_connections = 2000\n";
        }
        if let Some((mongod, redis)) = &self.servers {
            let _ = write!(file, "[store]\nkind = 'mongodb'\nuri = '{}'\n", mongod.uri());
            let _ = write!(file, "[cluster]\nkind = 'redis'\nurl = '{}'\nmax_len = 200\n", redis.url());
        }
        file += own;
        if let Some(mailbox) = mailbox {
            let _ = write!(file, "[mailbox]\n{mailbox}\n");
        }
        file
    }

    /// The load of the case until it hurts, or at most so many times: what it came to, and how many times it was.
    pub fn overload(&self, case: &Case, most: u32) -> (Figures, u32) {
        let before = Glance::of(&self.node, case);
        let mut times = 0;
        while times < most && (times == 0 || case.symptom.is_some() && before.symptom_since(&self.node, case) == 0.0) {
            (case.load)(self);
            times += 1;
        }
        (before.until_now(&self.node, case), times)
    }

    /// The other node of the fleet.
    pub fn other(&self) -> &Server {
        self.other.as_ref().expect("a fleet")
    }

    /// Changes one key: by a reload where that is enough, else by a restart.
    pub fn change(&mut self, case: &Case, key: &str, value: u64) {
        let (section, name) = key.split_once('.').expect("a section");
        let line = format!("{name} = {value}");
        if section == "mailbox" {
            self.node.write_config(&self.file(case.file, Some(&line)));
            let answer = self.node.ask_admin("POST", "/reload", &[("X-Lookout-Admin", "1")]).assert_success();
            assert_eq!(answer["applied"], json!([key]));
        } else {
            self.node.write_config(&self.file(&format!("[{section}]\n{line}\n"), case.mailbox));
            self.node.signal(Signal::SIGTERM);
            self.node.wait_for_exit();
            self.node.restart();
        }
    }
}

/// A watch-list as long as real ones, with names that are like many others.
fn list() -> String {
    const WORDS: [&str; 8] = ["OCEAN", "STAR", "PACIFIC", "GLORY", "NORTHERN", "LIGHT", "GREY", "PETREL"];
    let mut random = fastrand::Rng::with_seed(1);
    let mut list = "type,caption,imo,risk,mmsi,id,aliases\n".to_owned();
    for row in 0..20_000 {
        let name: Vec<_> = (0..3).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
        let _ = writeln!(list, "VESSEL,{},IMO{},sanction,{},v-{row},", name.join(" "), 8_000_000 + row, 200_000_000 + row);
    }
    list
}
