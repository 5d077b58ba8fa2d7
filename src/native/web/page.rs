//! Pages for people: one look for all, in one file without anything to fetch or to run.

/// A page with this content inside of `main`, which is HTML already.
pub(super) fn page(title: &str, content: &str) -> String {
    let title = escape(title);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · wamplet</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{content}\
         <footer class=\"quiet\">wamplet {version}</footer>\n</main>\n</body>\n</html>\n"
    )
}

/// Text as HTML, between tags or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

const STYLE: &str = include_str!("page.css");
