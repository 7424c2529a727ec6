//! The test client that the server serves: its files, compiled in, so that one binary is all there is to install.
//!
//! Everything that it shows comes from strangers, so its policy forbids whatever could turn text into script.

/// A file of the test client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The path of its URL.
    pub path: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its content.
    pub body: &'static str,
}

/// The `Content-Security-Policy` of every [`Page`]. Scripts and styles come from here only, none may be inline, and no text
/// can be handed to a parser of markup. Connections may go anywhere on the web: the user types the address of the server.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src http: https:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// All files of the test client.
pub const PAGES: [Page; 5] = [
    Page { path: "/sse_test_client.html", content_type: "text/html; charset=utf-8", body: include_str!("sse_test_client.html") },
    Page { path: "/sse_test_client.css", content_type: "text/css; charset=utf-8", body: include_str!("sse_test_client.css") },
    Page {
        path: "/sse_test_client.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("sse_test_client.js"),
    },
    Page {
        path: "/sse_test_client_rows.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("sse_test_client_rows.js"),
    },
    Page {
        path: "/sse_test_client_sample.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("sse_test_client_sample.js"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn html() -> &'static str {
        PAGES[0].body
    }

    fn attribute_values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
        html.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    #[test]
    fn the_html_refers_to_every_other_file_and_to_nothing_else() {
        let mut referred = attribute_values(html(), "src=\"");
        referred.extend(attribute_values(html(), "href=\"").into_iter().filter(|href| !href.starts_with("data:")));
        referred.sort_unstable();
        let mut served: Vec<_> = PAGES[1..].iter().map(|page| page.path.trim_start_matches('/')).collect();
        served.sort_unstable();
        assert_eq!(referred, served);
    }

    #[test]
    fn the_html_holds_nothing_inline_that_the_policy_would_refuse() {
        let lower = html().to_lowercase();
        for forbidden in ["<style", "style=\"", "javascript:", " onclick", " onload", " onsubmit", "<base", "<iframe", "<object"]
        {
            assert!(!lower.contains(forbidden), "{forbidden}");
        }
        for (start, _) in lower.match_indices("<script") {
            let tag = lower[start..].split("</script>").next().unwrap();
            assert!(tag.contains(" src=") && tag.ends_with('>'), "{tag}");
        }
    }

    #[test]
    fn no_script_hands_text_to_a_parser() {
        for page in PAGES.iter().filter(|page| page.content_type.starts_with("text/javascript")) {
            for sink in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc", "DOMParser"]
            {
                assert!(!page.body.contains(sink), "{sink} in {}", page.path);
            }
        }
    }

    #[test]
    fn every_id_that_the_scripts_ask_for_is_in_the_html() {
        let ids = attribute_values(html(), "id=\"");
        for page in PAGES.iter().filter(|page| page.path.ends_with(".js")) {
            for call in ["byId(\"", "setText(\"", "on(\""] {
                for id in attribute_values(page.body, call) {
                    assert!(ids.contains(&id), "{id} in {}", page.path);
                }
            }
        }
    }

    #[test]
    fn the_policy_allows_no_inline_code() {
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
        for directive in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
            assert!(CONTENT_SECURITY_POLICY.split("; ").any(|part| part.trim() == directive), "{directive}");
        }
    }
}
