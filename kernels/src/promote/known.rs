//! What is known of Python's builtins and of widely used libraries: which calls change nothing that a later cell could see. What is not named
//! here is taken to change what it is given.

/// Methods that leave their object as it is, whatever it is, by their usual names. A class of the notebook with such a method is asked first.
const METHODS: &[&str] = &[
    "absolute",
    "agg",
    "aggregate",
    "all",
    "any",
    "applymap",
    "argmax",
    "argmin",
    "argsort",
    "as_posix",
    "assign",
    "astype",
    "between",
    "bit_length",
    "capitalize",
    "casefold",
    "center",
    "clip",
    "convert_dtypes",
    "copy",
    "corr",
    "count",
    "cov",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "decision_function",
    "decode",
    "describe",
    "diff",
    "dot",
    "drop_duplicates",
    "dropna",
    "duplicated",
    "encode",
    "endswith",
    "equals",
    "exists",
    "explode",
    "fillna",
    "find",
    "flatten",
    "format",
    "get_feature_names_out",
    "glob",
    "groupby",
    "head",
    "idxmax",
    "idxmin",
    "infer_objects",
    "info",
    "is_dir",
    "is_file",
    "is_integer",
    "isalnum",
    "isalpha",
    "isdigit",
    "isin",
    "islower",
    "isna",
    "isnull",
    "isnumeric",
    "isoformat",
    "isspace",
    "isupper",
    "item",
    "iterdir",
    "iterrows",
    "itertuples",
    "joinpath",
    "ljust",
    "lower",
    "lstrip",
    "mask",
    "max",
    "mean",
    "median",
    "melt",
    "merge",
    "min",
    "mkdir",
    "mode",
    "nlargest",
    "nonzero",
    "notna",
    "nsmallest",
    "nunique",
    "pct_change",
    "pivot",
    "pivot_table",
    "predict",
    "predict_log_proba",
    "predict_proba",
    "prod",
    "ptp",
    "quantile",
    "query",
    "rank",
    "ravel",
    "read_bytes",
    "read_text",
    "relative_to",
    "removeprefix",
    "removesuffix",
    "resample",
    "reset_index",
    "reshape",
    "resolve",
    "rglob",
    "rjust",
    "rmdir",
    "rolling",
    "round",
    "rsplit",
    "rstrip",
    "sample",
    "savefig",
    "score",
    "select_dtypes",
    "set_index",
    "shape",
    "shift",
    "sort_index",
    "sort_values",
    "split",
    "splitlines",
    "stack",
    "startswith",
    "stat",
    "std",
    "strftime",
    "strip",
    "sum",
    "swapcase",
    "tail",
    "timestamp",
    "to_csv",
    "to_dict",
    "to_excel",
    "to_feather",
    "to_hdf",
    "to_html",
    "to_json",
    "to_list",
    "to_markdown",
    "to_numpy",
    "to_parquet",
    "to_pickle",
    "to_string",
    "tolist",
    "total_seconds",
    "touch",
    "trace",
    "transpose",
    "unique",
    "unlink",
    "unstack",
    "upper",
    "value_counts",
    "var",
    "where",
    "with_name",
    "with_suffix",
    "write_bytes",
    "write_text",
    "zfill",
];

