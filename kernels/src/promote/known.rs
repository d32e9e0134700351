//! What is known of Python's builtins and of widely used libraries: which calls change nothing that a later cell could see. What is not named
//! here is taken to change what it is given.

/// Builtins that neither change nor keep their arguments.
const BUILTINS: &[&str] = &[
    "abs",
    "all",
    "any",
    "ascii",
    "bin",
    "bool",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "complex",
    "dict",
    "dir",
    "display",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "format",
    "frozenset",
    "getattr",
    "hasattr",
    "hash",
    "hex",
    "id",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "list",
    "map",
    "max",
    "min",
    "oct",
    "ord",
    "pow",
    "print",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "slice",
    "sorted",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
    "open",
];

/// Methods that leave their object as it is, by their usual names. A class of the notebook with such a method is asked first.
const METHODS: &[&str] = &[
    "agg",
    "aggregate",
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "assign",
    "astype",
    "copy",
    "corr",
    "count",
    "cumsum",
    "decode",
    "describe",
    "diff",
    "dot",
    "dropna",
    "drop_duplicates",
    "encode",
    "endswith",
    "equals",
    "exists",
    "fillna",
    "find",
    "flatten",
    "format",
    "get",
    "groupby",
    "head",
    "index",
    "info",
    "is_dir",
    "is_file",
    "isalpha",
    "isdigit",
    "isin",
    "isna",
    "isnull",
    "items",
    "join",
    "keys",
    "lower",
    "lstrip",
    "max",
    "mean",
    "median",
    "melt",
    "merge",
    "min",
    "mode",
    "nlargest",
    "notna",
    "nsmallest",
    "nunique",
    "pivot",
    "pivot_table",
    "predict",
    "predict_proba",
    "quantile",
    "query",
    "ravel",
    "replace",
    "reshape",
    "resample",
    "rolling",
    "round",
    "rsplit",
    "rstrip",
    "score",
    "shape",
    "sort_values",
    "split",
    "splitlines",
    "startswith",
    "std",
    "strftime",
    "strip",
    "sum",
    "tail",
    "title",
    "to_dict",
    "to_list",
    "to_numpy",
    "tolist",
    "transpose",
    "unique",
    "upper",
    "value_counts",
    "values",
    "var",
    "zfill",
];

/// Modules whose functions leave their arguments and the interpreter as they are, but for those below.
const MODULES: &[&str] = &[
    "collections",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "itertools",
    "json",
    "math",
    "matplotlib.pyplot",
    "numpy",
    "operator",
    "os.path",
    "pandas",
    "pathlib",
    "re",
    "scipy",
    "seaborn",
    "sklearn",
    "statistics",
    "string",
    "textwrap",
    "time",
    "typing",
    "uuid",
];

/// Beginnings of what is in those modules and does change something.
const BUT: &[&str] = &[
    "json.dump",
    "matplotlib.pyplot.rc",
    "matplotlib.pyplot.savefig",
    "matplotlib.pyplot.style",
    "matplotlib.pyplot.switch_backend",
    "matplotlib.pyplot.xkcd",
    "matplotlib.pyplot.ion",
    "matplotlib.pyplot.ioff",
    "numpy.copyto",
    "numpy.fill_diagonal",
    "numpy.place",
    "numpy.put",
    "numpy.random",
    "numpy.save",
    "numpy.set",
    "pandas.options",
    "pandas.set_option",
    "pandas.reset_option",
    "pandas.to_pickle",
    "seaborn.set",
    "sklearn.set_config",
    "time.tzset",
];

/// Functions and methods that write files.
const WRITERS: &[&str] = &[
    "copy2",
    "copyfile",
    "copytree",
    "dump",
    "extractall",
    "makedirs",
    "move",
    "remove",
    "rmtree",
    "save",
    "savefig",
    "savetxt",
    "savez",
    "symlink",
    "urlretrieve",
    "to_csv",
    "to_excel",
    "to_feather",
    "to_hdf",
    "to_html",
    "to_json",
    "to_parquet",
    "to_pickle",
    "to_sql",
];

/// Methods of paths that write, make or remove the file that the path names.
const PATH_WRITERS: &[&str] = &[
    "mkdir",
    "rename",
    "symlink_to",
    "touch",
    "unlink",
    "write_bytes",
    "write_text",
];

/// Names that make a cell impossible to read: it may use and change everything.
const OPAQUE: &[&str] = &[
    "exec",
    "eval",
    "globals",
    "locals",
    "__import__",
    "get_ipython",
    "execfile",
];

/// Magics that only show something.
const SHOWING: &[&str] = &[
    "history", "hist", "ls", "lsmagic", "pdoc", "pfile", "pinfo", "pinfo2", "psource", "pwd",
    "quickref", "who", "who_ls", "whos",
];

pub(super) fn is_pure_builtin(name: &str) -> bool {
    BUILTINS.contains(&name)
}

pub(super) fn is_pure_method(name: &str) -> bool {
    METHODS.contains(&name)
}

/// `path`: the full name, from its module on.
pub(super) fn is_pure_function(path: &str) -> bool {
    let within = |module: &&str| {
        path.strip_prefix(*module)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // `json.dumps` begins as `json.dump` does, and is another.
    let excepted = |one: &&str| path.starts_with(*one) && path != "json.dumps";
    MODULES.iter().any(within) && !BUT.iter().any(excepted)
}

pub(super) fn writes_files(name: &str) -> bool {
    WRITERS.contains(&name)
}

pub(super) fn writes_itself(name: &str) -> bool {
    PATH_WRITERS.contains(&name)
}

pub(super) fn is_opaque(name: &str) -> bool {
    OPAQUE.contains(&name)
}

pub(super) fn only_shows(magic: &str) -> bool {
    SHOWING.contains(&magic)
}
