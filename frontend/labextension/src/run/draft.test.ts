import { expect, test } from "vitest";
import type { FoundParameter, ParameterKind, Proposal } from "../api/types";
import { type Context, fieldsOf, isFine, newDraft, problems, toJob, withInput } from "./draft";
import { field, initial, problem, toParameters } from "./fields";
import { codeCells, slim, untrusted } from "./notebook";
import { because } from "./reasons";

const parameter = (
  kind: ParameterKind,
  value: FoundParameter["default"],
  code: string,
  more: Partial<FoundParameter> = {},
): FoundParameter => ({
  name: "x",
  kind,
  default: value,
  code,
  help: "",
  cell: 0,
  source: "parameters",
  ...more,
});

const proposal: Proposal = {
  cells: [3, 1, 4].map(cell => ({ cell, id: null, reasons: [], doubt: false })),
  doubts: [],
  missing: ["df"],
  parameters: [
    parameter("number", 0.1, "0.1", { name: "lr" }),
    parameter("integer", 5, "5", { name: "epochs", source: "assignment" }),
  ],
};
const notebook = { cells: [], metadata: {} };
const cells: Context = { workspaceId: "w", source: { what: "cells", path: "a/train.ipynb", notebook } };

test("a parameter is shown as it is written", () => {
  expect(initial(parameter("number", 0.0001, "1e-4"))).toBe("1e-4");
  expect(initial(parameter("integer", 10000, "10_000"))).toBe("10_000");
  expect(initial(parameter("number", 0.5, "float('0.5')"))).toBe("0.5");
  expect(initial(parameter("text", "a b", "'a b'"))).toBe("a b");
  expect(initial(parameter("map", { a: 1 }, "dict(a=1)"))).toBe('{"a":1}');
  expect(initial(parameter("code", null, "os.cpu_count()"))).toBe("");
});

test.each([
  ["integer", "1.5", "whole number"],
  ["integer", "1_000", null],
  ["number", "", "not a number"],
  ["number", "1e-4", null],
  ["list", "{}", "a list"],
  ["list", "[1]", null],
  ["map", "[1]", "a map"],
  ["map", "null", "a map"],
  ["none", "", null],
  ["none", "nope", "a value"],
  ["code", '"a"', null],
  ["text", "", null],
] as const)("%s “%s”: %s", (kind, text, error) => {
  const said = problem(parameter(kind, null, ""), text);
  if (error) expect(said).toContain(error);
  else expect(said).toBeNull();
});

test("what was not touched goes along unless JSON would change it", () => {
  const send = (found: FoundParameter, typed?: string) => toParameters([field(found, typed)]);
  expect(send(parameter("number", 0.1, "0.1"))).toEqual({ x: 0.1 });
  expect(send(parameter("number", 1, "1.0"))).toEqual({});
  expect(send(parameter("number", 1, "1.0"), "2")).toEqual({ x: 2 });
  expect(send(parameter("integer", 2 ** 53, "9007199254740993"))).toEqual({});
  expect(send(parameter("code", null, "f()"))).toEqual({});
  expect(send(parameter("code", null, "f()"), "[1]")).toEqual({ x: [1] });
  expect(send(parameter("boolean", true, "True"), "false")).toEqual({ x: false });
  expect(send(parameter("none", null, "None"))).toEqual({ x: null });
});

test("selected cells become a job with what was chosen, in the order to run", () => {
  const draft = {
    ...newDraft(" train ", [{ ref: "#12", name: "model" }]),
    machine: "gpu-1",
    minutes: "1.5",
    cellMinutes: "0.5",
    dropped: [1],
    lifted: ["epochs"],
    texts: { epochs: "9" },
  };
  expect(toJob(draft, proposal, cells, "x = 1")).toEqual({
    workspace_id: "w",
    name: "train",
    machine: "gpu-1",
    time_limit_ms: 90_000,
    cell_time_limit_ms: 30_000,
    inputs: [{ ref: "#12", name: "model" }],
    parameters: { lr: 0.1, epochs: 9 },
    cells: { notebook, path: "a/train.ipynb", keep: [3, 4], lift: ["epochs"], prelude: "x = 1" },
  });
});

