//! The page: a few files that are part of this program, so that it needs nobody else's. They are for whoever can ask;
//! what they show comes from the API, by its rules.

use axum::{Router, http::header, routing::get};

/// The files, each at its own path.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |routes, (path, kind, text)| {
        routes.route(path, get(async || ([(header::CONTENT_TYPE, *kind)], HEADERS, *text)))
    })
}

/// What a browser may do with them: nothing but show them, and ask where they came from.
const HEADERS: [(header::HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    // After an upgrade the script must not be that of the former version.
    (header::CACHE_CONTROL, "no-cache"),
];

macro_rules! files {
    ($($path:literal = $file:literal, $kind:ident;)*) => {
        &[$(($path, $kind, include_str!(concat!("page/", $file)))),*]
    };
}

const FILES: &[(&str, &str, &str)] = files! {
    "/" = "index.html", HTML;
    "/page.css" = "page.css", CSS;
    "/icon.svg" = "icon.svg", SVG;
    "/page.js" = "page.js", SCRIPT;
    "/api.js" = "api.js", SCRIPT;
    "/blacklist.js" = "blacklist.js", SCRIPT;
    "/certificates.js" = "certificates.js", SCRIPT;
    "/chart.js" = "chart.js", SCRIPT;
    "/connections.js" = "connections.js", SCRIPT;
    "/dom.js" = "dom.js", SCRIPT;
    "/hosts.js" = "hosts.js", SCRIPT;
    "/live.js" = "live.js", SCRIPT;
    "/log.js" = "log.js", SCRIPT;
    "/parts.js" = "parts.js", SCRIPT;
    "/recent.js" = "recent.js", SCRIPT;
    "/requests.js" = "requests.js", SCRIPT;
    "/table.js" = "table.js", SCRIPT;
    "/words.js" = "words.js", SCRIPT;
};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Reason;

    fn text_of(path: &str) -> &'static str {
        FILES.iter().find(|file| file.0 == path).expect("a file of the page").2
    }

    #[test]
    fn every_module_that_is_imported_is_served() {
        for (path, _, text) in FILES {
            let imported = text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next());
            for name in imported {
                assert!(FILES.iter().any(|file| file.0 == format!("/{name}")), "{path} imports {name}");
            }
        }
    }

    #[test]
    fn nothing_is_read_as_markup_and_nothing_leads_elsewhere() {
        let forbidden =
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"];
        for (path, _, text) in FILES {
            for word in forbidden {
                assert!(!text.contains(word), "{path} has {word}");
            }
        }
    }

    #[test]
    fn every_reason_is_told_in_words() {
        for reason in Reason::ALL {
            assert!(text_of("/words.js").contains(&format!("\"{reason}\": \"")), "{reason}");
        }
    }
}
