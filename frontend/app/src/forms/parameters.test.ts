import { expect, test } from "vitest";
import { newRow, type Row, rowError, toParameters, toRows } from "./parameters";

const row = (part: Partial<Row>): Row => ({ id: 0, name: "x", kind: "text", text: "", ...part });

test("parameters survive editing unchanged, with their types", () => {
  const parameters = { lr: 0.05, name: "12", on: false, sizes: [1, 2], none: null };
  expect(toParameters(toRows(parameters))).toEqual(parameters);
});

test("what is wrong with a row is said", () => {
  expect(rowError(row({ kind: "number", text: "0.1e3" }), [])).toBeNull();
  expect(rowError(row({ kind: "number", text: "fast" }), [])).toContain("not a number");
  expect(rowError(row({ kind: "number", text: "" }), [])).toContain("not a number");
  expect(rowError(row({ kind: "json", text: "{" }), [])).toContain("JSON");
  expect(rowError(row({ name: "1 x" }), [])).toContain("name");
  const twice = [row({ id: 0 }), row({ id: 1 })];
  expect(rowError(row({ id: 1 }), twice)).toContain("already");
});

test("an empty row is no parameter and no error", () => {
  const rows = [newRow([])];
  expect(rowError(row({ name: "", text: "" }), rows)).toBeNull();
  expect(toParameters(rows)).toEqual({});
});
