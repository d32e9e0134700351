//! Pages of whole notebooks.

mod hostile;
mod pieces;

use serde_json::{Value, json};

use super::{Options, html};
use crate::notebook::Document;

/// The smallest PNG there is.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

fn page_with(cells: &Value, options: &Options) -> String {
    let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "cells": cells,
        "metadata": {"language_info": {"name": "python"}}});
    let document = Document::parse(&notebook.to_string()).unwrap();
    let mut out = Vec::new();
    html(&document, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn options() -> Options {
    Options {
        title: "Title".to_owned(),
        code: true,
        note: None,
    }
}

/// The page's content alone.
fn page(cells: &Value) -> String {
    let page = page_with(cells, &options());
    let (_, main) = page.split_once("<main>\n").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    main.to_owned()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "callers write the value where it goes"
)]
fn code(source: &str, outputs: Value) -> Value {
    json!({"cell_type": "code", "metadata": {}, "execution_count": 1, "source": source, "outputs": outputs})
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "callers write the value where it goes"
)]
fn display(data: Value) -> Value {
    json!({"output_type": "display_data", "metadata": {}, "data": data})
}

/// What one output of this data shows.
fn shown(data: Value) -> String {
    page(&json!([code("", json!([display(data)]))]))
}

fn markdown(source: &str) -> String {
    page(&json!([{"cell_type": "markdown", "metadata": {}, "source": source}]))
}

fn has(page: &str, part: &str) {
    assert!(page.contains(part), "no {part} in {page}");
}

#[test]
fn a_page_is_whole_and_reaches_out_to_nothing() {
    let options = Options {
        note: Some("vision#12 · complete".to_owned()),
        ..options()
    };
    let page = page_with(&json!([code("1", json!([]))]), &options);
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
    assert!(page.ends_with("</html>\n"));
    has(&page, "<p class=\"note\">vision#12 · complete</p>");
    has(&page, "<title>Title</title>");
    has(
        &page,
        "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src",
    );
    for part in ["http://", "https://", "<link", "@import", "url("] {
        assert!(!page.contains(part), "{part}");
    }
    let policy = super::CONTENT_SECURITY_POLICY;
    assert_eq!(
        policy,
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; \
        style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data: blob:; frame-src data: blob:; connect-src 'none'; form-action 'none'; \
        base-uri 'none'"
    );
}

