//! Whose address a request comes from, when proxies stand between.
//!
//! A header is only as good as who wrote it. Each proxy adds whom it heard from at the right, so it is read from there, and no further
//! than to the first address that is not a trusted proxy: what stands left of it was written by a stranger.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;

use crate::config::{ProxyHeader, Server};

/// The trusted proxies, and where they say for whom they ask.
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: ProxyHeader,
}

impl Proxies {
    /// As configured.
    pub fn new(server: &Server) -> Self {
        Self { trusted: server.trusted_proxies.clone(), header: server.proxy_header }
    }

    /// Whether this is one of them.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The client behind this peer; the peer itself where it is no trusted proxy.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let (name, read): (HeaderName, fn(&str) -> Option<IpAddr>) = match self.header {
            ProxyHeader::XForwardedFor => (X_FORWARDED_FOR, hop),
            ProxyHeader::Forwarded => (FORWARDED, forwarded_for),
        };
        let lines: Vec<_> = headers.get_all(name).collect();
        let hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops {
            // What cannot be read was still heard by the proxy that was read last.
            let Some(address) = std::str::from_utf8(hop).ok().and_then(|hop| read(hop.trim())) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn hop(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(address.to_canonical())
}

/// The `for` of one element of `Forwarded`. Names that stand for an address (`unknown`, `_hidden`) give none.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })?;
    hop(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn client(header: ProxyHeader, peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().unwrap()).into();
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = if header == ProxyHeader::Forwarded { FORWARDED } else { X_FORWARDED_FOR };
            headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        // The other header is never read.
        headers
            .append(if header == ProxyHeader::Forwarded { X_FORWARDED_FOR } else { FORWARDED }, "for=6.6.6.6".parse().unwrap());
        Proxies { trusted, header }.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn x_forwarded_for_is_read_from_the_right_through_trusted_hops_only() {
        for (peer, lines, expected) in [
            ("192.0.2.9", &["203.0.113.7"][..], "192.0.2.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.7, 10.0.0.2,10.0.0.3"], "203.0.113.7"),
            ("10.0.0.1", &["10.0.0.5, 10.0.0.2"], "10.0.0.5"),
            ("10.0.0.1", &["203.0.113.7, nonsense, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["203.0.113.7,"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7, \u{ff}"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            ("10.0.0.1", &["2001:db9::7"], "2001:db9::7"),
            ("10.0.0.1", &["[2001:db9::7]:443, 2001:db8::1"], "2001:db9::7"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7"),
        ] {
            assert_eq!(client(ProxyHeader::XForwardedFor, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_from_the_right_through_trusted_hops_only() {
        for (peer, lines, expected) in [
            ("192.0.2.9", &["for=203.0.113.7"][..], "192.0.2.9"),
            ("10.0.0.1", &["for=1.1.1.1, for=203.0.113.7;proto=https;by=10.0.0.1"], "203.0.113.7"),
            ("10.0.0.1", &["for=1.1.1.1", "proto=https; For=\"203.0.113.7:4711\""], "203.0.113.7"),
            ("10.0.0.1", &["for=\"[2001:db9::7]:4711\", for=10.0.0.2"], "2001:db9::7"),
            ("10.0.0.1", &["for=\"1.1.1.1, for=203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["for=203.0.113.7, for=_hidden"], "10.0.0.1"),
            ("10.0.0.1", &["for=203.0.113.7, for=unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7"], "10.0.0.1"),
        ] {
            assert_eq!(client(ProxyHeader::Forwarded, peer, lines), expected, "{peer} {lines:?}");
        }
    }
}
