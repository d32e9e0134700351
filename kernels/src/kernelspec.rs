//! Finds the kernel a notebook asks for and the command that starts it. Starts nothing.
//!
//! Source: `jupyter_client` `kernelspec.py` and `manager.py`, `jupyter_core` `paths.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};

/// What `kernel.json` says.
#[derive(Debug, Clone, Deserialize)]
struct File {
    argv: Vec<String>,
    #[serde(default)]
    language: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    interrupt_mode: Option<String>,
}

/// A kernel that was found.
#[derive(Debug, Clone)]
pub(crate) struct Kernelspec {
    pub(crate) name: String,
    pub(crate) language: String,
    pub(crate) env: BTreeMap<String, String>,
    /// Whether an interrupt is a message on the control channel, not SIGINT.
    pub(crate) interrupt_by_message: bool,
    argv: Vec<String>,
    folder: PathBuf,
    environment: Option<PathBuf>,
}

/// Where kernels are looked for.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    environment: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Search {
    /// The environment's own kernels, then `JUPYTER_PATH`, the user's and the system's.
    pub(crate) fn new(environment: Option<&Path>) -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let mut data: Vec<PathBuf> = Vec::new();
        data.extend(environment.map(|path| path.join("share/jupyter")));
        if let Some(paths) = variable("JUPYTER_PATH") {
            data.extend(std::env::split_paths(&paths));
        }
        let home = variable("HOME").map(PathBuf::from);
        let share = variable("XDG_DATA_HOME").map(PathBuf::from);
        let share = share.or_else(|| home.as_ref().map(|home| home.join(".local/share")));
        let own = variable("JUPYTER_DATA_DIR").map(PathBuf::from);
        data.extend(own.or_else(|| share.map(|share| share.join("jupyter"))));
        if cfg!(target_os = "macos") {
            data.extend(home.map(|home| home.join("Library/Jupyter")));
        }
        data.extend(["/usr/local/share/jupyter", "/usr/share/jupyter"].map(PathBuf::from));
        Self {
            environment: environment.map(Path::to_path_buf),
            folders: data.into_iter().map(|path| path.join("kernels")).collect(),
        }
    }

    /// Finds the kernel `name`, in any case of its letters.
    ///
    /// # Errors
    /// `NotFound` with the names there are; `Invalid` when its description is broken.
    pub(crate) fn find(&self, name: &str) -> Result<Kernelspec> {
        let matching = |folder: &PathBuf| {
            let names = names_in(folder).into_iter();
            let mut found = names.filter(|own| own.eq_ignore_ascii_case(name));
            found.next().map(|own| folder.join(own))
        };
        if let Some(folder) = self.folders.iter().find_map(matching) {
            return self.load(name, folder);
        }
        self.native(name).ok_or_else(|| self.not_found(name))
    }

    fn load(&self, name: &str, folder: PathBuf) -> Result<Kernelspec> {
        let path = folder.join("kernel.json");
        let broken = |why: String| {
            Error::Invalid(format!(
                "the kernel `{name}` is broken: {}: {why}",
                path.display()
            ))
        };
        let text = std::fs::read(&path).map_err(|error| broken(error.to_string()))?;
        let file: File =
            serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
        if file.argv.is_empty() {
            return Err(broken("its `argv` is empty".into()));
        }
        Ok(Kernelspec {
            name: name.to_owned(),
            language: file.language.to_lowercase(),
            env: file.env,
            interrupt_by_message: file.interrupt_mode.as_deref() == Some("message"),
            argv: file.argv,
            folder,
            environment: self.environment.clone(),
        })
    }

    /// The kernel every environment with `ipykernel` has, whether or not it is described.
    fn native(&self, name: &str) -> Option<Kernelspec> {
        let environment = self.environment.clone()?;
        let is_python = name.eq_ignore_ascii_case("python3") || name.eq_ignore_ascii_case("python");
        if !is_python || !environment.join("bin/python").exists() {
            return None;
        }
        let argv = [
            "python",
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
        ];
        Some(Kernelspec {
            name: "python3".into(),
            language: "python".into(),
            env: BTreeMap::new(),
            interrupt_by_message: false,
            argv: argv.map(String::from).into(),
            folder: environment.clone(),
            environment: Some(environment),
        })
    }

    fn not_found(&self, name: &str) -> Error {
        let mut names: Vec<String> = self
            .folders
            .iter()
            .flat_map(|folder| names_in(folder))
            .collect();
        names.sort_unstable();
        names.dedup();
        let known = if names.is_empty() {
            "no kernel is installed here".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        Error::NotFound(format!(
            "there is no kernel `{name}` in this environment; {known}"
        ))
    }
}

