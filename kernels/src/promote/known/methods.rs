//! What methods do, by their usual names. A class of the notebook with such a method is asked first.

use super::has;

/// Methods that leave their object as it is, whatever it is, by their usual names. A class of the notebook with such a method is asked first.
const METHODS: &str = "
    absolute agg aggregate all any applymap argmax argmin argsort as_posix assign astype between bit_length
    capitalize casefold center clip convert_dtypes copy corr count cov cummax cummin cumprod cumsum
    decision_function decode describe diff dot drop_duplicates dropna duplicated encode endswith equals exists
    explode fillna find flatten format get_feature_names_out glob groupby head idxmax idxmin infer_objects
    info is_dir is_file is_integer isalnum isalpha isdigit isin islower isna isnull isnumeric isoformat
    isspace isupper item iterdir iterrows itertuples joinpath ljust lower lstrip mask max mean median melt
    merge min mkdir mode nlargest nonzero notna nsmallest nunique pct_change pivot pivot_table predict
    predict_log_proba predict_proba prod ptp quantile query rank ravel read_bytes read_text relative_to
    removeprefix removesuffix resample reset_index reshape resolve rglob rjust rmdir rolling round rsplit
    rstrip sample savefig score select_dtypes set_index shape shift sort_index sort_values split splitlines
    stack startswith stat std strftime strip sum swapcase tail timestamp to_csv to_dict to_excel to_feather
    to_hdf to_html to_json to_list to_markdown to_numpy to_parquet to_pickle to_string tolist total_seconds
    touch trace transpose unique unlink unstack upper value_counts var where with_name with_suffix write_bytes
    write_text zfill
";

/// Methods that leave texts, dates, arrays and frames as they are.
const OF_DATA: &str = "
    abs add add_prefix add_suffix align apply asfreq at bar barh between_time bfill boxplot choose
    combine_first compress conj cumcount date digest div drop droplevel elements end eq ewm exists expanding
    expandtabs expanduser ffill filter findall finditer first fullmatch ge get get_group group groups gt
    hexdigest hist iat index interpolate is_absolute isdecimal isidentifier isocalendar isprintable istitle
    items join keys last le line lt maketrans map match memory_usage most_common mul ne ngroup nlargest nth
    parent_ partition_ plot reindex reindex_like rename rename_ rename_axis repeat replace rfind rindex
    samefile scatter search searchsorted set_axis size span squeeze start strftime sub subn swapaxes swaplevel
    take time timetuple title to_frame to_period to_timestamp tobytes tostring transform translate truncate
    tz_convert tz_localize values view weekday xs
";

/// Methods that leave lists, sets and dicts as they are.
const OF_CONTAINERS: &str = "
    copy count difference elements get index intersection isdisjoint issubset issuperset items keys
    most_common symmetric_difference union values
";

/// Methods that change what they are called on, and none of their arguments.
const RECEIVERS: &str = "
    add append appendleft clear difference_update discard extend extendleft fit fit_predict fit_transform
    insert intersection_update move_to_end partial_fit pop popitem popleft remove reverse rotate setdefault
    sort subtract update
";

/// Those of them that do so whatever it is.
const RECEIVERS_OF_ANY: &str = "
    append appendleft fit fit_predict fit_transform partial_fit
";

/// Methods whose result may share memory with their object.
const VIEWS: &str = "
    agg aggregate align apply assign astype at convert_dtypes copy drop dropna ewm expanding fillna first get
    get_group groupby head iat infer_objects items iterrows itertuples keys last map mask nth pipe query ravel
    reindex rename resample reset_index reshape rolling set_axis set_index sort_index sort_values squeeze
    swapaxes tail to_dict to_frame to_numpy transform transpose values view where xs
";

pub(in crate::promote) fn is_pure_method(name: &str) -> bool {
    has(METHODS, name)
}

/// Attributes that cannot be changed.
pub(in crate::promote) fn is_plain_part(name: &str) -> bool {
    [
        "shape", "size", "ndim", "dtype", "__name__", "__doc__", "itemsize", "nbytes",
    ]
    .contains(&name)
}

/// Methods that Python runs by itself.
pub(in crate::promote) fn is_implied_method(name: &str) -> bool {
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

pub(in crate::promote) fn is_pure_of_data(name: &str) -> bool {
    has(OF_DATA, name)
}

pub(in crate::promote) fn is_pure_of_container(name: &str) -> bool {
    has(OF_CONTAINERS, name)
}

pub(in crate::promote) fn is_receivers(name: &str) -> bool {
    has(RECEIVERS, name)
}

pub(in crate::promote) fn is_receivers_of_any(name: &str) -> bool {
    has(RECEIVERS_OF_ANY, name)
}

pub(in crate::promote) fn is_view(name: &str) -> bool {
    has(VIEWS, name)
}

pub(in crate::promote) fn is_scalar_of_container(name: &str) -> bool {
    ["index", "count", "issubset", "issuperset", "isdisjoint"].contains(&name)
}

/// Methods of texts that give lists.
pub(in crate::promote) fn makes_list(name: &str) -> bool {
    ["split", "rsplit", "splitlines", "partition", "rpartition"].contains(&name)
}