/// Methods that leave texts, dates, arrays and frames as they are.
const OF_DATA: &[&str] = &[
    "abs",
    "add",
    "add_prefix",
    "add_suffix",
    "align",
    "apply",
    "asfreq",
    "at",
    "bar",
    "barh",
    "between_time",
    "bfill",
    "boxplot",
    "choose",
    "combine_first",
    "compress",
    "conj",
    "cumcount",
    "date",
    "digest",
    "div",
    "drop",
    "droplevel",
    "elements",
    "end",
    "eq",
    "ewm",
    "exists",
    "expanding",
    "expandtabs",
    "expanduser",
    "ffill",
    "filter",
    "findall",
    "finditer",
    "first",
    "fullmatch",
    "ge",
    "get",
    "get_group",
    "group",
    "groups",
    "gt",
    "hexdigest",
    "hist",
    "iat",
    "index",
    "interpolate",
    "is_absolute",
    "isdecimal",
    "isidentifier",
    "isocalendar",
    "isprintable",
    "istitle",
    "items",
    "join",
    "keys",
    "last",
    "le",
    "line",
    "lt",
    "maketrans",
    "map",
    "match",
    "memory_usage",
    "most_common",
    "mul",
    "ne",
    "ngroup",
    "nlargest",
    "nth",
    "parent_",
    "partition_",
    "plot",
    "reindex",
    "reindex_like",
    "rename",
    "rename_",
    "rename_axis",
    "repeat",
    "replace",
    "rfind",
    "rindex",
    "samefile",
    "scatter",
    "search",
    "searchsorted",
    "set_axis",
    "size",
    "span",
    "squeeze",
    "start",
    "strftime",
    "sub",
    "subn",
    "swapaxes",
    "swaplevel",
    "take",
    "time",
    "timetuple",
    "title",
    "to_frame",
    "to_period",
    "to_timestamp",
    "tobytes",
    "tostring",
    "transform",
    "translate",
    "truncate",
    "tz_convert",
    "tz_localize",
    "values",
    "view",
    "weekday",
    "xs",
];

/// Methods that leave lists, sets and dicts as they are.
const OF_CONTAINERS: &[&str] = &[
    "copy",
    "count",
    "difference",
    "elements",
    "get",
    "index",
    "intersection",
    "isdisjoint",
    "issubset",
    "issuperset",
    "items",
    "keys",
    "most_common",
    "symmetric_difference",
    "union",
    "values",
];

/// Methods that change what they are called on, and none of their arguments.
const RECEIVERS: &[&str] = &[
    "add",
    "append",
    "appendleft",
    "clear",
    "difference_update",
    "discard",
    "extend",
    "extendleft",
    "fit",
    "fit_predict",
    "fit_transform",
    "insert",
    "intersection_update",
    "move_to_end",
    "partial_fit",
    "pop",
    "popitem",
    "popleft",
    "remove",
    "reverse",
    "rotate",
    "setdefault",
    "sort",
    "subtract",
    "update",
];

/// Those of them that do so whatever it is.
const RECEIVERS_OF_ANY: &[&str] = &[
    "append",
    "appendleft",
    "fit",
    "fit_predict",
    "fit_transform",
    "partial_fit",
];

/// Methods whose result may share memory with their object.
const VIEWS: &[&str] = &[
    "agg",
    "aggregate",
    "align",
    "apply",
    "assign",
    "astype",
    "at",
    "convert_dtypes",
    "copy",
    "drop",
    "dropna",
    "ewm",
    "expanding",
    "fillna",
    "first",
    "get",
    "get_group",
    "groupby",
    "head",
    "iat",
    "infer_objects",
    "items",
    "iterrows",
    "itertuples",
    "keys",
    "last",
    "map",
    "mask",
    "nth",
    "pipe",
    "query",
    "ravel",
    "reindex",
    "rename",
    "resample",
    "reset_index",
    "reshape",
    "rolling",
    "set_axis",
    "set_index",
    "sort_index",
    "sort_values",
    "squeeze",
    "swapaxes",
    "tail",
    "to_dict",
    "to_frame",
    "to_numpy",
    "transform",
    "transpose",
    "values",
    "view",
    "where",
    "xs",
];

