//! What functions of widely used modules do, by their full names.

use super::filing::{is_file_function, is_path_class};

/// Functions of numpy and pandas whose result may share memory with their arguments.
const VIEWING: &str = "
    numpy.array numpy.array_split numpy.asanyarray numpy.asarray numpy.ascontiguousarray numpy.asfortranarray
    numpy.atleast_1d numpy.atleast_2d numpy.atleast_3d numpy.broadcast_arrays numpy.broadcast_to numpy.diag
    numpy.diagonal numpy.expand_dims numpy.flip numpy.fliplr numpy.flipud numpy.frombuffer numpy.frompyfunc
    numpy.hsplit numpy.imag numpy.lib numpy.moveaxis numpy.ndenumerate numpy.nditer numpy.ravel numpy.real
    numpy.require numpy.reshape numpy.rollaxis numpy.rot90 numpy.split numpy.squeeze numpy.swapaxes
    numpy.transpose numpy.vectorize numpy.vsplit pandas.Categorical pandas.DataFrame pandas.Index
    pandas.MultiIndex pandas.Series pandas.array pandas.concat pandas.melt pandas.merge
";

/// Modules whose functions leave their arguments and the interpreter as they are, but for those below.
const MODULES: &str = "
    abc array base64 bisect bz2 calendar codecs collections contextlib contextvars copy csv dataclasses
    datetime decimal difflib enum fnmatch fractions functools glob gzip hashlib heapq html inspect io
    itertools joblib.dump joblib.load json keyword lzma math matplotlib.pyplot numbers numpy operator os.path
    pandas pathlib pickle pprint re scipy seaborn secrets shelve sklearn sqlite3.connect statistics string
    struct tarfile tempfile textwrap time torch tqdm types typing unicodedata urllib.parse uuid warnings.warn
    zipfile
";

/// Beginnings of what is in those modules and does change something.
const BUT: &str = "
    codecs.register copyreg csv.register_dialect decimal.getcontext decimal.localcontext decimal.setcontext
    functools.cache functools.cached_property functools.lru_cache functools.reduce functools.singledispatch
    functools.update_wrapper inspect.currentframe inspect.stack io.open_code matplotlib.pyplot.ioff
    matplotlib.pyplot.ion matplotlib.pyplot.rc matplotlib.pyplot.savefig matplotlib.pyplot.set_loglevel
    matplotlib.pyplot.style matplotlib.pyplot.switch_backend matplotlib.pyplot.xkcd numpy.apply_along_axis
    numpy.apply_over_axes numpy.copyto numpy.fill_diagonal numpy.nditer numpy.place numpy.put numpy.random
    numpy.save numpy.set numpy.seterr pandas.api.extensions.register pandas.eval pandas.options
    pandas.plotting.register pandas.reset_option pandas.set_option pandas.to_pickle pickle.dump re.purge
    seaborn.despine seaborn.reset seaborn.set sklearn.random sklearn.set_config tempfile.tempdir time.tzset
    torch._ torch.autograd.backward torch.backends torch.cuda torch.distributed torch.hub torch.jit
    torch.manual_seed torch.multiprocessing torch.nn.init torch.nn.utils torch.optim torch.rand torch.random
    torch.save torch.seed torch.set_ torch.use_deterministic
";

/// `path`: the full name, from its module on.
pub(in crate::promote) fn is_pure_function(path: &str) -> bool {
    let within = |module: &str| {
        path.strip_prefix(module)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // `json.dumps` begins as `json.dump` does, and is another.
    let excepted = |one: &str| path.starts_with(one) && !path.ends_with("dumps");
    (MODULES.split_whitespace().any(within) || is_file_function(path) || reads_names(path))
        && !BUT.split_whitespace().any(excepted)
}

/// Decorators that leave what they are given as it is, or nearly so.
pub(in crate::promote) fn is_plain_decorator(path: &str) -> bool {
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

pub(in crate::promote) fn is_random(path: &str) -> bool {
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

pub(in crate::promote) fn seeds(name: &str) -> bool {
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
pub(in crate::promote) fn may_draw(path: &str) -> bool {
    ["sklearn", "scipy", "seaborn", "torch"]
        .iter()
        .any(|module| path.starts_with(module))
        || !is_pure_function(path)
}

/// Modules whose functions do something to all that follows, even where their result is taken.
pub(in crate::promote) fn is_stateful(path: &str) -> bool {
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
pub(in crate::promote) fn takes(path: &str) -> bool {
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
        || is_at(path)
}

/// Functions that draw on axes that they are given, or that are the present ones.
pub(in crate::promote) fn draws_on(path: &str) -> bool {
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
pub(in crate::promote) fn result_of(path: &str) -> super::super::sites::Kind {
    use super::super::sites::Kind;
    let name = path.rsplit('.').next().unwrap_or(path);
    let module = path.split('.').next().unwrap_or(path);
    match module {
        _ if is_path_class(path) => Kind::Path,
        "itertools" | "csv" | "gzip" | "bz2" | "lzma" | "zipfile" | "tarfile" | "io"
        | "contextlib" | "tempfile" | "codecs" | "shelve" | "sqlite3" | "tqdm" => Kind::Iterator,
        "re" if name == "finditer" => Kind::Iterator,
        "glob" if name == "iglob" => Kind::Iterator,
        "collections" if name == "namedtuple" => Kind::Unknown,
        "collections" if name == "defaultdict" => Kind::Iterator,
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
pub(in crate::promote) fn keeps(path: &str) -> bool {
    let module = path.split('.').next().unwrap_or(path);
    if module == "numpy" || module == "pandas" {
        return VIEWING.split_whitespace().any(|one| {
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
        && !(module == "sklearn" && result_of(path) == super::super::sites::Kind::Data)
        && module != "scipy"
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

/// Whether it is the `at` of a function of numpy, which changes its argument.
pub(in crate::promote) fn is_at(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, name)| name == "at")
}
