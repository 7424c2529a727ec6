//! Which requests the admin listener answers: none that a web page has sent through somebody's browser.
//!
//! A page can point a name of its own at this machine and then read, and it can send a form anywhere. So the name that was asked for
//! must be an address, which a page cannot take over, and what changes anything needs a header that no form can set.

use std::{collections::HashSet, net::IpAddr, sync::Arc};

use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};
use arc_swap::ArcSwap;

use super::answer::refused;
use crate::{config, error::Refusal};

/// The header that tells a command from a form; `1` is its value.
pub const ADMIN_HEADER: &str = "X-Lookout-Admin";

/// The names by which the admin listener may be asked for.
pub struct Names(ArcSwap<HashSet<String>>);

impl Names {
    /// Those of `admin.allowed_hosts`, beside addresses and localhost.
    pub fn new(config: &config::Admin) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(config.allowed_hosts.iter().cloned().collect())))
    }

    /// From now on those of this configuration.
    pub fn change(&self, config: &config::Admin) {
        self.0.store(Arc::new(config.allowed_hosts.iter().cloned().collect()));
    }

    /// A browser always sends a host, so a request without one comes from none.
    fn allow(&self, request: &ServiceRequest) -> bool {
        request.headers().get_all(header::HOST).all(|host| host.to_str().is_ok_and(|host| self.is_allowed(host)))
    }

    fn is_allowed(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => host.split(':').next().unwrap_or_default(),
        };
        let name = name.to_ascii_lowercase();
        name == "localhost" || name.parse::<IpAddr>().is_ok() || self.0.load().contains(&name)
    }
}

/// Refuses what a web page could have sent.
pub async fn guard<B: MessageBody + 'static>(
    names: web::ThinData<Arc<Names>>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let refusal = if !names.allow(&request) {
        Refusal::new(403, "unknown_host", "Ask for this server by its address, or list its name in admin.allowed_hosts.")
    } else if !request.method().is_safe() && !is_of_a_command(&request) {
        let message = format!("What changes something needs the header {ADMIN_HEADER}: 1, or a body of JSON.");
        Refusal::new(403, "admin_header_missing", message)
    } else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    Ok(request.into_response(refused(&refusal)).map_into_right_body())
}

/// Neither of them can come from a form, nor from a script without the permission that this listener never gives.
fn is_of_a_command(request: &ServiceRequest) -> bool {
    let json = |value: &header::HeaderValue| {
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    };
    request.headers().get(ADMIN_HEADER).is_some_and(|value| value == "1")
        || request.headers().get(header::CONTENT_TYPE).is_some_and(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn addresses_localhost_and_listed_names_are_allowed_and_no_others() {
        let config = config::Admin { allowed_hosts: vec!["node-1.internal".into()], ..Config::defaults().admin };
        let names = Names::new(&config);
        for host in [
            "127.0.0.1",
            "127.0.0.1:8001",
            "10.1.2.3:80",
            "[::1]",
            "[::1]:8001",
            "localhost",
            "LocalHost:8001",
            "node-1.internal:8001",
        ] {
            assert!(names.is_allowed(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "[evil]",
            "node-1.internal.evil.example",
            "127.0.0.1@evil",
            "xlocalhost",
            "1",
        ] {
            assert!(!names.is_allowed(host), "{host}");
        }
    }
}