/// Functions of numpy and pandas whose result may share memory with their arguments.
const VIEWING: &[&str] = &[
    "numpy.array",
    "numpy.array_split",
    "numpy.asanyarray",
    "numpy.asarray",
    "numpy.ascontiguousarray",
    "numpy.asfortranarray",
    "numpy.atleast_1d",
    "numpy.atleast_2d",
    "numpy.atleast_3d",
    "numpy.broadcast_arrays",
    "numpy.broadcast_to",
    "numpy.diag",
    "numpy.diagonal",
    "numpy.expand_dims",
    "numpy.flip",
    "numpy.fliplr",
    "numpy.flipud",
    "numpy.frombuffer",
    "numpy.frompyfunc",
    "numpy.hsplit",
    "numpy.imag",
    "numpy.lib",
    "numpy.moveaxis",
    "numpy.ndenumerate",
    "numpy.nditer",
    "numpy.ravel",
    "numpy.real",
    "numpy.require",
    "numpy.reshape",
    "numpy.rollaxis",
    "numpy.rot90",
    "numpy.split",
    "numpy.squeeze",
    "numpy.swapaxes",
    "numpy.transpose",
    "numpy.vectorize",
    "numpy.vsplit",
    "pandas.Categorical",
    "pandas.DataFrame",
    "pandas.Index",
    "pandas.MultiIndex",
    "pandas.Series",
    "pandas.array",
    "pandas.concat",
    "pandas.melt",
    "pandas.merge",
];

/// Modules whose functions leave their arguments and the interpreter as they are, but for those below.
const MODULES: &[&str] = &[
    "abc",
    "array",
    "base64",
    "bisect",
    "bz2",
    "calendar",
    "codecs",
    "collections",
    "contextlib",
    "contextvars",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "fnmatch",
    "fractions",
    "functools",
    "glob",
    "gzip",
    "hashlib",
    "heapq",
    "html",
    "inspect",
    "io",
    "itertools",
    "joblib.dump",
    "joblib.load",
    "json",
    "keyword",
    "lzma",
    "math",
    "matplotlib.pyplot",
    "numbers",
    "numpy",
    "operator",
    "os.path",
    "pandas",
    "pathlib",
    "pickle",
    "pprint",
    "re",
    "scipy",
    "seaborn",
    "secrets",
    "shelve",
    "sklearn",
    "sqlite3.connect",
    "statistics",
    "string",
    "struct",
    "tarfile",
    "tempfile",
    "textwrap",
    "time",
    "torch",
    "tqdm",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
    "uuid",
    "warnings.warn",
    "zipfile",
];

/// Beginnings of what is in those modules and does change something.
const BUT: &[&str] = &[
    "codecs.register",
    "copyreg",
    "csv.register_dialect",
    "decimal.getcontext",
    "decimal.localcontext",
    "decimal.setcontext",
    "functools.cache",
    "functools.cached_property",
    "functools.lru_cache",
    "functools.reduce",
    "functools.singledispatch",
    "functools.update_wrapper",
    "inspect.currentframe",
    "inspect.stack",
    "io.open_code",
    "matplotlib.pyplot.ioff",
    "matplotlib.pyplot.ion",
    "matplotlib.pyplot.rc",
    "matplotlib.pyplot.savefig",
    "matplotlib.pyplot.set_loglevel",
    "matplotlib.pyplot.style",
    "matplotlib.pyplot.switch_backend",
    "matplotlib.pyplot.xkcd",
    "numpy.apply_along_axis",
    "numpy.apply_over_axes",
    "numpy.copyto",
    "numpy.fill_diagonal",
    "numpy.nditer",
    "numpy.place",
    "numpy.put",
    "numpy.random",
    "numpy.save",
    "numpy.set",
    "numpy.seterr",
    "pandas.api.extensions.register",
    "pandas.eval",
    "pandas.options",
    "pandas.plotting.register",
    "pandas.reset_option",
    "pandas.set_option",
    "pandas.to_pickle",
    "pickle.dump",
    "re.purge",
    "seaborn.despine",
    "seaborn.reset",
    "seaborn.set",
    "sklearn.random",
    "sklearn.set_config",
    "tempfile.tempdir",
    "time.tzset",
    "torch._",
    "torch.autograd.backward",
    "torch.backends",
    "torch.cuda",
    "torch.distributed",
    "torch.hub",
    "torch.jit",
    "torch.manual_seed",
    "torch.multiprocessing",
    "torch.nn.init",
    "torch.nn.utils",
    "torch.optim",
    "torch.rand",
    "torch.random",
    "torch.save",
    "torch.seed",
    "torch.set_",
    "torch.use_deterministic",
];

