/** The Python around `carry.py`: what the kernel runs, what it answers, and what the job runs first. Pure. */
import source from "./carry.py?raw";

export type Kind = "json" | "npy" | "parquet" | "pkl";

/** What a value is; `missing` where the kernel has no such name. */
export interface Probe {
  missing?: boolean;
  kind: Kind;
  type: string;
  /** `12,000 × 8`, `of 3`; empty where it has none. */
  size: string;
  bytes: number | null;
}

export interface Saved {
  kind: Kind;
  type: string;
  bytes: number;
  /** A number of numpy's, which its format keeps as an array of none. */
  scalar: boolean;
}

export type Request =
  | { do: "probe"; names: string[] }
  | { do: "save"; names: string[]; folder: string; pickles: boolean }
  | { do: "forget"; folder: string };

export type SaveAnswer = { values: Record<string, Saved> } | { failed: string; why: string };

const MARK = "cairn-carry:";

/** JSON text is a Python literal too, but for three words, which texts may hold; so it goes over as a text. */
const python = (value: unknown): string => JSON.stringify(JSON.stringify(value));

/** What the kernel runs. It leaves no name in the notebook's own. */
export const kernelCode = (request: Request): string =>
  `exec(${JSON.stringify(source)}, {"__name__": "cairn_carry", "VALUES": globals(), "REQUEST": __import__("json").loads(${python(request)})})`;

/** The answer in what the kernel printed; null where there is none. */
export function parseAnswer<T>(printed: string): T | null {
  const line = printed.split("\n").find(each => each.startsWith(MARK));
  return line ? (JSON.parse(line.slice(MARK.length)) as T) : null;
}

/** The folder of one job's values, within the project folder. */
export const carryFolder = (id: string): string => `.cairn/carry/${id}`;

const LOADERS: Record<Kind, string> = {
  json: 'return json.loads(path.read_text(encoding="utf-8"))',
  npy: "import numpy; return numpy.load(path, allow_pickle=False)",
  parquet: "import pandas; return pandas.read_parquet(path)",
  pkl: "import pickle; return pickle.loads(path.read_bytes())",
};

/** What the job runs first, for people to read as well: it stands in the executed notebook. */
export function prelude(folder: string, values: Record<string, Saved>): string {
  const kinds = [...new Set(Object.values(values).map(saved => saved.kind))];
  const load = Object.entries(values).map(
    ([name, { kind, scalar }]) => `${name} = _carried("${name}.${kind}")${scalar ? "[()]" : ""}`,
  );
  return [
    "# Values that the kernel of the workspace held when this job was submitted.",
    "def _carried(name):",
    "    import json, os, pathlib",
    '    project = os.environ.get("CAIRN_REPOSITORY", "/cairn/repository")',
    `    path = pathlib.Path(project, ${JSON.stringify(folder)}, name)`,
    ...kinds.map(
      kind => `    if path.suffix == ".${kind}":\n        ${LOADERS[kind].replace("; ", "\n        ")}`,
    ),
    "",
    ...load,
    "del _carried",
  ].join("\n");
}