#[test]
fn a_cell_of_code_has_its_number_its_source_and_its_outputs() {
    let page = page(&json!([code(
        "x = 'a'  # b",
        json!([
            {"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]},
            {"output_type": "stream", "name": "stderr", "text": "w"},
            {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": ["<x>"]}},
            {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\u{1b}[31mE\u{1b}[0m", "v"]},
        ])
    )]));
    has(&page, "[1]</span>");
    has(
        &page,
        "<code>x = <span class=\"string\">&#39;a&#39;</span>  <span class=\"comment\"># b</span></code>",
    );
    has(&page, "<pre class=\"stream\" tabindex=\"0\">\na\nb\n</pre>");
    has(
        &page,
        "<pre class=\"stream stderr\" tabindex=\"0\">\nw</pre>",
    );
    has(
        &page,
        "<pre class=\"plain\" tabindex=\"0\">\n&lt;x&gt;</pre>",
    );
    has(&page, "<span class=\"fg1\">E</span>\nv</pre>");
}

#[test]
fn without_code_only_what_was_put_out_stays() {
    let cells = json!([
        code("secret()", json!([])),
        code("shown()", json!([display(json!({"text/plain": "out"}))])),
    ]);
    let options = Options {
        code: false,
        ..options()
    };
    let page = page_with(&cells, &options);
    assert!(!page.contains("secret") && !page.contains("shown()"));
    assert_eq!(page.matches("class=\"cell code\"").count(), 1);
    has(&page, "out</pre>");
}

#[test]
fn what_is_hidden_in_jupyter_is_folded_and_parameters_are_named() {
    let mut hidden = code("a", json!([display(json!({"text/plain": "b"}))]));
    hidden["metadata"] =
        json!({"jupyter": {"source_hidden": true, "outputs_hidden": true}, "tags": ["parameters"]});
    let mut injected = code("c", json!([]));
    injected["metadata"] = json!({"tags": ["injected-parameters"]});
    let page = page(&json!([hidden, injected]));
    has(&page, "<details class=\"fold\"><summary>Code</summary>");
    has(&page, "<details class=\"fold\"><summary>Output</summary>");
    has(&page, "<p class=\"label\">Parameters</p>");
    has(&page, "<p class=\"label\">Parameters of this run</p>");
    assert_eq!(
        page.matches("<details").count(),
        page.matches("</details>").count()
    );
}

#[test]
fn the_richest_type_is_shown() {
    let plain = "<Figure>";
    has(
        &shown(json!({"text/plain": plain, "text/html": ["<b>", "x</b>"]})),
        "<b>x</b>",
    );
    let png =
        shown(json!({"text/plain": plain, "image/png": format!("{}\n{}\n", &PNG[..8], &PNG[8..])}));
    has(
        &png,
        &format!("<img src=\"data:image/png;base64,{PNG}\" alt=\"&lt;Figure&gt;\">"),
    );
    has(
        &shown(json!({"image/svg+xml": "<svg/>"})),
        "src=\"data:image/svg+xml;base64,PHN2Zy8+\"",
    );
    has(&shown(json!({"text/markdown": "*x*"})), "<em>x</em>");
    has(
        &shown(json!({"text/latex": "$$a<b$$"})),
        "<code class=\"math display\">a&lt;b</code>",
    );
    has(
        &shown(json!({"application/json": {"n": 1}, "text/plain": "J"})),
        "{\n  &quot;n&quot;: 1\n}",
    );
    let widget = json!({"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "IntSlider(value=0)"});
    has(&shown(widget), "IntSlider(value=0)");
    has(
        &shown(json!({"application/x<y": 1})),
        "cannot show: application/x&lt;y",
    );
    has(
        &shown(json!({"text/html": "", "text/plain": "p"})),
        "p</pre>",
    );
}

#[test]
fn a_size_from_metadata_is_kept_where_it_is_a_number() {
    let output = json!({"output_type": "display_data", "data": {"image/png": PNG},
        "metadata": {"image/png": {"width": 40, "height": "\"><script>"}}});
    let page = page(&json!([code("", json!([output]))]));
    has(&page, "alt=\"Image\" width=\"40\">");
}

#[test]
fn markdown_has_tables_tasks_footnotes_and_formulas() {
    let page = markdown(
        "# A b\n\n|a|b|\n|-|-|\n|1|2|\n\n- [x] done ~~no~~\n\nnote[^1] $a_1<b$ and $5 or $ 6\n\n[^1]: foot\n\n$$\nx\n$$",
    );
    has(&page, "<h1 id=\"A-b\">");
    has(&page, "<td>1</td>");
    has(&page, "type=\"checkbox\" checked");
    has(&page, "<del>no</del>");
    has(&page, "href=\"#c0-1\"");
    has(&page, "id=\"c0-1\"");
    has(&page, "<code class=\"math\">a_1&lt;b</code>");
    has(&page, "and $5 or $ 6");
    has(&page, "<code class=\"math display\">\nx\n</code>");
}

#[test]
fn images_of_markdown_are_in_the_page_or_links() {
    let cell = json!({"cell_type": "markdown", "metadata": {}, "attachments": {"my pic.png": {"image/png": PNG}},
        "source": "![alt *t*](attachment:my%20pic.png) ![b](https://e.org/b.png) ![c](c.png) [![d](https://e.org/d)](https://e.org)\n\n<img src='attachment:my%20pic.png' width=9>"});
    let page = page(&json!([cell]));
    has(
        &page,
        &format!("<img src=\"data:image/png;base64,{PNG}\" alt=\"alt t\""),
    );
    has(
        &page,
        "<a href=\"https://e.org/b.png\" rel=\"noopener noreferrer\">b</a>",
    );
    has(&page, "<span class=\"absent\">c</span>");
    has(
        &page,
        "<a href=\"https://e.org\" rel=\"noopener noreferrer\"><span class=\"absent\">d</span></a>",
    );
    has(
        &page,
        &format!("<img src=\"data:image/png;base64,{PNG}\" width=\"9\">"),
    );
}

#[test]
fn raw_cells_are_text() {
    let page = page(&json!([{"cell_type": "raw", "metadata": {}, "source": "<b>"}]));
    has(&page, "&lt;b&gt;</pre>");
}
