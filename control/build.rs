//! What a release embeds (`machine/local/provided.rs`) is built elsewhere: the program is made again when that changes. Others read it from disk.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return;
    }
    for folder in ["../frontend/labextension/dist", "../python/src"] {
        // Cargo takes a path that is missing for a change at each build: until it is there, the folder is watched in which it will be.
        let there = std::path::Path::new(folder).ancestors();
        if let Some(there) = there.into_iter().find(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", there.display());
        }
    }
}
