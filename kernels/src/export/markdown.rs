//! Markdown as HTML: GitHub's tables, task lists, strikethrough and footnotes; formulas as their TeX source.
//!
//! Source: nbformat 4.5, "Markdown cells" and "Cell attachments".

use std::io::{self, Write};

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

use super::clean::{self, Cleaner};
use super::data::Attachments;
use super::escape::Escaped;

/// Writes Markdown. `scope` keeps the footnotes of one text apart from those of another.
pub(super) fn write(
    source: &str,
    attachments: &Attachments,
    scope: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    if source.len() > super::LONGEST_FORMED {
        super::output::preformatted("plain", out)?;
        return writeln!(out, "{}</pre>", Escaped(source));
    }
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH;
    let mut page = Page {
        cleaner: Cleaner::new(attachments),
        attachments,
        scope,
        events: Vec::new(),
        block: None,
        ends: Vec::new(),
        links: 0,
        images: 0,
    };
    for event in Parser::new_ext(source, options) {
        page.event(event);
    }
    let mut events = page.events;
    name_headings(&mut events);
    html::write_html_io(&mut *out, events.into_iter())?;
    out.write_all(page.cleaner.finish().as_bytes())
}

/// Turns what the parser finds into what the page may hold.
struct Page<'a> {
    cleaner: Cleaner<'a>,
    attachments: &'a Attachments,
    scope: &'a str,
    events: Vec<Event<'a>>,
    /// The lines of an HTML block, which only together are whole tags.
    block: Option<String>,
    /// How each open link or image ends; `None` where the parser's own end does.
    ends: Vec<Option<&'static str>>,
    links: usize,
    /// Open images of the page: inside them stands the text in their stead, and nothing else.
    images: usize,
}

impl<'a> Page<'a> {
    fn event(&mut self, event: Event<'a>) {
        match event {
            Event::Html(text) if self.block.is_some() => {
                self.block.get_or_insert_default().push_str(&text);
            }
            Event::Html(text) | Event::InlineHtml(text) => self.html(&text),
            Event::Start(Tag::HtmlBlock) => self.block = Some(String::new()),
            Event::End(TagEnd::HtmlBlock) => {
                let block = self.block.take().unwrap_or_default();
                self.html(&block);
            }
            Event::InlineMath(tex) => self.math("math", &tex),
            Event::DisplayMath(tex) => self.math("math display", &tex),
            Event::FootnoteReference(label) => {
                let label = format!("{}{label}", self.scope);
                self.events.push(Event::FootnoteReference(label.into()));
            }
            Event::Start(tag) => self.start(tag),
            Event::End(end @ (TagEnd::Link | TagEnd::Image)) => self.end(end),
            event => self.events.push(event),
        }
    }

    fn start(&mut self, tag: Tag<'a>) {
        match tag {
            Tag::Link {
                link_type,
                dest_url,
                title,
                ..
            } => self.link(link_type, &dest_url, &title),
            Tag::Image {
                dest_url, title, ..
            } => self.image(&dest_url, title),
            Tag::FootnoteDefinition(label) => {
                let label = format!("{}{label}", self.scope);
                let tag = Tag::FootnoteDefinition(label.into());
                self.events.push(Event::Start(tag));
            }
            tag => self.events.push(Event::Start(tag)),
        }
    }

    fn link(&mut self, kind: LinkType, url: &str, title: &str) {
        if self.images > 0 {
            return self.ends.push(Some(""));
        }
        let mail = if kind == LinkType::Email {
            "mailto:"
        } else {
            ""
        };
        let url = format!("{mail}{url}");
        let opening = if clean::is_link(&url) {
            anchor(&url, title)
        } else {
            "<a>".to_owned()
        };
        self.links += 1;
        self.push_html(opening);
        self.ends.push(Some("</a>"));
    }

    /// An image that is not in the page cannot be shown: a link to it stands for it, or its text.
    fn image(&mut self, url: &str, title: CowStr<'a>) {
        let found = clean::image(url, self.attachments);
        if found.is_some() || self.images > 0 {
            self.images += 1;
            let dest_url = found.unwrap_or_default().into();
            self.events.push(Event::Start(Tag::Image {
                link_type: LinkType::Inline,
                dest_url,
                title,
                id: CowStr::Borrowed(""),
            }));
            return self.ends.push(None);
        }
        let is_remote = url.starts_with("https://") || url.starts_with("http://");
        if is_remote && self.links == 0 {
            self.links += 1;
            self.push_html(anchor(url, &title));
            self.ends.push(Some("</a>"));
        } else {
            self.push_html("<span class=\"absent\">".to_owned());
            self.ends.push(Some("</span>"));
        }
    }

    fn end(&mut self, end: TagEnd) {
        match self.ends.pop().flatten() {
            None => {
                self.images = self.images.saturating_sub(1);
                self.events.push(Event::End(end));
            }
            Some("") => {}
            Some(closing) => {
                self.links -= usize::from(closing == "</a>");
                self.push_html(closing.to_owned());
            }
        }
    }

    fn html(&mut self, text: &str) {
        if self.images == 0 {
            let clean = self.cleaner.clean(text);
            self.push_html(clean);
        }
    }

    fn math(&mut self, class: &str, tex: &str) {
        if self.images > 0 {
            return self.events.push(Event::Text(tex.to_owned().into()));
        }
        self.push_html(format!("<code class=\"{class}\">{}</code>", Escaped(tex)));
    }

    fn push_html(&mut self, text: String) {
        self.events.push(Event::InlineHtml(text.into()));
    }
}

fn anchor(url: &str, title: &str) -> String {
    let title = if title.is_empty() {
        String::new()
    } else {
        format!(" title=\"{}\"", Escaped(title))
    };
    let url = Escaped(url);
    format!("<a href=\"{url}\"{title} rel=\"noopener noreferrer\">")
}

/// Gives headings the ids that `JupyterLab` gives them, so that a notebook's own table of contents works.
fn name_headings(events: &mut [Event<'_>]) {
    let mut open = None;
    let mut text = String::new();
    for at in 0..events.len() {
        match &events[at] {
            Event::Start(Tag::Heading { .. }) => {
                open = Some(at);
                text.clear();
            }
            Event::Text(part) | Event::Code(part) if open.is_some() => text.push_str(part),
            Event::End(TagEnd::Heading(_)) => {
                let start = open.take().map(|start| &mut events[start]);
                if let Some(Event::Start(Tag::Heading { id, .. })) = start {
                    *id = Some(text.replace(' ', "-").into());
                }
            }
            _ => {}
        }
    }
}
