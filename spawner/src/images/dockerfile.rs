//! As much of a Dockerfile as must be understood: which images it is made of, and where its stages begin.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// What was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dockerfile {
    lines: Vec<String>,
    /// Lines, counted from 0, after which a stage has begun.
    begins: Vec<usize>,
    /// Images that are not stages of this file, each once, in order.
    pub(super) images: Vec<String>,
}

impl Dockerfile {
    /// Reads a Dockerfile.
    ///
    /// # Errors
    /// `Invalid` where it is not one, or where the images cannot be told from the text.
    pub(super) fn read(text: &str) -> Result<Self> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (mut begins, mut images, mut stages) = (Vec::new(), Vec::new(), Vec::new());
        let mut variables = BTreeMap::new();
        for (end, instruction) in instructions(&lines) {
            let mut words = instruction.split_ascii_whitespace();
            let verb = words.next().unwrap_or_default().to_ascii_uppercase();
            let image = match verb.as_str() {
                "ARG" if begins.is_empty() => {
                    for (name, value) in words.filter_map(|w| w.split_once('=')) {
                        variables
                            .insert(name.to_owned(), value.trim_matches(['"', '\'']).to_owned());
                    }
                    None
                }
                "FROM" => {
                    begins.push(end);
                    let mut words = words.skip_while(|w| w.starts_with("--"));
                    let image = words.next().ok_or_else(|| invalid("FROM names no image"))?;
                    let image = resolve(image, &variables)?;
                    let known = image == "scratch" || stages.contains(&image.to_ascii_lowercase());
                    let name = words.nth(1).map(str::to_ascii_lowercase);
                    stages.push(name.unwrap_or_default());
                    (!known).then_some(image)
                }
                "COPY" | "ADD" => {
                    let from = words.find_map(|w| w.strip_prefix("--from="));
                    let stage = |f: &str| {
                        f.parse::<usize>().is_ok() || stages.contains(&f.to_ascii_lowercase())
                    };
                    match from.filter(|f| !stage(f)) {
                        Some(from) => Some(resolve(from, &BTreeMap::new())?),
                        None => None,
                    }
                }
                _ => None,
            };
            images.extend(image.filter(|i| !images.contains(i)));
        }
        if begins.is_empty() {
            return Err(invalid("it has no FROM"));
        }
        Ok(Self {
            lines,
            begins,
            images,
        })
    }

    /// The text with `added` at the beginning of every stage.
    pub(super) fn with(&self, added: &str) -> String {
        let mut out = String::new();
        for (at, line) in self.lines.iter().enumerate() {
            out.push_str(line);
            out.push('\n');
            if self.begins.contains(&at) {
                out.push_str(added);
            }
        }
        out
    }
}

/// Each instruction as one line, with the number of its last line.
fn instructions(lines: &[String]) -> Vec<(usize, String)> {
    let escape = escape(lines);
    let mut out = Vec::new();
    let mut begun: Option<String> = None;
    for (at, line) in lines.iter().enumerate() {
        let text = line.trim();
        // Comments and empty lines may also stand within an instruction.
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let mut whole = begun.take().unwrap_or_default();
        if let Some(part) = text.strip_suffix(escape) {
            whole.push_str(part);
            begun = Some(whole);
        } else {
            whole.push_str(text);
            out.push((at, whole));
        }
    }
    out.extend(begun.map(|whole| (lines.len().saturating_sub(1), whole)));
    out
}

/// What continues a line: the directive `# escape=` at the top, else a backslash.
fn escape(lines: &[String]) -> char {
    let directives = lines
        .iter()
        .map_while(|l| l.trim().strip_prefix('#')?.split_once('='));
    directives
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("escape"))
        .find_map(|(_, value)| value.trim().chars().next())
        .filter(|c| *c == '`')
        .unwrap_or('\\')
}

/// Puts in the values of `$NAME` and `${NAME}`.
fn resolve(word: &str, variables: &BTreeMap<String, String>) -> Result<String> {
    let mut out = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, tail) = if let Some(inner) = after.strip_prefix('{') {
            inner.split_once('}').unwrap_or((inner, ""))
        } else {
            let end = after
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(after.len());
            after.split_at(end)
        };
        let value = variables.get(name).ok_or_else(|| {
            invalid(&format!(
                "which image {word:?} is cannot be told: write it out"
            ))
        })?;
        out.push_str(value);
        rest = tail;
    }
    out.push_str(rest);
    if out.is_empty() {
        return Err(invalid(&format!("{word:?} names no image")));
    }
    Ok(out)
}

fn invalid(what: &str) -> Error {
    Error::Invalid(format!("the Dockerfile cannot be used: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(text: &str) -> Vec<String> {
        Dockerfile::read(text).unwrap().images
    }

    #[test]
    fn every_image_from_outside_is_found_and_no_stage() {
        let text = "# syntax=x\nARG V=3.12\nfrom --platform=linux/amd64 \\\n  # why\n  python:${V} as one\nRUN x\nFROM one AS two\n\
                    COPY --from=ghcr.io/x/uv:1 /uv /uv\nCOPY --from=ONE /a /b\nCOPY --from=0 /a /b\nFROM scratch\nFROM python:$V\n";
        assert_eq!(images(text), ["python:3.12", "ghcr.io/x/uv:1"]);
    }

    #[test]
    fn an_image_that_cannot_be_told_is_refused() {
        for text in [
            "FROM $X",
            "ARG X\nFROM ${X:-y}",
            "FROM a\nCOPY --from=$B /x /y",
            "FROM",
            "RUN x",
            "",
        ] {
            assert!(
                matches!(Dockerfile::read(text), Err(Error::Invalid(_))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn lines_are_added_where_a_stage_begins() {
        let file =
            Dockerfile::read("ARG A=x\nFROM \\\n $A\nRUN echo FROM \\\n FROM y\nFROM b\n").unwrap();
        assert_eq!(
            file.with("LABEL a=b\n"),
            "ARG A=x\nFROM \\\n $A\nLABEL a=b\nRUN echo FROM \\\n FROM y\nFROM b\nLABEL a=b\n"
        );
        assert_eq!(file.images, ["x", "b"]);
    }

    #[test]
    fn the_escape_sign_can_be_another() {
        assert_eq!(
            images("# escape=`\nFROM `\n a\nRUN x\\\nFROM b"),
            ["a", "b"]
        );
    }
}
