//! The older text form of Prometheus, made from OpenMetrics: there a counter's type is told under the name with `_total`.

/// The same metrics, version 0.0.4.
pub(super) fn prometheus(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        if let Some(told) = line.strip_prefix("# HELP ") {
            help = Some(told);
        } else if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').unwrap_or((told, ""));
            let suffix = if kind == "counter" { "_total" } else { "" };
            let help = help.take().and_then(|help| help.split_once(' ')).map_or("", |(_, help)| help);
            text.push_str(&format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_told_under_their_whole_name_and_nothing_else_changes() {
        let openmetrics = "# HELP a Some.\n# TYPE a counter\na_total{b=\"#\"} 1\n# HELP c_seconds Long.\n# TYPE c_seconds histogram\n\
            # UNIT c_seconds seconds\nc_seconds_sum 0.5\n# EOF\n";
        assert_eq!(
            prometheus(openmetrics),
            "# HELP a_total Some.\n# TYPE a_total counter\na_total{b=\"#\"} 1\n# HELP c_seconds Long.\n# TYPE c_seconds histogram\n\
            c_seconds_sum 0.5\n"
        );
    }
}
