//! Notebooks that mean ill, or are broken.

use serde_json::{Value, json};

use super::pieces::printed;
use super::{PNG, code, display, has, markdown, options, page, page_with, shown};
use crate::export::Options;

const EVIL: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

#[test]
fn strings_are_escaped_wherever_they_stand() {
    let stream =
        |name: &str, text: &str| json!({"output_type": "stream", "name": name, "text": text});
    let cells = json!([
        {"cell_type": EVIL, "metadata": {}, "source": EVIL, "id": EVIL},
        {"cell_type": "raw", "metadata": {"tags": [EVIL]}, "source": EVIL},
        {"cell_type": "markdown", "metadata": {}, "attachments": {EVIL: {EVIL: EVIL}},
         "source": format!("`{EVIL}` ${EVIL}$ [a](<{EVIL}> '{EVIL}') ![{EVIL}](<attachment:{EVIL}>) [^{EVIL}]\n\n```{EVIL}\n{EVIL}\n```\n\n# {EVIL}\n\n{EVIL}")},
        code(EVIL, json!([
            stream(EVIL, EVIL), stream("stdout", &format!("\u{1b}[38;2;1;2;3m{EVIL}\u{1b}]8;;{EVIL}\u{7}")),
            {"output_type": "error", "ename": EVIL, "evalue": EVIL, "traceback": []},
            {"output_type": "error", "ename": "", "evalue": "", "traceback": [EVIL]},
            {"output_type": EVIL},
            display(json!({EVIL: EVIL})), display(json!({"text/plain": EVIL})), display(json!({"text/latex": EVIL})),
            display(json!({"text/markdown": EVIL})), display(json!({"image/svg+xml": EVIL})),
            display(json!({"image/png": EVIL, "text/plain": EVIL})), display(json!({"image/png": PNG, "text/plain": EVIL})),
            display(json!({"application/json": {EVIL: EVIL}})),
        ])),
    ]);
    let options = Options {
        title: EVIL.to_owned(),
        note: Some(EVIL.to_owned()),
        code: true,
    };
    let page = page_with(&cells, &options);
    assert!(!page.contains("<script"), "{page}");
    assert!(!page.contains("<img src=x"), "{page}");
    // An attribute's value ends only where we end it.
    for tag in page
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
    {
        let bare: String = tag.split('"').step_by(2).collect();
        assert!(!bare.contains("onerror"), "{tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
}

#[test]
fn scripts_cannot_end_early() {
    let page = shown(
        json!({"application/javascript": "a = '</script><b>'; '</SCRIPT >'; '<!-- <script>' // end"}),
    );
    has(
        &page,
        "a = '<\\/script><b>'; '<\\/SCRIPT >'; '<\\!-- <script>' // end\n})",
    );
    assert_eq!(page.to_lowercase().matches("</script").count(), 1);
    has(&page, "id=\"o0-0\"");
}

#[test]
fn links_of_markdown_run_nothing() {
    for url in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "<java\tscript:alert(1)>",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "&#106;avascript:alert(1)",
        "javascript&colon;alert(1)",
    ] {
        let page = markdown(&format!("[x]({url}) <a href=\"{url}\">y</a>"));
        assert!(!page.contains("href"), "{page}");
    }
    for url in [
        "https://e.org/?a=1",
        "mailto:a@e.org",
        "#A-b",
        "other.ipynb",
    ] {
        has(
            &markdown(&format!("[x]({url})")),
            &format!("<a href=\"{url}\" rel=\"noopener noreferrer\">"),
        );
    }
    has(&markdown("<a@e.org>"), "href=\"mailto:a@e.org\"");
}

#[test]
fn html_in_markdown_is_formatting_only() {
    has(
        &markdown("<div align=\"center\">\n\n**b**\n\n</div>"),
        "<div align=\"center\">",
    );
    has(&markdown("a <kbd onclick=x>K</kbd>"), "a <kbd>K</kbd>");
    has(&markdown("<iframe src=x></iframe>"), "&lt;iframe src=x&gt;");
    has(&markdown("a < b <3 <x"), "a &lt; b &lt;3 &lt;x");
    for source in [
        "<style>*{display:none}</style>\n\nend",
        "<script>\nx\n</script>\n\nend",
    ] {
        let page = markdown(source);
        assert!(
            !page.contains("display:none") && !page.contains("script") && page.contains("end"),
            "{page}"
        );
    }
}

#[test]
fn nothing_in_markdown_swallows_what_follows() {
    for source in [
        "<!-- never closed",
        "<textarea>",
        "<plaintext>",
        "<div title=\"",
        "<b><i><table>",
        "</section></section></main></body>",
        "<title>",
        "<![CDATA[",
        "<?php",
        "<!x",
        "<svg><style>",
    ] {
        let page = page(&json!([
            {"cell_type": "markdown", "metadata": {}, "source": source},
            {"cell_type": "markdown", "metadata": {}, "source": "after"},
        ]));
        for part in [
            "<!",
            "<textarea",
            "<plaintext",
            "<title",
            "<?",
            "<svg",
            "title=\"\n",
            "</main",
        ] {
            assert!(!page.contains(part), "{source}: {page}");
        }
        assert_eq!(
            page.matches("<section").count(),
            page.matches("</section>").count(),
            "{page}"
        );
        assert_eq!(
            page.matches("<b>").count(),
            page.matches("</b>").count(),
            "{page}"
        );
        has(&page, "<p>after</p>");
    }
}

#[test]
fn bad_base64_is_no_image() {
    for bad in ["", "====", "ab\"c", "ab-_", "YQ===", "a=b", "é"] {
        let page = shown(json!({"image/png": bad, "text/plain": "stands in"}));
        assert!(!page.contains("<img"), "{bad}");
        has(&page, "stands in");
    }
    has(
        &shown(json!({"image/jpeg": "\""})),
        "cannot show: image/jpeg",
    );
}

#[test]
fn documents_of_any_shape_make_a_page() {
    let odd = [
        json!(null),
        json!(true),
        json!(-1.5e300),
        json!(""),
        json!("\u{0}\u{1b}["),
        json!([]),
        json!([null, 1, "a", {}]),
        json!({}),
        json!({"": {"": []}}),
    ];
    let cell_keys = ["outputs", "execution_count", "attachments", "id"];
    let output_keys = [
        "output_type",
        "name",
        "text",
        "data",
        "metadata",
        "traceback",
        "ename",
        "evalue",
        "execution_count",
    ];
    for value in &odd {
        for key in cell_keys {
            for kind in ["code", "markdown", "raw", "?"] {
                let mut cell = json!({"cell_type": kind, "metadata": {"tags": value, "jupyter": value, "collapsed": value}, "source": "![a](attachment:a)"});
                cell[key] = value.clone();
                page(&json!([cell]));
            }
        }
        for kind in ["stream", "error", "display_data", "execute_result"] {
            for key in output_keys {
                let mut output = json!({"output_type": kind});
                output[key] = value.clone();
                page(&json!([code("x", json!([value, output]))]));
            }
            every_mime(value, kind);
        }
    }
}

fn every_mime(value: &Value, kind: &str) {
    for mime in crate::export::output::ORDER.iter().chain(&["", "a/b"]) {
        let output =
            json!({"output_type": kind, "data": {*mime: value}, "metadata": {*mime: value}});
        page(&json!([code("x", json!([output]))]));
    }
}

#[test]
fn depth_and_repetition_cost_little() {
    let pieces = [
        "<b>",
        "</i>",
        "<style>",
        "<!--",
        "<a b='",
        "<a b=\"",
        "[",
        "![",
        "> ",
        "- ",
        "*",
        "`",
        "$",
        "[^a]",
        "|",
        "<div>\n\n",
        "<",
        "<a/x=",
    ];
    for piece in pieces {
        markdown(&piece.repeat(5_000));
        // What costs with the square of its length does not end in this.
        markdown(&format!("<div>\n{}", piece.repeat(200_000 / piece.len())));
    }
    markdown(&format!("{}{}", "<b>".repeat(5_000), "</i>".repeat(5_000)));
    for piece in ["\u{1b}]", "\u{1b}[2K", "\u{1b}[1K", "a\u{1b}[2K", "\u{8}a"] {
        let line = "x".repeat(60_000);
        printed(&format!("{line}{}", piece.repeat(300_000)));
    }
}

#[test]
fn an_attachment_that_is_named_often_makes_no_large_page() {
    let image = "A".repeat(100_000);
    let cell = json!({"cell_type": "markdown", "id": "m", "metadata": {}, "attachments": {"a.png": {"image/png": image}},
        "source": "![](attachment:a.png) <img src='attachment:a.png'>".repeat(1000)});
    let page = page_with(&json!([cell]), &options());
    assert_eq!(page.matches("data:image/png").count(), 4);
    assert!(page.len() < 1_000_000, "{}", page.len());
}

#[test]
fn halves_of_characters_and_deep_nesting_are_shown_as_far_as_they_go() {
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let outputs = format!(
        r#"[{{"output_type": "stream", "name": "stdout", "text": "a\ud800b"}}, {{"output_type": "display_data", "data": {{"application/json": {deep}}}}}]"#
    );
    let text = format!(
        r#"{{"nbformat": 4, "metadata": {{}}, "cells": [{{"cell_type": "code", "source": "x", "outputs": {outputs}}}]}}"#
    );
    let document = crate::notebook::Document::parse(&text).unwrap();
    let mut out = Vec::new();
    super::html(&document, &options(), &mut out).unwrap();
    has(&String::from_utf8(out).unwrap(), "a\u{fffd}b</pre>");
}
