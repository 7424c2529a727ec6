//! What a single value may look like: numbers, durations, sizes, words, addresses, origins.
//!
//! Each reader says what it takes or why it refuses, never both at fault and silent.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use actix_web::http::Uri;
use bytesize::ByteSize;
use toml::Value;

use super::{Jwks, Secret, settings::Setting};

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The key takes another type.
    Type(&'static str),
    /// The type is right, the value is not.
    Value(String),
}

pub(super) fn whole_number(setting: &Setting) -> Result<u64, Refusal> {
    let number = setting.value.as_integer().ok_or(Refusal::Type("a whole number"))?;
    u64::try_from(number).map_err(|_| Refusal::Value(format!("must not be negative, is {number}")))
}

pub(super) fn boolean(setting: &Setting) -> Result<bool, Refusal> {
    setting.value.as_bool().ok_or(Refusal::Type("true or false"))
}

/// `500ms`, `30s`, `1h 30m`. A bare number is refused: nobody can tell seconds from milliseconds.
pub(super) fn duration(setting: &Setting) -> Result<Duration, Refusal> {
    let text = setting.text().ok_or(Refusal::Type("a duration such as \"30s\""))?;
    humantime::parse_duration(text)
        .map_err(|error| Refusal::Value(format!("must be a duration such as \"30s\", is {text:?}: {error}")))
}

/// `64KiB`, `1MiB`, or a whole number of bytes.
pub(super) fn size(setting: &Setting) -> Result<u64, Refusal> {
    if setting.value.is_integer() {
        return whole_number(setting);
    }
    let text = setting.text().ok_or(Refusal::Type("a size such as \"1MiB\""))?;
    let size: ByteSize = text
        .trim()
        .parse()
        .map_err(|_| Refusal::Value(format!("must be a size such as \"1MiB\" or a number of bytes, is {text:?}")))?;
    Ok(size.as_u64())
}

pub(super) fn text(setting: &Setting) -> Result<&str, Refusal> {
    setting.text().ok_or(Refusal::Type("text"))
}

pub(super) fn texts(setting: &Setting) -> Result<Vec<&str>, Refusal> {
    const LIST: Refusal = Refusal::Type("a list of texts such as [\"a\", \"b\"]");
    setting.value.as_array().ok_or(LIST)?.iter().map(|item| Value::as_str(item).ok_or(LIST)).collect()
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Refusal> {
    text.parse().map_err(|_| Refusal::Value(format!("must be an IP address with a port such as \"127.0.0.1:8000\", is {text:?}")))
}

/// A name: not empty, and without blanks around it, which would never compare equal.
pub(super) fn name(text: &str) -> Result<(), Refusal> {
    if text.is_empty() || text.trim() != text {
        return Err(Refusal::Value(format!("must not be empty or have blanks around it, has {text:?}")));
    }
    Ok(())
}

/// The name of an HTTP header, or none.
pub(super) fn header_name(text: &str) -> Result<(), Refusal> {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)) {
        return Ok(());
    }
    Err(Refusal::Value(format!("must be the name of a header such as \"X-Signature-256\", is {text:?}")))
}

/// A host as it is compared: lower case, without a port.
pub(super) fn host(text: &str) -> Result<(), Refusal> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c)) {
        return Ok(());
    }
    Err(Refusal::Value(format!("must be a lower-case host name without a port such as \"node-1.internal\", has {text:?}")))
}

/// A MongoDB database: what the server would refuse later is refused here.
pub(super) fn database(text: &str) -> Result<(), Refusal> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "/\\.\"$*<>:|?".contains(c);
    if text.is_empty() || text.len() > 63 || text.contains(forbidden) {
        return Err(Refusal::Value(format!(
            "must be 1 to 63 bytes without blanks and without any of / \\ . \" $ * < > : | ?, is {text:?}"
        )));
    }
    Ok(())
}

/// An http or https URL. The refusal does not show it: its query may hold a key.
pub(super) fn url(text: &str) -> Result<Uri, Refusal> {
    let parts = text.parse::<Uri>().ok().filter(|uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http && uri.authority().is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))
    });
    let reason = "must be a URL such as \"https://auth.example.com/check\", without a user name in it";
    parts.ok_or_else(|| Refusal::Value(reason.to_owned()))
}

/// A key set: a URL that nobody on the way can change the answer of, or else a file in this folder.
pub(super) fn key_set(text: &str, folder: &Path) -> Result<Jwks, Refusal> {
    if !text.contains("://") {
        return Ok(Jwks::File(folder.join(text)));
    }
    let uri = url(text)?;
    if uri.scheme_str() != Some("https") && !is_loopback(&uri) {
        return Err(Refusal::Value(
            "must be an https URL: over http whoever is on the way could put keys of his own in".to_owned(),
        ));
    }
    Ok(Jwks::Url(Secret::new(text)))
}

