/** The Python around `carry.py`: what the kernel runs and what it answers. Pure. */
import carry from "../../../../python/src/cairn/_carry.py?raw";
import errors from "../../../../python/src/cairn/_errors.py?raw";
import text from "../../../../python/src/cairn/_text.py?raw";
import source from "./carry.py?raw";

/** The modules of the Python package that keep values, each after those that it imports. */
const SOURCES = { _text: text, _errors: errors, _carry: carry };

export type Kind = "json" | "npy" | "number" | "parquet" | "pickle";

/** What a value is; `missing` where the kernel has no such name. */
export interface Probe {
  missing?: boolean;
  kind: Kind;
  type: string;
  /** `12,000 × 8`, `of 3`; empty where it has none. */
  size: string;
  bytes: number | null;
}

/** Folders are as the kernel has them; `~` is its home. */
export type Request =
  | { do: "probe"; names: string[] }
  | { do: "save"; names: string[]; project: string; pickles: boolean }
  | { do: "forget"; folder: string };

/** Where the values lie and what the job has to run first, or what is wrong, in a sentence. */
export type SaveAnswer = { folder: string; prelude: string } | { failed: string };

const MARK = "cairn-carry:";

/** JSON text is a Python literal too, but for three words, which texts may hold; so it goes over as a text. */
const python = (value: unknown): string =>
  `__import__("json").loads(${JSON.stringify(JSON.stringify(value))})`;

/** What the kernel runs. It leaves no name in the notebook's own. */
export const kernelCode = (request: Request): string =>
  `exec(${JSON.stringify(source)}, {"__name__": "cairn_carry", "VALUES": globals(), "REQUEST": ${python(request)}, "SOURCES": ${python(SOURCES)}})`;

/** The answer in what the kernel printed; null where there is none. */
export function parseAnswer<T>(printed: string): T | null {
  const line = printed.split("\n").find(each => each.startsWith(MARK));
  return line ? (JSON.parse(line.slice(MARK.length)) as T) : null;
}
