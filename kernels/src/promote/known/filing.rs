//! Which functions read and write files.

use super::has;

/// Functions and methods that write files.
const WRITERS: &str = "
    dump export extractall imsave imwrite save save_model save_pretrained save_weights savefig savetxt savez
    savez_compressed to_csv to_excel to_feather to_hdf to_html to_json to_parquet to_pickle to_sql tofile
    urlretrieve write_html write_image
";

/// Methods of paths that write, make or remove the file that the path names.
const PATH_WRITERS: &str = "
    chmod hardlink_to mkdir rename replace rmdir symlink_to touch unlink write_bytes write_text
";

pub(in crate::promote) fn writes_files(name: &str) -> bool {
    has(WRITERS, name)
}

pub(in crate::promote) fn writes_itself(name: &str) -> bool {
    has(PATH_WRITERS, name)
}

/// The names under which files are given.
const FILE_KEYS: &str = "
    file filename fname path name src dst fp filepath_or_buffer path_or_buf database io
";

pub(in crate::promote) fn is_path_class(path: &str) -> bool {
    ["pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"].contains(&path)
}

/// Functions whose result is a file that is open.
pub(in crate::promote) fn opens(full: &str, name: &str) -> bool {
    name == "open"
        || [
            "ZipFile",
            "TarFile",
            "GzipFile",
            "BZ2File",
            "LZMAFile",
            "FileIO",
            "HDFStore",
            "ExcelWriter",
        ]
        .contains(&name)
        || ["h5py.File", "sqlite3.connect", "csv.open"].contains(&full)
}

/// Functions that open files for writing whatever they are told.
pub(in crate::promote) fn always_writes(full: &str) -> bool {
    [
        "shelve.open",
        "dbm.open",
        "sqlite3.connect",
        "pandas.HDFStore",
        "pandas.ExcelWriter",
        "h5py.File",
    ]
    .contains(&full)
}

pub(in crate::promote) fn lists(name: &str) -> bool {
    [
        "glob", "iglob", "rglob", "listdir", "scandir", "walk", "iterdir", "fwalk",
    ]
    .contains(&name)
}

pub(in crate::promote) fn is_file_module(path: &str) -> bool {
    ["os", "glob", "pathlib", "shutil"].contains(&path.split('.').next().unwrap_or(path))
}

pub(in crate::promote) fn reads_files(name: &str) -> bool {
    name.starts_with("read_") && name != "read_only"
        || [
            "load",
            "loadtxt",
            "genfromtxt",
            "imread",
            "exists",
            "is_file",
            "is_dir",
            "isfile",
            "isdir",
            "stat",
            "getsize",
            "getmtime",
            "fromfile",
            "load_model",
            "from_pretrained",
            "memmap",
            "loadmat",
            "run_path",
            "urlopen",
        ]
        .contains(&name)
}

/// Functions that write, move or remove the files that they are given.
pub(in crate::promote) fn is_file_function(path: &str) -> bool {
    let of_os = path.strip_prefix("os.").is_some_and(|name| {
        [
            "makedirs",
            "mkdir",
            "remove",
            "unlink",
            "rename",
            "renames",
            "replace",
            "rmdir",
            "removedirs",
            "symlink",
            "link",
            "truncate",
            "utime",
            "chmod",
            "mkfifo",
        ]
        .contains(&name)
    });
    of_os || path.starts_with("shutil.") || path == "urllib.request.urlretrieve"
}

pub(in crate::promote) fn builds_text(name: &str) -> bool {
    [
        "join",
        "format",
        "with_suffix",
        "with_name",
        "with_stem",
        "replace",
        "joinpath",
        "Path",
        "PurePath",
        "removesuffix",
    ]
    .contains(&name)
}

/// Whether an argument of this name is a file.
pub(in crate::promote) fn names_file(key: &str) -> bool {
    has(FILE_KEYS, key)
}