/// Functions and methods that write files.
const WRITERS: &[&str] = &[
    "dump",
    "export",
    "extractall",
    "imsave",
    "imwrite",
    "save",
    "save_model",
    "save_pretrained",
    "save_weights",
    "savefig",
    "savetxt",
    "savez",
    "savez_compressed",
    "to_csv",
    "to_excel",
    "to_feather",
    "to_hdf",
    "to_html",
    "to_json",
    "to_parquet",
    "to_pickle",
    "to_sql",
    "tofile",
    "urlretrieve",
    "write_html",
    "write_image",
];

/// Methods of paths that write, make or remove the file that the path names.
const PATH_WRITERS: &[&str] = &[
    "chmod",
    "hardlink_to",
    "mkdir",
    "rename",
    "replace",
    "rmdir",
    "symlink_to",
    "touch",
    "unlink",
    "write_bytes",
    "write_text",
];

/// Names that make a cell impossible to read: it may use and change everything.
const OPAQUE: &[&str] = &[
    "__import__",
    "eval",
    "exec",
    "execfile",
    "get_ipython",
    "globals",
    "locals",
];

/// Magics that only show something.
const SHOWING: &[&str] = &[
    "history", "hist", "ls", "lsmagic", "pdoc", "pfile", "pinfo", "pinfo2", "psource", "pwd",
    "quickref", "who", "who_ls", "whos",
];

/// The names that Python and `IPython` give to every cell.
const GIVEN: &[&str] = &[
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EOFError",
    "Ellipsis",
    "EncodingWarning",
    "EnvironmentError",
    "Exception",
    "ExceptionGroup",
    "False",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "FutureWarning",
    "GeneratorExit",
    "IOError",
    "ImportError",
    "ImportWarning",
    "In",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "None",
    "NotADirectoryError",
    "NotImplemented",
    "NotImplementedError",
    "OSError",
    "Out",
    "OverflowError",
    "PendingDeprecationWarning",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "ReferenceError",
    "ResourceWarning",
    "RuntimeError",
    "RuntimeWarning",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SyntaxWarning",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "True",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
    "ValueError",
    "Warning",
    "ZeroDivisionError",
    "__build_class__",
    "__debug__",
    "__doc__",
    "__import__",
    "__loader__",
    "__name__",
    "__package__",
    "__spec__",
    "abs",
    "aiter",
    "all",
    "anext",
    "any",
    "ascii",
    "bin",
    "bool",
    "breakpoint",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "compile",
    "complex",
    "copyright",
    "credits",
    "delattr",
    "dict",
    "dir",
    "display",
    "divmod",
    "enumerate",
    "eval",
    "exec",
    "exit",
    "filter",
    "float",
    "format",
    "frozenset",
    "get_ipython",
    "getattr",
    "globals",
    "hasattr",
    "hash",
    "help",
    "hex",
    "id",
    "input",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "license",
    "list",
    "locals",
    "map",
    "max",
    "memoryview",
    "min",
    "next",
    "object",
    "oct",
    "open",
    "ord",
    "pow",
    "print",
    "property",
    "quit",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "setattr",
    "slice",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
];

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
    let excepted = |one: &&str| path.starts_with(*one) && !path.ends_with("dumps");
    (MODULES.iter().any(within) || is_file_function(path) || reads_names(path))
        && !BUT.iter().any(excepted)
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

/// Whether Python, or `IPython`, gives this name to every cell.
pub(super) fn is_builtin(name: &str) -> bool {
    GIVEN.contains(&name)
}

