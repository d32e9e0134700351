"""A job as a notebook holds it."""

import io

import pytest
from service import Refusal

from cairn import CairnError, Job
from cairn._api import Client
from cairn._job import Output


@pytest.fixture
def job(workspace, service):
    service.job(1)
    return Job.find(Client.from_environment(), "p1", 1)


def test_it_is_asked_until_it_has_ended_and_not_after(job, service):
    assert job.state == "queued"
    service.job(1, state="started")
    assert job.state == "started"
    service.end(1, metadata={"loss": 0.5})
    assert job.metadata == {"loss": 0.5}
    asked = len(service.requests)
    assert job.state == "complete"
    assert len(service.requests) == asked


def test_waiting_returns_the_job(job, service, pauses):
    answers = iter([None, None, lambda: service.end(1)])
    service.trouble = lambda method, path: (next(answers, None) or (lambda: None))()
    assert job.wait() is job
    assert pauses == [0.5, 0.75]


def test_waiting_for_a_failure(job, service):
    service.end(1, "stopped", message="Its time was up.")
    with pytest.raises(CairnError, match=r"vision#1 stopped on gpu-1 after 2.5 s: job 1 \(Its time was up\)"):
        job.wait()
    assert job.wait(check=False).state == "stopped"


def test_waiting_has_an_end(job):
    with pytest.raises(CairnError, match="has not ended after 0 s; it goes on"):
        job.wait(timeout_s=0)


def test_a_restart_of_cairn_is_waited_out(job, service, pauses):
    def away(method, path):
        away.count += 1
        if away.count <= 9:
            raise Refusal(503, "unavailable", "Cairn is starting.")
        service.end(1)

    away.count = 0
    service.trouble = away
    assert job.wait().state == "complete"


def test_a_job_that_was_taken_away_is_not_waited_for(job, service):
    service.jobs.clear()
    with pytest.raises(CairnError, match="There is no such job"):
        job.wait()


def test_every_line_of_the_log_is_printed_once(job, service):
    service.logs[1] = [(f"line {at}",) for at in range(7)]
    service.on_log = lambda number, offset: offset == 6 and service.end(1)
    out = io.StringIO()
    assert job.follow(out).state == "complete"
    assert out.getvalue().splitlines() == [f"line {at}" for at in range(7)]


def test_outputs_are_listed_to_the_last_page(job, service):
    assert job.outputs == []
    service.outputs[1] = [(f"f{at}", at) for at in range(5)]
    service.end(1, outputs={"files": 5, "bytes": 10})
    assert job.outputs == [Output(f"f{at}", "file", at) for at in range(5)]


def test_stopping_twice_is_fine(job):
    assert job.stop().state == "stopped"
    assert job.stop().state == "stopped"


def test_its_page(job, service, server):
    assert job.url == f"http://127.0.0.1:{server.server_port}/p/vision/jobs/1"
    service.job(1, project="a/b c")
    assert Job.find(job._client, "p1", 1).url.endswith("/p/a%2Fb%20c/jobs/1")


def test_an_input_cannot_have_any_name(job, service):
    with pytest.raises(CairnError, match="cannot name an input"):
        job.attach("a/b")
    with pytest.raises(CairnError, match="is not a name"):
        job.attach("..")
    assert service.inputs == {}


def test_where_inputs_are_is_the_kernels_to_know(job, monkeypatch, tmp_path):
    monkeypatch.setenv("CAIRN_INPUTS", str(tmp_path))
    assert job.attach() == tmp_path / "job-1"


def test_it_can_be_shown_while_cairn_is_away(job, service):
    from IPython.lib.pretty import pretty

    assert pretty(job) == "vision#1 queued on gpu-1: job 1"

    def away(method, path):
        raise Refusal(503, "unavailable", "Cairn is starting.")

    service.trouble = away
    assert pretty(job).endswith("(when last seen: Cairn cannot be asked)")
