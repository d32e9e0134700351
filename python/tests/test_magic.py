"""`%%job` in a real IPython shell against a real HTTP server."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from service import Refusal

from cairn import Job


def sources(request):
    """The sources of the cells that a submitted job runs, in order."""
    cells = request["cells"]["notebook"]["cells"]
    return [cells[at]["source"] for at in request["cells"]["keep"]]


def test_a_cell_takes_along_what_defines_what_it_uses(kernel, service):
    kernel.ok("a = 1")
    kernel.ok("unrelated = 5")
    kernel.ok("b = a + 1")
    job, out = kernel.ok("%%job train\nprint(b)")
    assert out.splitlines()[0] == "Queued as vision#1 on gpu-1 (3 cells: this one; 2, 4 define what it uses)"
    assert sources(service.submitted()[0]) == ["a = 1", "b = a + 1", "print(b)"]
    assert service.submitted()[0]["name"] == "train"
    assert isinstance(job, Job)
    assert kernel.shell.user_ns["_"] is job


def test_nothing_of_the_cell_runs_here(kernel):
    kernel.ok("%%job\nhere = 1")
    assert "here" not in kernel.shell.user_ns


def test_cells_count_as_they_were_run_and_not_as_they_are_now(kernel, service):
    kernel.ok("x = 'first'")
    kernel.ok("y = x")
    kernel.ok("x = 'second'")
    kernel.ok("%%job\nprint(x, y)")
    assert sources(service.submitted()[0]) == ["x = 'first'", "y = x", "x = 'second'", "print(x, y)"]


def test_a_cell_that_ran_twice_runs_twice(kernel, service):
    kernel.ok("n = 0")
    kernel.ok("n = n + 1")
    kernel.ok("n = n + 1")
    kernel.ok("%%job\nprint(n)")
    assert sources(service.submitted()[0]) == ["n = 0", "n = n + 1", "n = n + 1", "print(n)"]


def test_earlier_jobs_and_our_own_lines_are_not_taken(kernel, service):
    kernel.ok("%load_ext cairn\nz = 3")
    kernel.ok("%%job\nw = z")
    kernel.ok("shown = %job 1\nz2 = z\nif z:\n    %jobs\n")
    kernel.ok("%%job\nprint(z2)")
    cells = service.submitted()[1]["cells"]["notebook"]["cells"]
    expected = ["", "z = 3", "", "z2 = z\nif z:\n    pass", "print(z2)"]
    assert [cell["source"] for cell in cells] == expected
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, 4, None]


def test_a_cell_that_submits_jobs_by_itself_is_not_part_of_them(kernel, service):
    kernel.ok("a = 1")
    kernel.ok("b = 2; get_ipython().run_cell_magic('job', '', 'print(a)')")
    cells = service.submitted()[0]["cells"]["notebook"]["cells"]
    assert [cell["source"] for cell in cells] == ["", "a = 1", "print(a)"]


def test_a_cell_that_leaves_no_history_loses_none(kernel, service):
    kernel.ok("a = 1")
    kernel.shell.run_cell("%%job\nprint(a)", store_history=False).raise_error()
    assert sources(service.submitted()[0]) == ["a = 1", "print(a)"]


def test_cells_that_raised_are_left_out_and_said(kernel, service):
    kernel.run("m = 1\nraise RuntimeError('no')")
    kernel.run("other = 1\nraise OSError")
    kernel.run("this is no python")
    kernel.ok("m = 2")
    _, out = kernel.ok("%%job\nprint(m)")
    assert sources(service.submitted()[0]) == ["m = 2", "print(m)"]
    assert "? Cells that raised are left out, and with them what they did before: 2." in out


def test_cells_that_raised_and_have_nothing_to_do_with_it_are_not_said(kernel):
    kernel.run("m = 1\nraise RuntimeError('no')")
    _, out = kernel.ok("%%job\nrepr(2)")
    assert "raised" not in out


def test_alone_takes_the_body_only(kernel, service):
    kernel.ok("a = 1")
    _, out = kernel.ok("%%job --alone\nprint(1)")
    assert "(this cell alone)" in out
    assert len(service.submitted()[0]["cells"]["notebook"]["cells"]) == 1


def test_alone_misses_what_other_cells_define(kernel, service):
    kernel.ok("a = 1")
    assert "--carry a" in kernel.fails("%%job --alone\nprint(a)")


def test_every_option_arrives(kernel, service):
    kernel.ok(
        "%%job --machine gpu-2 --environment torch --input '#3' --input model=#4/best --param lr=0.5 "
        "--param 'tags=[\"a\"]' --param text=hello --time-limit 2h 'a long' name\n"
        "print(lr, tags, text)"
    )
    request = service.submitted()[0]
    assert request["machine"] == "gpu-2"
    assert request["environment"] == "torch"
    assert request["inputs"] == [{"ref": "#3"}, {"name": "model", "ref": "#4/best"}]
    assert request["parameters"] == {"lr": 0.5, "tags": ["a"], "text": "hello"}
    assert request["time_limit_ms"] == 7_200_000
    assert request["name"] == "a long name"


def test_braces_in_a_parameter_are_not_ipythons(kernel, service):
    kernel.ok("""%%job --param 'o={"a": 1}'\nprint(o)""")
    assert service.submitted()[0]["parameters"] == {"o": {"a": 1}}


def test_a_parameter_takes_the_place_of_its_assignment(kernel, service):
    kernel.ok("lr = 0.1")
    _, out = kernel.ok("%%job --param lr=0.5\nprint(lr)")
    assert service.submitted()[0]["cells"]["lift"] == ["lr"]
    assert "?" not in out


def test_a_parameter_that_a_cell_overrides_or_none_uses_is_doubted(kernel, service):
    kernel.ok("lr = 0.1 * 2")
    _, out = kernel.ok("%%job --param lr=0.5 --param typo=1\nprint(lr)")
    assert service.submitted()[0]["cells"]["lift"] == []
    assert "? lr is set in 2 too, not plainly: that wins over --param." in out
    assert "? No cell of the job uses the parameter typo." in out


def test_doubts_of_the_service_are_printed(kernel, service):
    service.extra["doubts"] = ["a.py was \x1b[2Jchanged since"]
    _, out = kernel.ok("%%job\nprint(1)")
    assert "? A.py was \\x1b[2Jchanged since." in out


def test_the_notebook_keeps_its_place_in_the_project(kernel, service, workspace, monkeypatch):
    for session, path in {
        f"{workspace}/work/analysis/train.ipynb": "analysis/train.ipynb",
        f"{workspace}/other/train.ipynb": "session.ipynb",
        f"{workspace}/work/../x.ipynb": "session.ipynb",
        "": "session.ipynb",
    }.items():
        monkeypatch.setenv("JPY_SESSION_NAME", session)
        kernel.ok("%%job\nprint(1)")
        assert service.submitted()[-1]["cells"]["path"] == path


def test_a_kernel_in_another_folder_is_doubted(kernel, workspace, monkeypatch):
    (workspace / "work/analysis").mkdir()
    monkeypatch.chdir(workspace / "work/analysis")
    _, out = kernel.ok("%%job\nprint(1)")
    assert "relative paths may differ" in out


def test_a_dry_run_shows_the_plan_and_sends_nothing(kernel, service):
    kernel.ok("a = 1")
    kernel.shell.user_ns["df"] = object()
    job, out = kernel.ok("%%job --dry-run\nprint(a, df)")
    assert job is None
    assert out.splitlines() == [
        "CELL       WHY        SOURCE",
        "2          defines a  a = 1",
        "this cell  selected   print(a, df)",
        "Not defined by any cell of it: df (see --carry)",
        "Nothing was sent.",
    ]
    assert service.submitted() == []


def test_magics_shell_lines_and_unicode_arrive_as_they_are(kernel, service):
    body = "%matplotlib inline\n!ls\nπ = 'größe 🦆 \\u0041'\nawait_ = await_it()"
    service.extra["missing"] = []
    kernel.ok("def await_it(): pass")
    kernel.ok(f"%%job größe 🦆\n{body}\n\n")
    assert sources(service.submitted()[0])[-1] == body
    assert service.submitted()[0]["name"] == "größe 🦆"


def test_top_level_await_is_python(kernel, service):
    kernel.ok("%%job\nimport asyncio\nawait asyncio.sleep(0)")
    assert len(service.submitted()) == 1


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%job\n   \n\n", "no code below"),
        ("%%job\nx = (", "line 2 is not Python"),
        ("%%job\n\n\nx = 1\ny = = 2", "line 5 is not Python: "),
        ("%%job\n%%job\nx = 1", "cannot hold another"),
        ("%%job --nope\nx = 1", "unrecognized arguments: --nope"),
        ("%%job --machine\nx = 1", "expected one argument"),
        ("%%job --time-limit soon\nx = 1", "`soon` is not a span of time"),
        ("%%job --time-limit 0s\nx = 1", "not a span of time"),
        ("%%job --param lr\nx = 1", "`lr` is not K=V"),
        ("%%job --param a=1 --param a=2\nx = 1", "a is given twice"),
        ("%%job --input /x=#1\nx = 1", "`/x` cannot name an input"),
        ("%%job 'open\nx = 1", "No closing quotation"),
        ("%%job --carry nothing\nx = 1", "The kernel has no nothing to carry"),
        ("%%job --carry a-b\nx = 1", "`a-b` is not a name"),
        ("%%job --carry x --param x=1\nx = 1", "cannot be carried and be a parameter"),
        ("%job", "names no job"),
        ("%job x", "names no job"),
        ("%job 0", "names no job"),
        ("%job other#1", "its own project only, which is vision"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(kernel, service, cell, words):
    assert words in kernel.fails(cell)
    assert not [path for method, path, _ in service.requests if method == "POST"]


def test_missing_names_say_what_to_do_about_each(kernel, service):
    kernel.run("late = 1\nraise RuntimeError")
    kernel.shell.user_ns.update(df=object(), np=json)
    words = kernel.fails("%%job\nprint(df, np, late, never)")
    assert "defines df, late, never, np." in words
    assert "--carry df,late" in words
    assert "Import np in the cell." in words
    assert "The kernel has no never either." in words
    assert "Cells that raised are left out: 2." in words
    assert service.submitted() == []


def test_what_is_builtin_is_not_missing(kernel, service):
    service.extra["missing"] = ["print", "__name__"]
    kernel.ok("%%job\nprint(1)")


def test_a_parameter_is_not_missing(kernel, service):
    kernel.ok("%%job --param lr=1\nprint(lr)")


def test_carried_values_are_in_the_folder_when_the_job_is_sent_and_not_after(kernel, service, workspace):
    kernel.ok("make = 7")
    kernel.ok("df = [make, 2.5]")
    kernel.ok("lr = 0.1")
    seen = {}

    def look(request):
        seen["files"] = sorted(path.name for path in (workspace / "work/.cairn/carry").rglob("*") if path.is_file())
        seen["names"] = {}
        exec(sources(request)[-2], seen["names"])  # the job begins in the project folder, as this test does

    service.on_submit = look
    kernel.ok("%%job --carry df\nprint(df, lr)")
    assert seen["files"] == [".cairnignore", "0.json"]
    assert seen["names"]["df"] == [7, 2.5]
    assert not [name for name in seen["names"] if name.startswith("_cairn")]
    assert list((workspace / "work/.cairn/carry").iterdir()) == []
    # What made the value here is not needed there.
    assert "df = [make, 2.5]" not in sources(service.submitted()[0])
    assert "lr = 0.1" in sources(service.submitted()[0])
    assert service.submitted()[0]["cells"]["prelude"] in sources(service.submitted()[0])


def test_with_no_cell_before_it_values_are_loaded_once(kernel, service):
    kernel.ok("v = 1")
    kernel.ok("%%job --carry v\nprint(v)")
    assert "prelude" not in service.submitted()[0]["cells"]


def test_a_pickle_is_loaded_after_the_cells_that_may_define_its_class(kernel, service):
    kernel.ok("lr = 0.1")
    kernel.ok("s = {1}")
    kernel.ok("%%job --pickle --carry s\nprint(s, lr)")
    assert "prelude" not in service.submitted()[0]["cells"]


def test_a_carried_value_that_an_earlier_cell_uses_is_loaded_before_it(kernel, service):
    kernel.shell.user_ns["scale"] = 3
    kernel.ok("def f(x): return x * scale")
    prelude = {}
    service.on_submit = lambda request: exec(request["cells"]["prelude"], prelude)
    kernel.ok("%%job --carry scale\nprint(f(2))")
    assert prelude["scale"] == 3


def test_values_are_removed_when_the_job_is_refused(kernel, service, workspace):
    def refuse(request):
        raise Refusal(409, "quota", "The project's queue is full.")

    service.on_submit = refuse
    kernel.ok("v = 1")
    assert kernel.fails("%%job --carry v\nprint(v)") == "The project's queue is full. (request req-7)"
    assert list((workspace / "work/.cairn/carry").iterdir()) == []


def interrupt(request):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)


def fail(request):
    raise Refusal(500, "internal", "Something went wrong.")


@pytest.mark.parametrize("doubt", [interrupt, fail])
def test_values_stay_where_the_job_may_have_been_accepted(kernel, service, workspace, doubt):
    service.on_submit = doubt
    kernel.ok("v = 1")
    words = kernel.fails("%%job --carry v\nprint(v)")
    (folder,) = (workspace / "work/.cairn/carry").iterdir()
    assert f"The values that it carries stay in {folder}." in words
    assert (folder / "0.json").read_text() == "1"


def test_pickles_are_warned_of(kernel, service):
    kernel.ok("s = {1, 2}")
    assert "--pickle" in kernel.fails("%%job --carry s\nprint(s)")
    _, out = kernel.ok("%%job --carry s --pickle\nprint(s)")
    assert "? s is carried as a pickle" in out


def test_waiting_prints_the_log_to_its_end(kernel, service):
    def move(number, offset):
        service.job(number, queue={"position": 1, "length": 2, "reason": "gpu-1 is in use"})
        if offset == 0 and not service.logs.get(number):
            waited.append(number)
            if len(waited) == 3:
                service.logs[number] = [
                    ("one",),
                    ("t", "stdout", True),
                    ("wo",),
                    ("note", "system"),
                    ("three", "stderr"),
                ]
        if offset == 4:
            service.end(number)

    waited = []
    service.on_log = move
    job, out = kernel.ok("%%job --wait\nprint(1)")
    lines = out.splitlines()
    assert lines[1:7] == ["cairn: 1 of 2 in the queue: gpu-1 is in use", "one", "two", "cairn: note", "three", lines[6]]
    assert job.state == "complete"


def test_waiting_for_a_job_that_fails_fails(kernel, service):
    service.on_log = lambda number, offset: service.end(number, "error", message="cell 2 raised ValueError.")
    words = kernel.fails("%%job --wait\nprint(1)")
    assert words == "vision#1 error on gpu-1 after 2.5 s: session.cells.ipynb (cell 2 raised ValueError)."


def test_interrupting_the_wait_leaves_the_job_alone(kernel, service, monkeypatch):
    def interrupt(self, out=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(Job, "follow", interrupt)
    job, out = kernel.ok("%%job --wait\nprint(1)")
    assert "Detached: vision#1 goes on." in out
    assert job.state == "queued"
    assert not [path for _, path, _ in service.requests if path.endswith("/stop")]


def test_a_real_interrupt_detaches(kernel, service):
    service.on_log = lambda number, offset: os.kill(os.getpid(), signal.SIGINT)
    _, out = kernel.ok("%%job --wait\nprint(1)")
    assert "Detached: vision#1 goes on." in out


def test_interrupting_the_submission_says_that_it_may_have_arrived(kernel, service):
    service.on_submit = interrupt
    assert "may have been accepted" in kernel.fails("%%job\nprint(1)")


def test_hostile_names_do_not_reach_the_terminal(kernel, service):
    kernel.ok("%%job\nprint(1)")
    service.job(1, name="\x1b]0;pwned\x07<img src=x onerror=alert(1)>\u202egnp", message="a\nb")
    job, _ = kernel.ok("%job 1")
    shown = repr(job)
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "\u202e" not in shown
    assert "\\x1b]0;pwned\\x07<img" in shown
    _, out = kernel.ok("%jobs")
    assert "\x1b" not in out
    data, _ = kernel.shell.display_formatter.format(job)
    assert set(data) == {"text/plain"}


def test_logs_keep_colours_and_lose_what_takes_over_a_terminal(kernel, service):
    service.on_log = lambda number, offset: service.end(number)
    service.logs[1] = [("\x1b[1;31mred\x1b[0m\t\x1b[2J\x1b]0;title\x07 5%\r6%",)]
    _, out = kernel.ok("%%job --wait\nprint(1)")
    assert "\x1b[1;31mred\x1b[0m\t\ufffd[2J\ufffd]0;title\ufffd 5%\r6%" in out


def test_jobs_lists_the_latest_first(kernel, service):
    service.job(1, name="first")
    service.end(2)
    jobs, out = kernel.ok("%jobs")
    assert [job.number for job in jobs] == [2, 1]
    assert out.splitlines()[-2:] == ["vision#2  complete  gpu-1    job 2", "vision#1  queued    gpu-1    first"]
    jobs, _ = kernel.ok("%jobs first")
    assert [job.number for job in jobs] == [1]
    assert kernel.ok("%jobs none")[1].strip().endswith("No jobs.")


def test_jobs_are_named_with_and_without_their_project(kernel, service):
    service.job(12)
    for text in ("12", "#12", "vision#12"):
        assert kernel.ok(f"%job {text}")[0].number == 12


def test_a_job_of_another_kernel_is_not_found(kernel):
    assert kernel.fails("%job 99") == "There is no such job. (request req-7)"


def test_unloading_takes_the_magics_away_and_loading_again_brings_them_back(kernel, service):
    kernel.ok("%unload_ext cairn")
    assert kernel.shell.find_cell_magic("job") is None
    assert kernel.shell.find_line_magic("jobs") is None
    kernel.ok("%load_ext cairn")
    kernel.ok("%reload_ext cairn")
    kernel.ok("%%job\nprint(1)")


def test_outside_a_workspace_it_loads_and_says_so_when_used(kernel, monkeypatch):
    monkeypatch.delenv("CAIRN_API_URL")
    kernel.ok("%reload_ext cairn")
    assert "not one of a Cairn workspace: CAIRN_API_URL is not set" in kernel.fails("%jobs")


def test_the_help_is_that_of_job(kernel):
    assert "--dry-run" in kernel.shell.find_cell_magic("job").__doc__


def test_attaching_gives_the_folder(kernel, service):
    service.end(1)
    service.job(1)
    job, _ = kernel.ok("%job 1")
    assert job.attach() == Path("/cairn/inputs/job-1")
    assert job.attach("model") == Path("/cairn/inputs/model")
    assert service.inputs == {"job-1": "#1", "model": "#1"}
