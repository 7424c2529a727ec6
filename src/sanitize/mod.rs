//! Makes the strings of a message inert as HTML, and leaves text without markup alone.
//!
//! Dashboards put names and descriptions into pages, and whoever writes those strings is not known; yet a cleaner that
//! runs over plain text damages it. So markup is recognised first, and only what has some is cleaned.

mod policy;
mod text;
mod value;

pub use text::text;
pub use value::{Report, object, value};
