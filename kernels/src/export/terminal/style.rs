//! How a character of a terminal looks.

use std::fmt::Write as _;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    /// One of the sixteen whose look the page decides.
    Named(u8),
    Exact(u8, u8, u8),
}

/// What SGR sequences have set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Style {
    front: Option<Colour>,
    back: Option<Colour>,
    flags: u8,
}

const BOLD: u8 = 1;
const ITALIC: u8 = 2;
const UNDERLINE: u8 = 4;
const STRIKE: u8 = 8;
const INVERSE: u8 = 16;
const FAINT: u8 = 32;
const CLASSES: [(u8, &str); 6] = [
    (BOLD, "bold"),
    (ITALIC, "italic"),
    (UNDERLINE, "underline"),
    (STRIKE, "strike"),
    (INVERSE, "inverse"),
    (FAINT, "faint"),
];

impl Style {
    /// Takes the parameters of one SGR sequence.
    pub(super) fn apply(&mut self, parameters: &str) {
        let mut groups = parameters.split(';');
        while let Some(group) = groups.next() {
            let mut parts = group.split(':');
            let code = parts.next().unwrap_or_default();
            let Some(code) = number(code) else { continue };
            if !matches!(code, 38 | 48) {
                let is_off = code == 4 && parts.next() == Some("0");
                self.set(if is_off { 24 } else { code });
                continue;
            }
            let colour = if group.contains(':') {
                let parts: Vec<&str> = parts.collect();
                // The form with colons may name a colour space before the three values.
                let parts = match parts.as_slice() {
                    ["2", _, rgb @ ..] if rgb.len() >= 3 => [&["2"], rgb].concat(),
                    _ => parts,
                };
                colour(&mut parts.into_iter())
            } else {
                colour(&mut groups)
            };
            let Some(colour) = colour else { continue };
            if code == 38 {
                self.front = Some(colour);
            } else {
                self.back = Some(colour);
            }
        }
    }

    /// The attributes of a span; none for plain text.
    pub(super) fn attributes(self) -> Option<String> {
        if self == Self::default() {
            return None;
        }
        let mut classes: Vec<String> = Vec::new();
        let mut style = String::new();
        let flags = CLASSES.iter().filter(|(flag, _)| self.flags & flag != 0);
        classes.extend(flags.map(|(_, class)| (*class).to_owned()));
        // What neither side sets, the class of the inverse does.
        let (front, back) = if self.flags & INVERSE == 0 {
            (self.front, self.back)
        } else {
            (self.back, self.front)
        };
        let sides = [(front, "fg", "color"), (back, "bg", "background-color")];
        for (colour, class, property) in sides {
            match colour {
                Some(Colour::Named(number)) => classes.push(format!("{class}{number}")),
                Some(Colour::Exact(r, g, b)) => {
                    let _ = write!(style, "{property}:#{r:02x}{g:02x}{b:02x};");
                }
                None => {}
            }
        }
        let mut attributes = String::new();
        if !classes.is_empty() {
            let _ = write!(attributes, " class=\"{}\"", classes.join(" "));
        }
        if !style.is_empty() {
            let _ = write!(attributes, " style=\"{style}\"");
        }
        Some(attributes)
    }

    fn set(&mut self, code: u8) {
        match code {
            0 => *self = Self::default(),
            1 => self.flags |= BOLD,
            2 => self.flags |= FAINT,
            3 => self.flags |= ITALIC,
            4 | 21 => self.flags |= UNDERLINE,
            7 => self.flags |= INVERSE,
            9 => self.flags |= STRIKE,
            22 => self.flags &= !(BOLD | FAINT),
            23 => self.flags &= !ITALIC,
            24 => self.flags &= !UNDERLINE,
            27 => self.flags &= !INVERSE,
            29 => self.flags &= !STRIKE,
            30..=37 => self.front = Some(Colour::Named(code - 30)),
            39 => self.front = None,
            40..=47 => self.back = Some(Colour::Named(code - 40)),
            49 => self.back = None,
            90..=97 => self.front = Some(Colour::Named(code - 82)),
            100..=107 => self.back = Some(Colour::Named(code - 92)),
            _ => {}
        }
    }
}

/// A parameter; one that is left out is 0.
fn number(text: &str) -> Option<u8> {
    if text.is_empty() {
        return Some(0);
    }
    text.parse().ok()
}

fn colour<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Option<Colour> {
    let mut next = || number(parts.next()?);
    match next()? {
        5 => Some(indexed(next()?)),
        2 => Some(Colour::Exact(next()?, next()?, next()?)),
        _ => None,
    }
}

/// The 256 colours of xterm: sixteen named ones, a cube of six levels, and greys.
fn indexed(index: u8) -> Colour {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        0..16 => Colour::Named(index),
        16..232 => {
            let cube = index - 16;
            Colour::Exact(level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        _ => {
            let grey = 8 + 10 * (index - 232);
            Colour::Exact(grey, grey, grey)
        }
    }
}
