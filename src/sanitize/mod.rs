//! Makes strings inert as HTML.
