//! What differs between two configurations, and which of it can be taken over by a running server.
//!
//! Each key stands here by name with its effect: one that is forgotten does not compile.

use super::{
    Admin, Audit, Auth, Cluster, Config, Cors, Ingest, Limits, Log, Mailbox, Screening, Server, Signature, Store, Stream,
};

/// When a changed key takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// With a reload.
    Live,
    /// With the next start.
    Restart,
}
use Effect::{Live, Restart};

/// The keys that differed, by name: values may be secret.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that were taken over.
    pub applied: Vec<&'static str>,
    /// Those that were not.
    pub restart_needed: Vec<&'static str>,
}

impl Changes {
    /// Whether a key of this section was taken over: `ingest` has those of `ingest.signature`, too.
    pub fn concern(&self, section: &str) -> bool {
        self.applied.iter().any(|key| key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.')))
    }
}

/// Every key, and when a change of it takes effect.
pub fn effects() -> Vec<(&'static str, Effect)> {
    let defaults = Config::defaults();
    let mut all = Walk::default();
    walk(&mut defaults.clone(), &defaults, &mut all);
    all.keys
}

impl Config {
    /// Takes over what a running server can, but for the keys of `held`.
    pub fn follow(&mut self, new: &Self, held: &[&'static str]) -> Changes {
        let mut changes = Walk { held: held.to_vec(), ..Walk::default() };
        // Who may connect, and by which lists is screened, means something only under the mode that it was written for.
        if self.auth.mode != new.auth.mode {
            changes.held.push("auth.users");
        }
        if self.screening.provider != new.screening.provider {
            changes.held.extend(["screening.lists", "screening.max_list_age"]);
        }
        walk(self, new, &mut changes);
        changes.found
    }
}

#[derive(Default)]
struct Walk {
    held: Vec<&'static str>,
    keys: Vec<(&'static str, Effect)>,
    found: Changes,
}

impl Walk {
    fn key<T: PartialEq + Clone>(&mut self, name: &'static str, effect: Effect, running: &mut T, new: &T) {
        self.keys.push((name, effect));
        if running == new {
            return;
        }
        if effect == Live && !self.held.contains(&name) {
            *running = new.clone();
            self.found.applied.push(name);
        } else {
            self.found.restart_needed.push(name);
        }
    }
}

macro_rules! section {
    ($changes:ident, $running:expr, $new:expr, $name:literal, $section:ident { $($key:ident: $effect:ident),+ } $(, $nested:ident)?) => {
        let $section { $($key: _,)+ $($nested: _,)? } = &$new;
        $($changes.key(concat!($name, ".", stringify!($key)), $effect, &mut $running.$key, &$new.$key);)+
    };
}

fn walk(running: &mut Config, new: &Config, changes: &mut Walk) {
    section!(
        changes,
        running.server,
        new.server,
        "server",
        Server {
            bind: Restart,
            workers: Restart,
            tls_cert: Restart,
            tls_key: Restart,
            tls_reload_interval: Restart,
            head_timeout: Restart,
            max_head: Restart,
            keep_alive: Restart,
            max_pages: Restart,
            trusted_proxies: Live,
            proxy_header: Live,
            shutdown_grace: Restart
        }
    );
    section!(
        changes,
        running.limits,
        new.limits,
        "limits",
        Limits {
            streams_per_ip: Live,
            streams_burst: Live,
            webhooks_per_ip: Live,
            webhooks_burst: Live,
            connections_per_ip: Live,
            streams_per_connection: Restart,
            tracked_ips: Live,
            exempt: Live
        }
    );
    section!(
        changes,
        running.ingest,
        new.ingest,
        "ingest",
        Ingest {
            bind: Restart,
            max_body: Live,
            max_batch: Live,
            max_depth: Live,
            max_nodes: Live,
            max_in_flight: Restart,
            body_timeout: Live,
            answer_timeout: Live
        },
        signature
    );
    section!(
        changes,
        running.ingest.signature,
        new.ingest.signature,
        "ingest.signature",
        Signature { scheme: Live, secrets: Live, header: Live, encoding: Live, tolerance: Live }
    );
    section!(
        changes,
        running.stream,
        new.stream,
        "stream",
        Stream {
            max_connections: Live,
            max_connections_per_user: Live,
            queue_size: Restart,
            recent: Restart,
            stall_timeout: Restart,
            connection_timeout: Restart,
            heartbeat_interval: Restart,
            max_lifetime: Restart,
            retry: Restart,
            audience: Restart
        }
    );
    section!(
        changes,
        running.auth,
        new.auth,
        "auth",
        Auth {
            mode: Restart,
            users: Live,
            url: Restart,
            timeout: Restart,
            cache_for: Restart,
            cache_size: Restart,
            jwt_key: Restart,
            jwt_jwks: Restart,
            jwt_refresh: Restart,
            jwt_algorithms: Restart,
            jwt_audience: Restart,
            jwt_issuer: Restart,
            jwt_leeway: Restart,
            jwt_cookie: Restart
        }
    );
    section!(changes, running.cors, new.cors, "cors", Cors { allowed_origins: Live, allow_credentials: Live });
    section!(
        changes,
        running.screening,
        new.screening,
        "screening",
        Screening {
            provider: Restart,
            lists: Live,
            reload_interval: Restart,
            deliver_within: Restart,
            give_up_after: Restart,
            max_list_age: Live,
            skip_vessel_types: Live,
            max_in_flight: Restart
        }
    );
    section!(
        changes,
        running.store,
        new.store,
        "store",
        Store {
            kind: Restart,
            path: Restart,
            uri: Restart,
            database: Restart,
            select_timeout: Restart,
            timeout: Restart,
            max_dead_letters: Restart,
            max_dead_letter_bytes: Restart,
            retention: Restart,
            read_connections: Restart,
            max_commit: Restart
        }
    );
    section!(
        changes,
        running.cluster,
        new.cluster,
        "cluster",
        Cluster {
            kind: Restart,
            url: Restart,
            stream: Restart,
            max_len: Restart,
            look_interval: Restart,
            take_over_after: Restart
        }
    );
    section!(changes, running.audit, new.audit, "audit", Audit { interval: Restart, max_ended: Restart });
    section!(
        changes,
        running.admin,
        new.admin,
        "admin",
        Admin { bind: Restart, allow_remote: Restart, canary_interval: Restart, allowed_hosts: Live }
    );
    section!(changes, running.log, new.log, "log", Log { level: Live, format: Live });
    section!(
        changes,
        running.mailbox,
        new.mailbox,
        "mailbox",
        Mailbox {
            webhook_handler: Live,
            archivist: Live,
            screener: Live,
            broadcaster: Live,
            courier: Live,
            relay: Live,
            session: Live,
            session_supervisor: Live
        }
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AuthMode, Provider, Secret};

    #[test]
    fn what_is_live_is_taken_over_and_the_rest_is_asked_for_again_next_time() {
        let (mut running, mut new) = (Config::defaults(), Config::defaults());
        new.ingest.signature.secrets = vec![Secret::new("s3cret")];
        new.stream.queue_size += 1;
        let mut expected = running.clone();
        expected.ingest.signature.secrets = new.ingest.signature.secrets.clone();
        let changes = running.follow(&new, &[]);
        assert_eq!(
            (&changes.applied[..], &changes.restart_needed[..]),
            (&["ingest.signature.secrets"][..], &["stream.queue_size"][..])
        );
        assert!(changes.concern("ingest") && changes.concern("ingest.signature") && !changes.concern("stream"));
        assert_eq!(running, expected);
        assert!(!format!("{changes:?}").contains("s3cret"));
        let again = running.follow(&new, &[]);
        assert_eq!((again.applied.len(), &again.restart_needed[..]), (0, &["stream.queue_size"][..]));
    }

    #[test]
    fn what_belongs_to_another_mode_waits_with_it() {
        let (mut running, mut new) = (Config::defaults(), Config::defaults());
        (new.auth.mode, new.auth.users) = (AuthMode::Store, Vec::new());
        (new.screening.provider, new.screening.lists) = (Provider::None, vec!["a.csv".into()]);
        new.stream.max_connections = 7;
        let changes = running.follow(&new, &["stream.max_connections"]);
        let waiting = ["stream.max_connections", "auth.mode", "auth.users", "screening.provider", "screening.lists"];
        assert_eq!(changes, Changes { applied: Vec::new(), restart_needed: waiting.to_vec() });
        assert_eq!(running, Config::defaults());
    }
}
