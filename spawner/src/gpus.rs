//! The cards that processes of this machine may use: which devices they see, and what tells libraries so.

use std::path::{Path, PathBuf};

use crate::spec::Gpu;

/// What every user of a card needs besides the card.
const SHARED: &[&str] = &[
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
    "nvidia-caps",
];

/// The devices of these cards, as far as `dev` has them; none for none.
pub(crate) fn devices(dev: &Path, gpus: &[Gpu]) -> Vec<PathBuf> {
    if gpus.is_empty() {
        return Vec::new();
    }
    let own = gpus.iter().filter_map(|g| g.minor);
    let own = own.map(|minor| format!("nvidia{minor}"));
    let all = own.chain(SHARED.iter().map(|s| (*s).to_owned()));
    all.map(|name| dev.join(name))
        .filter(|p| p.exists())
        .collect()
}

/// The variables for these cards. `only` says that the work sees no others: then indices of the whole machine would mislead it.
pub(crate) fn variables(gpus: &[Gpu], only: bool) -> Vec<(String, String)> {
    if gpus.is_empty() {
        return Vec::new();
    }
    let ids: Vec<_> = gpus.iter().map(|g| g.id.as_str()).collect();
    let ids = ids.join(",");
    let lasting = |g: &Gpu| g.id.starts_with("GPU-") || g.id.starts_with("MIG-");
    let mut all = vec![("NVIDIA_VISIBLE_DEVICES".to_owned(), ids.clone())];
    if !only || gpus.iter().all(lasting) {
        all.push(("CUDA_VISIBLE_DEVICES".to_owned(), ids));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(id: &str, minor: u32) -> Gpu {
        Gpu {
            id: id.into(),
            minor: Some(minor),
        }
    }

    #[test]
    fn only_the_leased_cards_are_shown() {
        let dev = tempfile::tempdir().unwrap();
        for name in ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "sda"] {
            std::fs::write(dev.path().join(name), "").unwrap();
        }
        let names = |gpus: &[Gpu]| {
            let all = devices(dev.path(), gpus);
            all.iter()
                .map(|p| p.file_name().unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(&[gpu("1", 1)]),
            ["nvidia1", "nvidiactl", "nvidia-uvm"]
        );
        assert!(names(&[]).is_empty());
    }

    #[test]
    fn indices_are_told_only_where_they_mean_the_same() {
        let name = |v: &[(String, String)]| v.iter().map(|v| v.0.clone()).collect::<Vec<_>>();
        let both = ["NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"];
        assert_eq!(name(&variables(&[gpu("GPU-a", 1)], true)), both);
        assert_eq!(name(&variables(&[gpu("1", 1)], true)), both[..1]);
        assert_eq!(name(&variables(&[gpu("1", 1)], false)), both);
        assert!(variables(&[], false).is_empty());
    }
}
