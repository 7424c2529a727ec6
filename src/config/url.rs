//! What a connection string says without connecting: whether it leads away from this machine, and whether it asks for TLS.

use std::net::IpAddr;

/// The parts of `scheme://user:password@host:port,host:port/database?option=value&…`.
pub(super) struct Url<'a> {
    scheme: &'a str,
    hosts: &'a str,
    options: &'a str,
}

impl<'a> Url<'a> {
    /// Reads as much as is there. User and password hold no `@`, `/` or `?`: they are percent-encoded.
    pub(super) fn of(text: &'a str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let (before, options) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = before.split('/').next().unwrap_or_default();
        let hosts = authority.rsplit('@').next().unwrap_or_default();
        Self { scheme, hosts, options }
    }

    /// Whether any of its hosts is another machine, as far as the name tells.
    pub(super) fn leads_away(&self) -> bool {
        self.hosts.split(',').any(|host| !is_here(host))
    }

    /// Whether the driver of MongoDB speaks TLS there.
    pub(super) fn has_tls(&self) -> bool {
        let option = self.options.split('&').filter_map(|option| option.split_once('='));
        let mut tls = option.filter(|(name, _)| name.eq_ignore_ascii_case("tls") || name.eq_ignore_ascii_case("ssl"));
        tls.next_back().map_or(self.scheme == "mongodb+srv", |(_, value)| value == "true")
    }
}

fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    // What begins with a percent sign is the encoded path of a socket.
    name == "localhost" || name.starts_with('%') || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_away_leads_away() {
        for (text, away) in [
            ("mongodb://127.0.0.1:27017", false),
            ("mongodb://localhost", false),
            ("mongodb://ana:s3%40cret@[::1]:27017,127.9.9.9/lookout?replicaSet=rs0", false),
            ("mongodb://%2Ftmp%2Fmongodb-27017.sock", false),
            ("mongodb://localhost:1,db.internal:2", true),
            ("mongodb://localhost@db.internal", true),
            ("mongodb+srv://cluster.example", true),
            ("redis://:s3cret@10.0.0.1:6379/0", true),
            ("redis://127.0.0.1", false),
        ] {
            assert_eq!(Url::of(text).leads_away(), away, "{text}");
        }
    }

    #[test]
    fn tls_is_what_the_options_say_and_else_what_the_scheme_says() {
        for (text, tls) in [
            ("mongodb://db.internal", false),
            ("mongodb://db.internal/?tls=true", true),
            ("mongodb://db.internal?replicaSet=rs0&SSL=true", true),
            ("mongodb://db.internal/?tls=false", false),
            ("mongodb+srv://db.internal", true),
            ("mongodb+srv://db.internal/?tls=false", false),
        ] {
            assert_eq!(Url::of(text).has_tls(), tls, "{text}");
        }
    }
}
