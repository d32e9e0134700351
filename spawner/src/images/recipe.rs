//! What has to be done for an image environment, read from its spec and from the files that it names.

use std::fs;
use std::io;
use std::path::Path;

use super::context::Context;
use super::dockerfile::Dockerfile;
use super::{ImageSpec, Source, allowed, conda, engine, layer};
use crate::error::Context as _;
use crate::{Error, Result};

/// Changes when the same files would give another image.
const BUILDER: u32 = 1;
/// More than any Dockerfile has.
const DOCKERFILE_BYTES: u64 = 1 << 20;

/// Everything about the image that can be told without asking the engine.
pub(super) struct Recipe {
    /// For people.
    pub(super) name: String,
    /// See [`super::Images::key`].
    pub(super) key: String,
    /// Set where nothing is built.
    pub(super) image: Option<String>,
    /// The images that it is built on.
    pub(super) bases: Vec<String>,
    /// The version of Python that the first base must have.
    pub(super) python: Option<String>,
    /// What is built.
    pub(super) content: Content,
}

/// What is built.
pub(super) enum Content {
    /// Nothing.
    Nothing,
    /// These requirements are installed.
    Layer(String),
    /// A Dockerfile is carried out.
    Folder(Dockerfile, Context),
}

impl Recipe {
    /// Reads what the spec names. Blocks.
    pub(super) fn read(name: &str, python: Option<String>, spec: &ImageSpec) -> Result<Self> {
        let layer = |base: &str, python: Option<String>, text: String| {
            let key = ["layer", base, python.as_deref().unwrap_or_default(), &text];
            (hash(&key), None, vec![base.to_owned()], python, text)
        };
        let (key, image, bases, python, text) = match &spec.source {
            Source::Image(image) => (
                hash(&["image", image]),
                Some(image.clone()),
                vec![],
                None,
                String::new(),
            ),
            Source::Requirements { base, text } => layer(base, python, layer::requirements(text)?),
            Source::Conda { base, text } => {
                let read = conda::read(text)?;
                layer(base, read.python, layer::requirements(&read.packages)?)
            }
            Source::Project { path, .. } => {
                return Err(Error::Invalid(format!(
                    "{path} is a file of a job's code, and this is no job"
                )));
            }
            Source::Dockerfile(path) => return Self::folder(name, spec, path),
        };
        let content = if image.is_some() {
            Content::Nothing
        } else {
            Content::Layer(text)
        };
        let recipe = Self {
            name: name.to_owned(),
            key,
            image,
            bases,
            python,
            content,
        };
        recipe.check(spec)
    }

    fn folder(name: &str, spec: &ImageSpec, path: &Path) -> Result<Self> {
        let (Some(folder), Some(file)) = (path.parent(), path.file_name()) else {
            return Err(Error::Invalid("a Dockerfile lies in a folder".to_owned()));
        };
        let file = file.to_string_lossy();
        let context = Context::read(folder)?;
        let text = match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_file() && meta.len() <= DOCKERFILE_BYTES => {
                fs::read_to_string(path).context(|| format!("{file} cannot be read"))?
            }
            Ok(_) => return Err(Error::Invalid(format!("{file} is not a small text file"))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotFound(file.into_owned()));
            }
            Err(e) => return Err(Error::internal(format!("{file} cannot be read"), e)),
        };
        let dockerfile = Dockerfile::read(text.trim_start_matches('\u{feff}'))?;
        let recipe = Self {
            name: name.to_owned(),
            key: hash(&["folder", &text, context.digest()]),
            image: None,
            bases: dockerfile.images.clone(),
            python: None,
            content: Content::Folder(dockerfile, context),
        };
        recipe.check(spec)
    }

    fn check(self, spec: &ImageSpec) -> Result<Self> {
        // Requirements are installed on an image of the configuration's.
        let theirs = matches!(spec.source, Source::Image(_) | Source::Dockerfile(_));
        for name in self.image.iter().chain(&self.bases) {
            engine::check(name)?;
            match spec.allowed.as_ref().filter(|_| theirs) {
                Some(patterns) if !allowed(patterns, name) => {
                    let which = if patterns.is_empty() {
                        "no images of people's own are (allowed_images is empty)".to_owned()
                    } else {
                        format!("these are: {}", patterns.join(", "))
                    };
                    return Err(Error::Invalid(format!(
                        "the image {name} is not allowed here; {which}"
                    )));
                }
                _ => {}
            }
        }
        Ok(self)
    }

    /// The name that the image is built under: over what is built, the very images it is built on, and what builds it.
    pub(super) fn tag(&self, bases: &[String], authorities: Option<&Path>) -> Result<String> {
        let authorities = match authorities {
            Some(path) => blake3::hash(&fs::read(path).context(|| {
                format!(
                    "the certificate authorities in {} cannot be read",
                    path.display()
                )
            })?)
            .to_hex()
            .to_string(),
            None => String::new(),
        };
        let bases = bases.join(" ");
        Ok(format!(
            "cairn-env:{}",
            hash(&[&self.key, &bases, &authorities])
        ))
    }
}

fn hash(parts: &[&str]) -> String {
    let all = serde_json::json!([BUILDER, parts]);
    blake3::hash(all.to_string().as_bytes()).to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(source: Source, allowed: Option<&[&str]>) -> ImageSpec {
        ImageSpec {
            source,
            allowed: allowed.map(|a| a.iter().map(|&p| p.to_owned()).collect()),
        }
    }

    fn requirements(text: &str) -> Recipe {
        let source = Source::Requirements {
            base: "cairn/base".into(),
            text: text.into(),
        };
        Recipe::read("x", None, &spec(source, None)).unwrap()
    }

    #[test]
    fn the_content_and_the_bases_name_it() {
        let (a, b) = (requirements("six"), requirements("six==1"));
        let (one, two) = (["sha256:1".to_owned()], ["sha256:2".to_owned()]);
        assert_eq!(
            a.tag(&one, None).unwrap(),
            requirements("six\n# why\n").tag(&one, None).unwrap()
        );
        assert_ne!(a.tag(&one, None).unwrap(), a.tag(&two, None).unwrap());
        assert_ne!(a.tag(&one, None).unwrap(), b.tag(&one, None).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("ca.crt");
        fs::write(&bundle, "x").unwrap();
        assert_ne!(
            a.tag(&one, None).unwrap(),
            a.tag(&one, Some(&bundle)).unwrap()
        );
    }

    #[test]
    fn peoples_images_must_be_allowed_also_those_a_dockerfile_names() {
        let read = |source: Source, allowed: &[&str]| {
            Recipe::read("x", None, &spec(source, Some(allowed)))
        };
        let image = || Source::Image("python:3.12".into());
        assert!(read(image(), &["python"]).is_ok());
        for patterns in [&[][..], &["debian"][..]] {
            let refused = read(image(), patterns).err().unwrap().to_string();
            assert!(refused.contains("python:3.12 is not allowed"), "{refused}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Dockerfile");
        fs::write(&path, "FROM python\nCOPY --from=evil/x /a /b\n").unwrap();
        assert!(read(Source::Dockerfile(path.clone()), &["python"]).is_err());
        assert!(read(Source::Dockerfile(path), &["python", "evil/*"]).is_ok());
    }
}
