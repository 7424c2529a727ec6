//! The test page, served with everything that it names.

use crate::support::Hub;

#[test]
fn the_test_page_is_served_with_everything_that_it_names() {
    let hub = Hub::start();
    let answer = hub.get("/sse_test_client.html");
    assert_eq!(answer.status(), 200);
    assert!(answer.head.header("content-type").is_some_and(|value| value.starts_with("text/html")));
    let page = answer.text();
    assert!(page.contains("Connect"), "{page}");
    for attribute in ["src=\"", "href=\""] {
        for named in page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
            if named.starts_with("data:") || named.starts_with('#') {
                continue;
            }
            assert!(!named.contains("//"), "the page names another server: {named}");
            let path = if named.starts_with('/') { named.to_owned() } else { format!("/{named}") };
            assert_eq!(hub.get(&path).status(), 200, "{named}");
        }
    }
}
