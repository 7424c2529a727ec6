//! nginx in front of the nodes: each request goes to a random one, and to the next where that one refuses it.

use std::net::SocketAddr;

use crate::servers::Nginx;

/// Starts it. `next_upstream` is when a stream that a node does not open is asked for at the next one. A webhook that a node may have got is never passed to another one: that is left to its sender.
pub fn start(nodes: &[SocketAddr], next_upstream: &str) -> Nginx {
    // A node counts as there until it refuses: a mark that it was gone would keep it out after it is back.
    let nodes: String = nodes.iter().map(|node| format!("server {node} max_fails=0;\n")).collect();
    Nginx::start(|port| {
        format!(
            "upstream nodes {{\nrandom;\n{nodes}}}\n\
             server {{\nlisten 127.0.0.1:{port} backlog=1024;\nlocation / {{\n\
             proxy_pass http://nodes;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
             proxy_buffering off;\nproxy_connect_timeout 2s;\nproxy_read_timeout 60s;\n\
             proxy_next_upstream {next_upstream};\n}}\n}}"
        )
    })
}
