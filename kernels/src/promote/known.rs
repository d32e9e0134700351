//! What is known of Python's builtins and of widely used libraries: which calls change nothing that a later cell could see. What is not named
//! here is taken to change what it is given.

mod filing;
mod methods;
mod modules;

pub(super) use self::filing::*;
pub(super) use self::methods::*;
pub(super) use self::modules::*;

/// Names that make a cell impossible to read: it may use and change everything.
const OPAQUE: &str = "
    __import__ eval exec execfile get_ipython globals locals
";

/// Magics that only show something.
const SHOWING: &str = "
    history hist ls lsmagic pdoc pfile pinfo pinfo2 psource pwd quickref who who_ls whos
";

/// The names that Python and `IPython` give to every cell.
const GIVEN: &str = "
    ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError
    BrokenPipeError BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError
    ConnectionRefusedError ConnectionResetError DeprecationWarning EOFError Ellipsis EncodingWarning
    EnvironmentError Exception ExceptionGroup False FileExistsError FileNotFoundError FloatingPointError
    FutureWarning GeneratorExit IOError ImportError ImportWarning In IndentationError IndexError
    InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError
    NameError None NotADirectoryError NotImplemented NotImplementedError OSError Out OverflowError
    PendingDeprecationWarning PermissionError ProcessLookupError RecursionError ReferenceError ResourceWarning
    RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError SyntaxWarning SystemError
    SystemExit TabError TimeoutError True TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError
    UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning ZeroDivisionError
    __build_class__ __debug__ __doc__ __import__ __loader__ __name__ __package__ __spec__ abs aiter all anext
    any ascii bin bool breakpoint bytearray bytes callable chr classmethod compile complex copyright credits
    delattr dict dir display divmod enumerate eval exec exit filter float format frozenset get_ipython getattr
    globals hasattr hash help hex id input int isinstance issubclass iter len license list locals map max
    memoryview min next object oct open ord pow print property quit range repr reversed round set setattr
    slice sorted staticmethod str sum super tuple type vars zip
";

pub(super) fn is_opaque(name: &str) -> bool {
    has(OPAQUE, name)
}

pub(super) fn only_shows(magic: &str) -> bool {
    has(SHOWING, magic)
}

/// Whether Python, or `IPython`, gives this name to every cell.
pub(super) fn is_builtin(name: &str) -> bool {
    has(GIVEN, name)
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

/// Whether a list of words has one.
fn has(words: &str, word: &str) -> bool {
    // Most are in none, which a search of the text tells soonest.
    words.contains(word) && words.split_whitespace().any(|one| one == word)
}
