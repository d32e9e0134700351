//! What is embedded (`machine/local/provided.rs`) is built elsewhere: the program is made again when that changes.

fn main() {
    for folder in ["../frontend/labextension/dist", "../python/src"] {
        // Cargo takes a path that is missing for a change at each build.
        if std::path::Path::new(folder).exists() {
            println!("cargo::rerun-if-changed={folder}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
}
