//! Limits, and who is kept out.

use prometheus_client::registry::Registry;

use super::register::{Labelled, labelled};

/// Its metrics.
#[derive(Debug)]
pub struct Door {
    /// Limits met, by `limit`.
    pub limited: Labelled,
    /// Webhooks that did not prove whose they are, by `cause`.
    pub signature_failures: Labelled,
}

impl Door {
    pub(super) fn register(to: &mut Registry) -> Self {
        let limits = [
            "streams_per_ip",
            "webhooks_per_ip",
            "connections_per_ip",
            "head_timeout",
            "handshake_timeout",
            "max_head",
            "body_timeout",
        ];
        let causes = ["missing", "malformed", "stale", "wrong"];
        Self {
            limited: labelled(to, "limited", "Requests and connections that met a limit", "limit", &limits),
            signature_failures: labelled(
                to,
                "signature_failures",
                "Webhooks that did not prove whose they are",
                "cause",
                &causes,
            ),
        }
    }
}