/// Whether a URL leads to this machine.
pub(super) fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The name of a cookie, as RFC 6265 has it.
pub(super) fn cookie_name(text: &str) -> Result<(), Refusal> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.chars().all(is_token) { Ok(()) } else { Err(Refusal::Value(format!("must be the name of a cookie, is {text:?}"))) }
}

/// An entry of `cors.allowed_origins`: `*`, or an origin spelt as browsers send it, because it is compared byte for byte.
pub(super) fn origin(text: &str) -> Result<(), Refusal> {
    let refuse = |why| Err(Refusal::Value(format!("{text:?} is not an origin such as \"https://dash.example.com\": {why}")));
    if text == "*" {
        return Ok(());
    }
    let Some((scheme, authority)) = text.split_once("://") else {
        return refuse("it has no scheme");
    };
    if !scheme.starts_with(|c: char| c.is_ascii_lowercase())
        || !scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
    {
        return refuse("its scheme must be lower-case letters");
    }
    if authority.contains(['/', '?', '#', '@']) {
        return refuse("it is a scheme, a host and a port only, with nothing behind");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_ip = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).is_some_and(|h| h.parse::<Ipv6Addr>().is_ok());
    let is_name = host.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c));
    if host.is_empty() || !(is_ip || is_name) {
        return refuse("its host must be a lower-case name or an IP address, other scripts in punycode, no wildcard");
    }
    match (scheme, port) {
        (_, None) => Ok(()),
        ("http", Some("80")) | ("https", Some("443")) => refuse("browsers leave the scheme's own port out"),
        (_, Some(port)) if port.starts_with(|c: char| ('1'..='9').contains(&c)) && port.parse::<u16>().is_ok() => Ok(()),
        _ => refuse("its port must be 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::fault::Source;

    fn setting(value: impl Into<Value>) -> Setting {
        Setting { value: value.into(), set_by: Source::Default, raw: None }
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, millis) in
            [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h 30m", 5_400_000), ("0s", 0), ("7d", 604_800_000)]
        {
            assert_eq!(duration(&setting(text)), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1 fortnight", "1e3s", "99999999999999999999s"] {
            assert!(matches!(duration(&setting(text)), Err(Refusal::Value(_))), "{text}");
        }
        assert!(matches!(duration(&setting(30)), Err(Refusal::Type(_))), "30 of what");
    }

    #[test]
    fn sizes_are_read_with_their_unit_or_as_bytes() {
        for (text, bytes) in [("1MiB", 1 << 20), ("64 KiB", 65_536), ("1MB", 1_000_000), ("1.5KiB", 1536), ("7", 7), ("0", 0)] {
            assert_eq!(size(&setting(text)), Ok(bytes), "{text}");
        }
        assert_eq!(size(&setting(1_048_576)), Ok(1 << 20));
        for text in ["", "MiB", "-1", "1 mile", "1..5KiB", "NaN"] {
            assert!(matches!(size(&setting(text)), Err(Refusal::Value(_))), "{text}");
        }
        assert!(matches!(size(&setting(-1)), Err(Refusal::Value(_))));
        assert!(matches!(size(&setting(1.5)), Err(Refusal::Type(_))));
    }

    #[test]
    fn origins_are_taken_as_browsers_send_them() {
        for text in [
            "*",
            "https://dash.example.com",
            "http://localhost:3000",
            "http://10.0.0.1",
            "http://[::1]:8080",
            "https://xn--bcher-kva.example",
            "capacitor://localhost",
            "https://dash.example.com:8443",
        ] {
            assert_eq!(origin(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "null",
            "dash.example.com",
            "https://",
            "://x",
            "https://dash.example.com/",
            "https://dash.example.com/app",
            "https://user@dash.example.com",
            "https://Dash.example.com",
            "HTTPS://dash.example.com",
            "https://*.example.com",
            "https://bücher.example",
            "https://dash.example.com:443",
            "http://dash.example.com:80",
            "https://dash.example.com:0",
            "https://dash.example.com:65536",
            "https://dash.example.com:+8",
            "https://dash.example.com:",
            "https://[::1",
            "https://[dash]",
            " https://dash.example.com",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_written_is_read_back(millis in 0u64..=100 * 31_557_600_000) {
            let written = Duration::from_millis(millis);
            let text = humantime::format_duration(written).to_string();
            prop_assert_eq!(duration(&setting(text)), Ok(written));
        }

        #[test]
        fn a_size_written_is_read_back(bytes in 0u64..=i64::MAX as u64, mebibytes in 0u64..=1 << 20) {
            prop_assert_eq!(size(&setting(bytes as i64)), Ok(bytes));
            prop_assert_eq!(size(&setting(format!("{bytes}B"))), Ok(bytes));
            prop_assert_eq!(size(&setting(format!("{mebibytes}MiB"))), Ok(mebibytes << 20));
        }
    }
}
