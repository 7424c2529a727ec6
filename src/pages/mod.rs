//! The pages that the server serves: their files, compiled in, so that one binary is all there is to install.
//!
//! What they show comes from strangers, so their policies forbid whatever could turn text into script.

/// A file of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The path of its URL.
    pub path: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its `Content-Security-Policy`.
    pub policy: &'static str,
    /// Its content.
    pub body: &'static str,
}

/// Scripts and styles come from here only, none may be inline, and no text can be handed to a parser of markup.
macro_rules! policy {
    ($connections:literal) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src ",
            $connections,
            "; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'"
        )
    };
}

/// A file behind what all of its kind share.
macro_rules! behind {
    ($shared:literal, $own:literal) => {
        concat!(include_str!($shared), include_str!($own))
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Connections may go anywhere on the web: the user types the address of the server.
const fn of_client(path: &'static str, content_type: &'static str, body: &'static str) -> Page {
    Page { path, content_type, policy: policy!("http: https:"), body }
}

/// Connections go to its own server only.
const fn of_actors(path: &'static str, content_type: &'static str, body: &'static str) -> Page {
    Page { path, content_type, policy: policy!("'self'"), body }
}

/// The test client, on the public listener.
pub const TEST_CLIENT: [Page; 5] = [
    of_client("/sse_test_client.html", HTML, behind!("head.html", "sse_test_client.html")),
    of_client("/sse_test_client.css", CSS, behind!("look.css", "sse_test_client.css")),
    of_client("/sse_test_client.js", SCRIPT, include_str!("sse_test_client.js")),
    of_client("/sse_test_client_rows.js", SCRIPT, include_str!("sse_test_client_rows.js")),
    of_client("/sse_test_client_sample.js", SCRIPT, include_str!("sse_test_client_sample.js")),
];

/// The page of the actors, on the admin listener.
pub const ACTORS: [Page; 4] = [
    of_actors("/", HTML, behind!("head.html", "actors.html")),
    of_actors("/actors.css", CSS, behind!("look.css", "actors.css")),
    of_actors("/actors.js", SCRIPT, include_str!("actors.js")),
    of_actors("/actors_rows.js", SCRIPT, include_str!("actors_rows.js")),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each page its HTML, and all of its files.
    fn pages() -> [(&'static str, &'static [Page]); 2] {
        [(TEST_CLIENT[0].body, &TEST_CLIENT), (ACTORS[0].body, &ACTORS)]
    }

    fn scripts(files: &[Page]) -> impl Iterator<Item = &Page> {
        files.iter().filter(|file| file.content_type == SCRIPT)
    }

    fn attribute_values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
        html.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    #[test]
    fn the_html_refers_to_every_other_file_and_to_nothing_else() {
        for (html, files) in pages() {
            let mut referred = attribute_values(html, "src=\"");
            referred.extend(attribute_values(html, "href=\"").into_iter().filter(|href| !href.starts_with("data:")));
            referred.sort_unstable();
            let mut served: Vec<_> = files[1..].iter().map(|file| file.path.trim_start_matches('/')).collect();
            served.sort_unstable();
            assert_eq!(referred, served);
        }
    }

    #[test]
    fn the_html_holds_nothing_inline_that_the_policy_would_refuse() {
        for (html, _) in pages() {
            let lower = html.to_lowercase();
            for forbidden in
                ["<style", "style=\"", "javascript:", " onclick", " onload", " onsubmit", "<base", "<iframe", "<object"]
            {
                assert!(!lower.contains(forbidden), "{forbidden}");
            }
            for (start, _) in lower.match_indices("<script") {
                let tag = lower[start..].split("</script>").next().unwrap();
                assert!(tag.contains(" src=") && tag.ends_with('>'), "{tag}");
            }
        }
    }

    #[test]
    fn no_script_hands_text_to_a_parser() {
        for file in pages().iter().flat_map(|(_, files)| scripts(files)) {
            for sink in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc", "DOMParser"]
            {
                assert!(!file.body.contains(sink), "{sink} in {}", file.path);
            }
        }
    }

    #[test]
    fn every_id_that_the_scripts_ask_for_is_in_the_html() {
        for (html, files) in pages() {
            let ids = attribute_values(html, "id=\"");
            for file in scripts(files) {
                for call in ["byId(\"", "setText(\"", "on(\""] {
                    for id in attribute_values(file.body, call) {
                        assert!(ids.contains(&id), "{id} in {}", file.path);
                    }
                }
            }
        }
    }

    #[test]
    fn the_policies_allow_no_inline_code() {
        for file in TEST_CLIENT.iter().chain(&ACTORS) {
            assert!(!file.policy.contains("unsafe"));
            for directive in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
                assert!(file.policy.split("; ").any(|part| part.trim() == directive), "{directive}");
            }
        }
    }
}
