//! Terminals, source code and JSON by themselves.

use crate::export::{code, json, terminal};

pub(super) fn printed(text: &str) -> String {
    let mut out = Vec::new();
    terminal::write(text, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn python(source: &str) -> String {
    let mut out = Vec::new();
    code::python(source, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The text of the page, without its tags.
fn plain(html: &str) -> String {
    let mut parts = html.split('<');
    let mut text = parts.next().unwrap().to_owned();
    text.extend(parts.map(|part| part.split_once('>').unwrap().1));
    let references = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    references
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}

#[test]
fn colours_become_spans() {
    let cases = [
        (
            "\u{1b}[1;31mx\u{1b}[0my",
            "<span class=\"bold fg1\">x</span>y",
        ),
        (
            "\u{1b}[4mx\u{1b}[24my\u{1b}[m",
            "<span class=\"underline\">x</span>y",
        ),
        ("\u{1b}[92;104mx", "<span class=\"fg10 bg12\">x</span>"),
        ("\u{1b}[38;5;9mx", "<span class=\"fg9\">x</span>"),
        (
            "\u{1b}[38;5;196mx",
            "<span style=\"color:#ff0000;\">x</span>",
        ),
        (
            "\u{1b}[48;5;255mx",
            "<span style=\"background-color:#eeeeee;\">x</span>",
        ),
        ("\u{1b}[38;2;1;2;300;1mx", "<span class=\"bold\">x</span>"),
        (
            "\u{1b}[1;38;2;1;2;3mx",
            "<span class=\"bold\" style=\"color:#010203;\">x</span>",
        ),
        (
            "\u{1b}[38:2::1:2:3mx",
            "<span style=\"color:#010203;\">x</span>",
        ),
        (
            "\u{1b}[38:2:1:2:3mx",
            "<span style=\"color:#010203;\">x</span>",
        ),
        ("\u{1b}[7;31mx", "<span class=\"inverse bg1\">x</span>"),
        (
            "\u{1b}[31ma\nb\u{1b}[39mc",
            "<span class=\"fg1\">a</span>\n<span class=\"fg1\">b</span>c",
        ),
    ];
    for (text, html) in cases {
        assert_eq!(printed(text), html, "{text:?}");
    }
}

#[test]
fn other_escapes_go_and_text_stays() {
    let cases = [
        ("a\u{1b}[2Jb\u{1b}[?25lc\u{1b}[1;2Hd", "abcd"),
        ("\u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\b", "ab"),
        ("\u{1b}(Ba\u{1b}7b\u{1b}", "ab"),
        ("\u{1b}[31", ""),
        ("\u{1b}[é", "é"),
        ("\u{1b}]never ends\nb", "never ends\nb"),
        ("a\u{7}\u{0}b\tc\u{9b}", "ab\tc"),
    ];
    for (text, html) in cases {
        assert_eq!(printed(text), html, "{text:?}");
    }
}

#[test]
fn lines_are_overwritten_as_in_a_terminal() {
    let cases = [
        (" 10%\r 50%\r100%\n", "100%\n"),
        ("long line\rab\n", "abng line\n"),
        ("long line\r\u{1b}[Kab", "ab"),
        ("a\r\nb", "a\nb"),
        ("ab\u{8}c", "ac"),
        ("ab\u{1b}[2Kc", "  c"),
        ("\r\r\u{8}", ""),
    ];
    for (text, html) in cases {
        assert_eq!(printed(text), html, "{text:?}");
    }
    let long = "x".repeat(200_000);
    assert_eq!(printed(&long), long);
}

#[test]
fn python_is_marked_and_never_changed() {
    let sources = [
        "def f(a: int) -> str:\n\treturn f'{a!r:>{4}} é' + \"\"\"b\n\"\"\"  # c\n",
        "%matplotlib inline\n!ls -l | grep 'x'\nx = !pwd\nplt.plot?\n",
        "%%time\nx = 1\n",
        "%%bash\nif [ 1 ]; then echo 'é\nfi\n",
        "\n\n%%html\n<b>&\n",
        "%%",
        "x = (\n",
        "'''never ends",
        "f'{",
        "a $ b ¿ \u{0}c",
        "\u{feff}x = 1",
        "if x:\n  y\n z\n",
        "match x:\n  case 1: pass",
        "\\\n",
        "",
        "x\r\ny\r",
        "(((((((((((((((((((((((((((((((((1",
        "class A: ...",
    ];
    for source in sources {
        assert_eq!(plain(&python(source)).replace('\u{fffd}', "\u{0}"), source);
    }
    let html = python("%time f()\n%%x\nclass A:\n  x = None");
    assert!(
        html.contains("<span class=\"magic\">%time f()</span>"),
        "{html}"
    );
    let html = python("%%time\nimport a");
    assert_eq!(
        html,
        "<span class=\"magic\">%%time</span>\n<span class=\"keyword\">import</span> a"
    );
    assert_eq!(
        python("%%sh\nimport a"),
        "<span class=\"magic\">%%sh</span>\nimport a"
    );
    assert!(python("class A: pass").contains("<span class=\"name\">A</span>"));
}

#[test]
fn deep_python_does_not_end_the_process() {
    for open in [
        "(",
        "[",
        "-",
        "not ",
        "lambda: ",
        "f'{",
        "f\"",
        "a if b else ",
        "a**",
        "{1:",
        "a(",
        "if a:\n",
        "match ",
    ] {
        let source = open.repeat(20_000);
        assert_eq!(plain(&python(&source)), source);
    }
}

#[test]
fn json_keeps_its_numbers_and_its_order() {
    let text = r#"{"b":123456789012345678901234567890,"a":[1.50,{}, [ ],"x:\"{,\\"],"c":null}"#;
    assert_eq!(
        json::pretty(text),
        "{\n  \"b\": 123456789012345678901234567890,\n  \"a\": [\n    1.50,\n    {},\n    [],\n    \"x:\\\"{,\\\\\"\n  ],\n  \"c\": null\n}"
    );
}