/// What a builtin function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    /// Gives what cannot be changed.
    Plain,
    /// Gives a new object that shares nothing.
    Value,
    /// Gives a new container of the same parts.
    Copy,
    /// Gives a part.
    Part,
    /// Gives what is used up by reading it.
    Iterator,
    Super,
    /// Gives a class.
    Kind,
    /// Sets a part.
    SetPart,
    /// Gives an object that keeps what it is given.
    Holder,
    Unknown,
}

pub(super) fn builtin(name: &str) -> Builtin {
    match name {
        "len" | "str" | "repr" | "int" | "float" | "bool" | "bin" | "hex" | "ord" | "chr"
        | "oct" | "hash" | "id" | "isinstance" | "issubclass" | "callable" | "hasattr"
        | "format" | "ascii" | "print" | "display" | "range" | "slice" | "bytes" | "input"
        | "dir" | "complex" | "exit" | "quit" | "help" | "object" => Builtin::Plain,
        "abs" | "round" | "pow" | "divmod" | "bytearray" => Builtin::Value,
        "list" | "tuple" | "set" | "frozenset" | "dict" | "sorted" | "all" | "any" => Builtin::Copy,
        "max" | "min" | "sum" | "next" | "getattr" | "anext" | "vars" => Builtin::Part,
        "zip" | "map" | "filter" | "enumerate" | "reversed" | "iter" | "aiter" | "open" => {
            Builtin::Iterator
        }
        "super" => Builtin::Super,
        "type" => Builtin::Kind,
        "setattr" | "delattr" => Builtin::SetPart,
        "property" | "classmethod" | "staticmethod" | "memoryview" => Builtin::Holder,
        name if name.ends_with("Error")
            || name.ends_with("Exception")
            || name.ends_with("Warning") =>
        {
            Builtin::Holder
        }
        _ => Builtin::Unknown,
    }
}

/// Whether a name stands for cells by their numbers.
pub(super) fn is_numbered(name: &str) -> bool {
    let number = name
        .strip_prefix('_')
        .map(|rest| rest.strip_prefix('i').unwrap_or(rest));
    let is_number =
        number.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    is_number || ["In", "Out", "_i", "_ii", "_iii", "_ih", "_oh"].contains(&name)
}

pub(super) fn is_opaque_magic(word: &str) -> bool {
    [
        "run",
        "store",
        "pylab",
        "reset",
        "reset_selective",
        "edit",
        "macro",
        "recall",
        "rerun",
        "load",
        "loadpy",
        "xdel",
        "save",
        "autoreload",
    ]
    .contains(&word)
}

/// Whether an expression shows nothing for sure: assignments to no name.
pub(super) fn gives_nothing(expr: &ruff_python_ast::Expr) -> bool {
    let ruff_python_ast::Expr::Call(call) = expr else {
        return expr.is_none_literal_expr() || expr.is_ipy_escape_command_expr();
    };
    matches!(&*call.func, ruff_python_ast::Expr::Name(name) if name.id.as_str() == "print")
}

/// Attributes that cannot be changed.
pub(super) fn is_plain_part(name: &str) -> bool {
    [
        "shape", "size", "ndim", "dtype", "__name__", "__doc__", "itemsize", "nbytes",
    ]
    .contains(&name)
}

/// Methods that Python runs by itself.
pub(super) fn is_implied_method(name: &str) -> bool {
    name.starts_with("__")
        && name.ends_with("__")
        && ![
            "__init__",
            "__new__",
            "__call__",
            "__post_init__",
            "__init_subclass__",
            "__set_name__",
            "__class_getitem__",
        ]
        .contains(&name)
}

