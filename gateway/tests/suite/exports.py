"""Reads an exported lineage with the packages of its format; fails where they refuse or lose anything: exports.py FORMAT FILE."""

import json
import sys
from pathlib import Path


def camel_to_module(key: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in key)


def judge_facets(facets: dict, ending: str) -> None:
    """Each standard facet must be what its class takes: no field unknown, none missing, and of the release that it names."""
    import importlib

    for key, facet in facets.items():
        for field in ("_producer", "_schemaURL"):
            assert "://" in facet[field], (key, field)
        if key.startswith("cairn_"):
            continue
        name = facet["_schemaURL"].rsplit("/", 1)[1]
        assert name.endswith("Facet"), name
        base = name.removesuffix("Facet")
        module = importlib.import_module(f"openlineage.client.generated.{camel_to_module(base)[1:]}")
        fields = {k: v for k, v in facet.items() if k != "_schemaURL" and k != "_producer"}
        made = getattr(module, name)(**fields)
        assert made._get_schema().rsplit("/", 1)[1] == name, name
        assert base.lower().endswith(ending.lower()), (base, ending)


def judge_datasets(datasets: list, facets_key: str, ending: str) -> None:
    from openlineage.client.event_v2 import Dataset

    for dataset in datasets:
        Dataset(namespace=dataset["namespace"], name=dataset["name"])
        judge_facets(dataset["facets"], "Dataset")
        judge_facets(dataset.get(facets_key, {}), ending)


def openlineage(events: list) -> None:
    from openlineage.client.event_v2 import DatasetEvent, Job, Run, RunEvent, RunState
    from openlineage.client.event_v2 import StaticDataset

    assert events
    for event in events:
        if "dataset" in event:
            dataset = event["dataset"]
            static = StaticDataset(namespace=dataset["namespace"], name=dataset["name"])
            DatasetEvent(eventTime=event["eventTime"], producer=event["producer"], dataset=static)
            judge_facets(dataset["facets"], "Dataset")
            continue
        RunEvent(
            eventType=RunState(event["eventType"]),
            eventTime=event["eventTime"],
            producer=event["producer"],
            run=Run(runId=event["run"]["runId"]),
            job=Job(namespace=event["job"]["namespace"], name=event["job"]["name"]),
        )
        judge_facets(event["run"].get("facets", {}), "Run")
        judge_facets(event["job"].get("facets", {}), "Job")
        judge_datasets(event["inputs"], "inputFacets", "InputDataset")
        judge_datasets(event["outputs"], "outputFacets", "OutputDataset")


def prov(document: dict) -> None:
    from prov.model import ProvDocument

    read = ProvDocument.deserialize(content=json.dumps(document), format="json")
    count = sum(len(part) for name, part in document.items() if name != "prefix")
    assert len(read.records) == count, (len(read.records), count)
    read.unified().get_provn()
    again = ProvDocument.deserialize(content=read.serialize(format="json"), format="json")
    assert again == read


judges = {"openlineage": openlineage, "prov": prov}
judges[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
