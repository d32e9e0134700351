"""Values come back exactly, or are refused."""

import collections
import datetime
import enum
import json
import math
import os

import numpy as np
import pytest

from cairn import CairnError, _carry


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("CAIRN_REPOSITORY", str(tmp_path / "work"))
    return tmp_path / "work"


def there_and_back(value, project, *, may_pickle=False):
    carried = _carry.save(["value"], {"value": value}, project, may_pickle=may_pickle)
    names = {}
    exec(carried.loader(["value"]), names)
    assert [name for name in names if name != "__builtins__"] == ["value"]
    return names["value"], carried


def refused(value, project, **more):
    parent = project / ".cairn/carry"
    before = set(parent.iterdir()) if parent.exists() else set()
    with pytest.raises(CairnError) as caught:
        there_and_back(value, project, **more)
    assert set(parent.iterdir()) == before, "nothing is left"
    return str(caught.value)


JSON = [
    None,
    True,
    0,
    -(10**300),
    -0.0,
    1e-320,
    math.inf,
    "",
    "größe 🦆 \ud800 \x00\u2028",
    [],
    {},
    {"a": [1, 1.0, {"b": None}], "": "x"},
]


@pytest.mark.parametrize("value", JSON, ids=repr)
def test_what_json_knows(value, project):
    back, carried = there_and_back(value, project)
    assert carried.kinds == {"value": "json"}
    assert repr(back) == repr(value)
    assert type(back) is type(value)


def test_nan_comes_back(project):
    assert math.isnan(there_and_back(math.nan, project)[0])


def test_the_order_of_a_dict_comes_back(project):
    assert list(there_and_back({"b": 1, "a": 2}, project)[0]) == ["b", "a"]