/// Decorators that leave what they are given as it is, or nearly so.
pub(super) fn is_plain_decorator(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path);
    [
        "builtins.property",
        "builtins.staticmethod",
        "builtins.classmethod",
        "functools.wraps",
        "dataclasses.dataclass",
        "contextlib.contextmanager",
        "functools.total_ordering",
        "abc.abstractmethod",
    ]
    .contains(&path)
        || ["njit", "jit", "no_grad", "inference_mode"].contains(&name)
}

pub(super) fn is_random(path: &str) -> bool {
    [
        "numpy.random.",
        "random.",
        "torch.rand",
        "torch.normal",
        "torch.bernoulli",
        "torch.multinomial",
    ]
    .iter()
    .any(|start| path.starts_with(start))
}

pub(super) fn seeds(name: &str) -> bool {
    [
        "seed",
        "set_state",
        "setstate",
        "set_rng_state",
        "manual_seed",
    ]
    .contains(&name)
}

/// Whether a known function may draw random numbers.
pub(super) fn may_draw(path: &str) -> bool {
    ["sklearn", "scipy", "seaborn", "torch"]
        .iter()
        .any(|module| path.starts_with(module))
        || !is_pure_function(path)
}

/// Modules whose functions do something to all that follows, even where their result is taken.
pub(super) fn is_stateful(path: &str) -> bool {
    let module = path.split('.').next().unwrap_or(path);
    [
        "os",
        "sys",
        "subprocess",
        "logging",
        "warnings",
        "locale",
        "socket",
        "signal",
        "gc",
        "importlib",
        "site",
        "threading",
        "multiprocessing",
        "atexit",
        "resource",
        "ctypes",
        "builtins",
        "IPython",
        "ipywidgets",
        "matplotlib",
        "numpy",
        "pandas",
        "time",
        "decimal",
        "torch",
        "seaborn",
        "codecs",
        "csv",
    ]
    .contains(&module)
}

/// Functions of the known modules that take from iterators that they are given, or change what they are given.
pub(super) fn takes(path: &str) -> bool {
    [
        "collections",
        "itertools",
        "csv",
        "json.load",
        "functools",
        "statistics",
        "heapq",
        "bisect",
        "pickle.load",
        "numpy.fromiter",
        "numpy.loadtxt",
        "pandas.read",
        "io",
        "gzip",
        "zipfile",
        "tarfile",
        "math.fsum",
        "math.prod",
        "pandas.DataFrame",
        "pandas.Series",
        "pandas.concat",
        "random",
        "torch.utils",
        "tqdm",
    ]
    .iter()
    .any(|start| path.starts_with(start))
        || path.ends_with(".at")
}

/// Functions that draw on axes that they are given, or that are the present ones.
pub(super) fn draws_on(path: &str) -> bool {
    [
        "matplotlib",
        "seaborn",
        "pandas.plotting",
        "scipy.cluster.hierarchy.dendrogram",
    ]
    .iter()
    .any(|start| path.starts_with(start))
}

/// What a known function gives.
pub(super) fn result_of(path: &str) -> super::sites::Kind {
    use super::sites::Kind;
    let name = path.rsplit('.').next().unwrap_or(path);
    let module = path.split('.').next().unwrap_or(path);
    match module {
        _ if is_path_class(path) => Kind::Path,
        "itertools" | "csv" | "gzip" | "bz2" | "lzma" | "zipfile" | "tarfile" | "io"
        | "contextlib" | "tempfile" | "codecs" | "shelve" | "sqlite3" | "tqdm" => Kind::Iterator,
        "re" if name == "finditer" => Kind::Iterator,
        "glob" if name == "iglob" => Kind::Iterator,
        "collections" if name == "namedtuple" => Kind::Unknown,
        "collections" | "json" | "copy" | "heapq" | "bisect" | "array" => Kind::Container,
        "numpy" if ["load", "nditer", "ndenumerate", "vectorize"].contains(&name) => Kind::Unknown,
        "numpy" | "pandas" | "math" | "statistics" | "datetime" | "time" | "uuid" | "string"
        | "textwrap" | "os" | "re" | "hashlib" | "base64" | "decimal" | "fractions" | "html"
        | "urllib" | "struct" | "glob" | "fnmatch" | "unicodedata" | "calendar" | "scipy" => {
            Kind::Data
        }
        "sklearn"
            if !name.starts_with(char::is_uppercase)
                && !name.starts_with("make_p")
                && !name.starts_with("make_c")
                && !name.starts_with("make_u") =>
        {
            Kind::Data
        }
        _ => Kind::Unknown,
    }
}