test("a whole notebook goes by its path", () => {
  const context: Context = { workspaceId: "w", source: { what: "notebook", path: "train.ipynb" } };
  expect(toJob(newDraft("", []), null, context, null)).toEqual({
    workspace_id: "w",
    inputs: [],
    parameters: {},
    notebook: "train.ipynb",
  });
});

test("errors stand by the field, and those of assignments that are none do not count", () => {
  const draft = { ...newDraft("", []), minutes: "soon", texts: { lr: "fast", epochs: "many" } };
  const found = problems(proposal, draft);
  expect(found.parameters).toEqual({ lr: "This is not a number." });
  expect(found.minutes).not.toBeNull();
  expect(isFine(found)).toBe(false);
  expect(isFine(problems(proposal, newDraft("", [])))).toBe(true);
  expect(fieldsOf(proposal, draft)).toHaveLength(1);
  const pair = { kind: "pickle", type: "tuple", size: "of 2", bytes: null } as const;
  const carrying = { ...newDraft("", []), carried: ["pair"] };
  expect(isFine(problems(proposal, carrying, { pair }))).toBe(false);
  expect(isFine(problems(proposal, { ...carrying, allowsPickle: true }, { pair }))).toBe(true);
});

test("no two inputs have the same folder, and none comes twice", () => {
  const one = withInput([], "#3/model");
  expect(withInput(withInput(one, "#4/model"), "#3/model")).toEqual([
    { ref: "#3/model", name: "model" },
    { ref: "#4/model", name: "model-2" },
  ]);
});

test("outputs, pictures and widgets stay here; execution numbers go along", () => {
  const sent = slim({
    nbformat: 4,
    metadata: { widgets: { big: 1 }, kernelspec: { name: "python3" } },
    cells: [
      {
        cell_type: "code",
        source: ["a = 1\n", "b"],
        execution_count: 7,
        outputs: [{ data: "x" }],
        metadata: {},
      },
      { cell_type: "markdown", source: "![](attachment:a)", attachments: { a: "…" }, metadata: {} },
    ],
  });
  expect(sent).toEqual({
    nbformat: 4,
    metadata: { kernelspec: { name: "python3" } },
    cells: [
      { cell_type: "code", source: ["a = 1\n", "b"], execution_count: 7, outputs: [], metadata: {} },
      { cell_type: "markdown", source: "![](attachment:a)", metadata: {} },
    ],
  });
});

test("code cells are named by their first line; empty ones are passed over", () => {
  const found = codeCells({
    cells: [
      { cell_type: "markdown", source: "# Title" },
      { cell_type: "code", source: "\n  # load\nx = 1", execution_count: 2 },
      { cell_type: "code", source: " \n", execution_count: null },
      { cell_type: "code", source: ["y = 2"] },
    ],
  });
  expect(found).toEqual([
    { cell: 1, ran: 2, title: "# load" },
    { cell: 3, ran: null, title: "y = 2" },
  ]);
});

test("what several reasons share is said once", () => {
  const reason = (kind: string, what: string | null, text: string) => ({ kind, what, text });
  expect(
    because([
      reason("defines", "x", "defines x"),
      reason("defines", "y", "defines y"),
      reason("may_change", "df", "may change df"),
      reason("unreadable", "it cannot be read", "it cannot be read"),
    ]),
  ).toBe("defines x, y; may change df; it cannot be read");
});

test("a notebook cannot say of itself that it is to be trusted", () => {
  const cells = [
    { cell_type: "code", source: "", metadata: { trusted: true, tags: ["a"] } },
    { cell_type: "raw" },
  ];
  expect(JSON.stringify(untrusted({ nbformat: 4, cells }))).not.toContain("trusted");
  expect(untrusted({ nbformat: 4, cells }).cells).toMatchObject([{ metadata: { tags: ["a"] } }, {}]);
});