shared = [1]
endless = []
endless.append(endless)
deep = []
for _ in range(5000):
    deep = [deep]


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ((1, 2), "builtins.tuple"),
        ([(1, 2)], "builtins.tuple"),
        ({1: 2}, "keys that are not str"),
        ({1}, "builtins.set"),
        (b"x", "builtins.bytes"),
        (1j, "builtins.complex"),
        (collections.OrderedDict(a=1), "collections.OrderedDict"),
        (Colour.RED, "Colour"),
        (datetime.date(2020, 1, 1), "datetime.date"),
        ([shared, shared], "in more than one place"),
        (endless, "in more than one place"),
        (deep, "too deep"),
        (10**5000, "very long int"),
        (np.array([object()]), "numpy.ndarray"),
        (np.ma.array([1]), "MaskedArray"),
        (lambda: 1, "builtins.function"),
        (json, "it is the module json: import it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_would_come_back_otherwise(value, why, project):
    words = refused(value, project)
    assert why.replace("it is the", "value is the") in words
    if value is not json:
        assert "--pickle" in words


ARRAYS = [
    np.arange(6, dtype=">i2").reshape(2, 3),
    np.asfortranarray(np.ones((2, 3), "f4")),
    np.array(["a", "größe"]),
    np.array([], "f8"),
    np.array(3),
    np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
    np.array(["2020-01-01"], "datetime64[D]"),
    np.float32(1.5),
    np.int64(3),
    np.bool_(True),
    np.float64(0.1),
    np.datetime64("2020-01-01"),
]


@pytest.mark.parametrize("value", ARRAYS, ids=repr)
def test_arrays_and_their_numbers(value, project):
    back, _ = there_and_back(value, project)
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    assert back.flags.f_contiguous == value.flags.f_contiguous
    assert np.array_equal(back, value)


def test_an_array_file_holds_no_pickle(project):
    _, carried = there_and_back(np.ones(2), project)
    assert "allow_pickle=False" in carried.loader(["value"])


def test_tables(project):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    table = pandas.DataFrame({"a": [1, 2], "b": ["x", None]}, index=["r", "s"])
    table["when"] = pandas.to_datetime(["2020-01-01", "2021-01-01"]).tz_localize("UTC")
    table["kind"] = pandas.Categorical(["u", "v"])
    back, carried = there_and_back(table, project)
    assert carried.kinds == {"value": "parquet"}
    pandas.testing.assert_frame_equal(back, table)


def test_tables_that_parquet_changes(project):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert "another table" in refused(pandas.DataFrame({"a": [(1, 2), (3, 4)]}), project)
    assert "cannot be carried as parquet" in refused(pandas.DataFrame({"a": [object()]}), project)
    for value in [{"a": [(1, 2), (3, 4)]}, {"a": [1, "x"]}]:
        back, carried = there_and_back(pandas.DataFrame(value), project, may_pickle=True)
        assert carried.kinds == {"value": "pickle"}
        pandas.testing.assert_frame_equal(back, pandas.DataFrame(value))
        assert "as a pickle" in carried.warnings[0]
    assert "Series" in refused(pandas.Series([1]), project)


def test_pickles_only_when_asked(project):
    back, carried = there_and_back({1, 2}, project, may_pickle=True)
    assert back == {1, 2}
    assert "as a pickle" in carried.warnings[0]
    assert there_and_back([1], project, may_pickle=True)[1].kinds == {"value": "json"}
    assert "cannot be carried as pickle" in refused(lambda: 1, project, may_pickle=True)


def test_what_an_object_raises_is_said_on_one_line(project):
    class Hostile:
        def __reduce__(self):
            raise RuntimeError("\x1b[2J\n" + "x" * 5000)

    words = refused(Hostile(), project, may_pickle=True)
    assert "\x1b" not in words
    assert "\n" not in words
    assert len(words) < 500


@pytest.mark.parametrize("value", ["x" * 50, np.ones(50), {1: "x" * 50}], ids=["json", "npy", "pickle"])
def test_a_value_that_is_too_large(value, project, monkeypatch):
    monkeypatch.setattr(_carry, "LARGEST_BYTES", 40)
    assert "value is larger than" in refused(value, project, may_pickle=True)


def test_a_table_that_is_too_large(project, monkeypatch):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(_carry, "LARGEST_BYTES", 400)
    assert "value is larger than" in refused(pandas.DataFrame({"a": range(1000)}), project)


def test_values_that_are_too_large_together(project, monkeypatch):
    monkeypatch.setattr(_carry, "LARGEST_TOTAL_BYTES", 100)
    values = dict.fromkeys("ab", "x" * 60)
    with pytest.raises(CairnError, match="together"):
        _carry.save(["a", "b"], values, project, may_pickle=False)
    assert list((project / ".cairn/carry").iterdir()) == []


@pytest.mark.parametrize("name", ["", "a b", "a-b", "../a", "class", "a" * 101, "a\nb", "1a"])
def test_names_that_are_none(name, project):
    with pytest.raises(CairnError, match="is not a name"):
        _carry.save([name], {name: 1}, project, may_pickle=False)


def test_too_many_values(project):
    names = [f"v{at}" for at in range(65)]
    with pytest.raises(CairnError, match="At most 64"):
        _carry.save(names, dict.fromkeys(names, 1), project, may_pickle=False)


def test_names_of_credentials_and_unicode_are_fine(project):
    values = {"credentials": 1, "größe": 2, "A": 3, "a": 4}
    carried = _carry.save(list(values), values, project, may_pickle=False)
    names = {}
    exec(carried.loader(["größe", "a"]), names)
    assert (names["größe"], names["a"]) == (2, 4)
    assert "A" not in names
    assert sorted(path.name for path in carried.folder.iterdir()) == [
        ".cairnignore",
        *(f"{at}.json" for at in range(4)),
    ]
    assert (carried.folder / ".cairnignore").read_text() == "!*\n"


def test_an_interrupt_leaves_nothing(project):
    class Interrupting:
        def __reduce__(self):
            raise KeyboardInterrupt

    values = {"a": 1, "b": Interrupting()}
    with pytest.raises(KeyboardInterrupt):
        _carry.save(["a", "b"], values, project, may_pickle=True)
    assert list((project / ".cairn/carry").iterdir()) == []


def test_no_project_folder(tmp_path):
    with pytest.raises(CairnError, match="There is no project folder"):
        _carry.save(["a"], {"a": 1}, tmp_path / "none", may_pickle=False)


def test_a_folder_that_cannot_be_written(project):
    (project / ".cairn").write_text("a file")
    with pytest.raises(CairnError, match="cannot be saved"):
        _carry.save(["a"], {"a": 1}, project, may_pickle=False)


def test_a_link_that_leads_out_of_the_project(project, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (project / ".cairn").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CairnError, match="leads elsewhere"):
        _carry.save(["a"], {"a": 1}, project, may_pickle=False)


def test_what_an_earlier_session_left_is_removed(project):
    parent = project / ".cairn/carry"
    (parent / "old").mkdir(parents=True)
    (parent / "new").mkdir()
    os.utime(parent / "old", (0, 0))
    carried = _carry.save(["a"], {"a": 1}, project, may_pickle=False)
    assert {path.name for path in parent.iterdir()} == {"new", carried.folder.name}
    carried.discard()
    carried.discard()


def test_a_job_without_the_values_says_why(project):
    carried = _carry.save(["a"], {"a": 1}, project, may_pickle=False)
    code = carried.loader(["a"])
    carried.discard()
    with pytest.raises(FileNotFoundError, match="does an ignore file leave out"):
        exec(code, {})


def test_without_the_variable_the_job_begins_in_the_project_folder(project, monkeypatch):
    monkeypatch.delenv("CAIRN_REPOSITORY")
    monkeypatch.chdir(project)
    assert there_and_back([1], project)[0] == [1]