/// Whether what a known function gives may hold what it is given.
pub(super) fn keeps(path: &str) -> bool {
    let module = path.split('.').next().unwrap_or(path);
    if module == "numpy" || module == "pandas" {
        return VIEWING.iter().any(|one| {
            path.strip_prefix(one)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
    }
    !matches!(
        module,
        "math"
            | "statistics"
            | "datetime"
            | "time"
            | "uuid"
            | "string"
            | "textwrap"
            | "os"
            | "re"
            | "json"
            | "hashlib"
            | "base64"
            | "html"
            | "urllib"
            | "glob"
            | "fnmatch"
    ) && path != "copy.deepcopy"
        && !(module == "sklearn" && result_of(path) == super::sites::Kind::Data)
        && module != "scipy"
}

pub(super) fn is_pure_of_data(name: &str) -> bool {
    OF_DATA.contains(&name)
}

pub(super) fn is_pure_of_container(name: &str) -> bool {
    OF_CONTAINERS.contains(&name)
}

pub(super) fn is_receivers(name: &str) -> bool {
    RECEIVERS.contains(&name)
}

pub(super) fn is_receivers_of_any(name: &str) -> bool {
    RECEIVERS_OF_ANY.contains(&name)
}

pub(super) fn is_view(name: &str) -> bool {
    VIEWS.contains(&name)
}

pub(super) fn is_scalar_of_container(name: &str) -> bool {
    ["index", "count", "issubset", "issuperset", "isdisjoint"].contains(&name)
}

/// Methods of texts that give lists.
pub(super) fn makes_list(name: &str) -> bool {
    ["split", "rsplit", "splitlines", "partition", "rpartition"].contains(&name)
}

/// The names under which files are given.
pub(super) const FILE_KEYS: &[&str] = &[
    "file",
    "filename",
    "fname",
    "path",
    "name",
    "src",
    "dst",
    "fp",
    "filepath_or_buffer",
    "path_or_buf",
    "database",
    "io",
];

pub(super) fn is_path_class(path: &str) -> bool {
    ["pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"].contains(&path)
}

/// Functions whose result is a file that is open.
pub(super) fn opens(full: &str, name: &str) -> bool {
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
pub(super) fn always_writes(full: &str) -> bool {
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

pub(super) fn lists(name: &str) -> bool {
    [
        "glob", "iglob", "rglob", "listdir", "scandir", "walk", "iterdir", "fwalk",
    ]
    .contains(&name)
}

pub(super) fn is_file_module(path: &str) -> bool {
    ["os", "glob", "pathlib", "shutil"].contains(&path.split('.').next().unwrap_or(path))
}

pub(super) fn reads_files(name: &str) -> bool {
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
pub(super) fn is_file_function(path: &str) -> bool {
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

pub(super) fn builds_text(name: &str) -> bool {
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

/// Functions of `os` and `sys` that only tell something.
fn reads_names(path: &str) -> bool {
    [
        "os.listdir",
        "os.scandir",
        "os.walk",
        "os.getcwd",
        "os.stat",
        "os.fspath",
        "os.cpu_count",
        "os.getenv",
        "os.environ.get",
        "os.getpid",
        "os.sep",
        "sys.getsizeof",
        "sys.exit",
        "warnings.warn",
        "glob.glob",
        "glob.iglob",
        "platform",
    ]
    .iter()
    .any(|start| path == *start || path.starts_with(&format!("{start}.")))
}
