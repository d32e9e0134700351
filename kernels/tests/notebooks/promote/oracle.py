"""Runs cells of notebooks as IPython does, each notebook in a process and folder of its own. Told by JSON on standard input, answers so.

"full": runs all cells. "alone": runs those proposed, then looks for a smallest part of them that gives the same outputs.
"""

import json
import os
import re
import resource
import sys
import tempfile

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output


# Addresses, the numbers of executions, times, and whether a file was there.
CHANGING = r"^(Writing|Overwriting) |0x[0-9a-f]+|^Out\[\d+\]: |^(CPU times|Wall time):.*$"


def execute(cells):
    """What each cell printed, showed and raised."""
    shell = InteractiveShell.instance(colors="nocolor")
    shell.run_line_magic("config", "HistoryManager.enabled = False")
    shell.showtraceback = lambda *args, **kwargs: None
    outputs = []
    for source in cells:
        with capture_output() as captured:
            result = shell.run_cell(source, store_history=True)
        error = result.error_in_exec or result.error_before_exec
        shown = repr(result.result) if result.result is not None else ""
        text = [captured.stdout, shown, type(error).__name__ if error else ""]
        outputs.append([re.sub(CHANGING, "", part, flags=re.MULTILINE) for part in text])
    return outputs


def apart(cells):
    """The same in a process of its own, so that nothing stays."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        # A notebook that never ends, or grows for ever, ends in an error; so it does each time.
        resource.setrlimit(resource.RLIMIT_CPU, (4, 5))
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                text = json.dumps(execute(cells))
            except BaseException as error:
                text = json.dumps([["", "", f"oracle: {error!r}"]] * len(cells))
            with os.fdopen(writing, "w") as pipe:
                pipe.write(text)
            os.chdir("/")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else [["", "", "ended"]] * len(cells)


def alone(job):
    cells, wanted = job["cells"], set(job["selected"])
    expected = [output for at, output in enumerate(job["full"]) if at in wanted]

    def gives(kept):
        outputs = apart([cells[at] for at in kept])
        return [output for at, output in zip(kept, outputs) if at in wanted]

    kept = job["proposed"]
    found = gives(kept)
    if found != expected:
        return {"same": False, "found": found, "expected": expected, "least": len(kept)}
    least = kept
    if job["reduce"]:
        for at in reversed(kept):
            fewer = [one for one in least if one != at]
            if at not in wanted and gives(fewer) == expected:
                least = fewer
    return {"same": True, "least": len(least)}


def main():
    jobs = json.load(sys.stdin)
    work = {"full": lambda job: apart(job["cells"]), "alone": alone}[sys.argv[1]]
    InteractiveShell.instance()
    json.dump([work(job) for job in jobs], sys.stdout)


main()
