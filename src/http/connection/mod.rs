//! One connection of a listener that is wired by hand: from the accepted socket to the requests on it.
//!
//! actix-http does not let out what is needed here: a socket that live frames reach past it ([`crate::actors::link`]), a bound on the
//! time of every head, an HTTP/2 that bounds its streams and sees a reset one.

mod head;
mod http2;
mod request;
mod serving;
mod socket;
pub mod tls;
mod watched;
mod welcome;

pub use serving::answered;
pub use welcome::{Reception, reception};

use std::{net::IpAddr, rc::Rc, sync::Arc};

use actix_web::{HttpMessage, HttpRequest, http::Version};

use self::serving::Requests;
use crate::actors::{
    link::Link,
    wire::{Branch, Wire},
};

/// What the requests of one HTTP/1.1 connection know of it.
struct Connection {
    link: Arc<Link>,
    /// Whether TLS stands between HTTP and the socket.
    secure: bool,
    peer: IpAddr,
    requests: Requests,
}

/// What carries the answer to this request; none where the listener is not wired by hand.
pub fn wire(request: &HttpRequest) -> Option<Wire> {
    if let Some(branch) = request.extensions().get::<Branch>() {
        return Some(Wire::Shared(branch.clone()));
    }
    let connection = request.conn_data::<Rc<Connection>>()?;
    let link = connection.link.clone();
    // Only HTTP/1.1 sends in chunks.
    let direct = !connection.secure && request.version() == Version::HTTP_11;
    Some(if direct { Wire::Direct(link) } else { Wire::Alone(link) })
}
