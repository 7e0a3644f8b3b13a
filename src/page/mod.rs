//! HTML pages with charts that open offline, in one file each.

pub(crate) mod plot;

use crate::whole_file::{self, FileKind};

/// The browser itself refuses every request to a network, whichever script makes it.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      img-src data: blob:";

/// The beginning of every page.
const BEGINNING: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                         <meta http-equiv=\"Content-Security-Policy\" content=\"";

/// The files that a page may replace.
pub(crate) const PAGE: FileKind = FileKind {
    what: "a page",
    is_ours: &|file| whole_file::begins_with(file, [BEGINNING, POLICY].concat().as_bytes()),
};

/// Returns a page of that title (escaped here) and body (markup); `script` runs when all of it is
/// there.
pub(crate) fn page(title: &str, style: &str, body: &str, script: &str) -> String {
    let (title, library) = (escape(title), chart_library());
    format!(
        "{BEGINNING}{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n{library}\n</head>\n<body>\n<main>\n\
         {body}</main>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )
}

/// Returns the script of the charts. The crate offers it together with a typesetter of formulas,
/// which no page needs: the first of its two scripts is taken.
fn chart_library() -> String {
    const END: &str = "</script>";
    let mut scripts = plotly::Plot::offline_js_sources();
    if let Some(at) = scripts.find(END) {
        scripts.truncate(at + END.len());
    }
    scripts
}

/// Returns text that is safe between and inside HTML tags.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_into_markup() {
        assert_eq!(
            escape("<a href=\"x\" id='y'>&"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;"
        );
    }
}