impl Kernelspec {
    /// The command that starts the kernel with this connection file.
    pub(crate) fn command(&self, connection_file: &Path) -> Vec<String> {
        let connection_file = connection_file.to_string_lossy();
        let folder = self.folder.to_string_lossy();
        let fill = |argument: &String| {
            argument
                .replace("{connection_file}", &connection_file)
                .replace("{resource_dir}", &folder)
        };
        let mut argv: Vec<String> = self.argv.iter().map(fill).collect();
        if let Some(python) = self.python(&argv[0]) {
            argv[0] = python;
        }
        argv
    }

    /// The environment's own interpreter, where the command says just `python`.
    fn python(&self, program: &str) -> Option<String> {
        let version = program.strip_prefix("python")?;
        if !version.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return None;
        }
        let bin = self.environment.as_ref()?.join("bin");
        let own = [program, "python"].map(|name| bin.join(name));
        let found = own.iter().find(|path| path.exists())?;
        Some(found.to_string_lossy().into_owned())
    }
}

/// The kernels described in a folder.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let described = entries
        .flatten()
        .filter(|entry| entry.path().join("kernel.json").is_file());
    described
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Search;
    use crate::error::Error;

    fn folder_with(name: &str, kernel: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let spec = folder.path().join("share/jupyter/kernels").join(name);
        std::fs::create_dir_all(&spec).unwrap();
        std::fs::write(spec.join("kernel.json"), kernel).unwrap();
        std::fs::create_dir_all(folder.path().join("bin")).unwrap();
        std::fs::write(folder.path().join("bin/python"), "").unwrap();
        folder
    }

    #[test]
    fn python_is_the_environments_python() {
        let kernel = r#"{"argv": ["python", "-m", "k", "-f", "{connection_file}", "{resource_dir}"], "language": "Python"}"#;
        let folder = folder_with("Deep", kernel);
        let spec = Search::new(Some(folder.path())).find("deep").unwrap();
        let shown = |path: &str| folder.path().join(path).to_string_lossy().into_owned();
        assert_eq!(
            spec.command(Path::new("/c.json")),
            [
                shown("bin/python"),
                "-m".into(),
                "k".into(),
                "-f".into(),
                "/c.json".into(),
                shown("share/jupyter/kernels/Deep")
            ]
        );
        assert_eq!(spec.language, "python");
    }

    #[test]
    fn an_environment_without_descriptions_has_python3() {
        let folder = folder_with("other", r#"{"argv": ["x"]}"#);
        let spec = Search::new(Some(folder.path())).find("python3").unwrap();
        assert_eq!(
            spec.command(Path::new("c"))[1..3],
            ["-m", "ipykernel_launcher"]
        );
    }

    #[test]
    fn an_unknown_kernel_is_refused_with_the_names_there_are() {
        let folder = folder_with("deep", r#"{"argv": ["x"]}"#);
        let error = Search::new(Some(folder.path()))
            .find("../deep")
            .unwrap_err();
        assert!(
            matches!(&error, Error::NotFound(text) if text.contains("deep")),
            "{error}"
        );
    }

    #[test]
    fn a_broken_description_is_named() {
        for kernel in ["{", r#"{"argv": []}"#] {
            let folder = folder_with("deep", kernel);
            let error = Search::new(Some(folder.path())).find("deep").unwrap_err();
            assert!(
                matches!(&error, Error::Invalid(text) if text.contains("kernel.json")),
                "{error}"
            );
        }
    }
}
