/** Parameters as one edits them: names with values of a type, and back to JSON. Pure. */
import type { Json } from "@cairn/api/types";

export type Kind = "text" | "number" | "yes or no" | "json";
export const KINDS: Kind[] = ["text", "number", "yes or no", "json"];

export interface Row {
  id: number;
  name: string;
  kind: Kind;
  text: string;
}

export function kindOf(value: Json): Kind {
  if (typeof value === "number") return "number";
  if (typeof value === "boolean") return "yes or no";
  return typeof value === "string" ? "text" : "json";
}

export function toRows(parameters: Record<string, Json>): Row[] {
  return Object.entries(parameters).map(([name, value], id) => ({
    id,
    name,
    kind: kindOf(value),
    text: typeof value === "string" ? value : JSON.stringify(value),
  }));
}

const NAME = /^[A-Za-z_][\w.-]*$/;

/** What is wrong with a row, in words for the person who typed it; null when nothing is. */
export function rowError(row: Row, rows: Row[]): string | null {
  if (!row.name && !row.text) return null;
  if (!NAME.test(row.name)) return "A name starts with a letter or underscore and has no spaces.";
  if (rows.some(other => other.id < row.id && other.name === row.name)) return "This name is already there.";
  if (row.kind === "number" && (row.text.trim() === "" || !Number.isFinite(Number(row.text))))
    return "This is not a number.";
  if (row.kind === "yes or no" && row.text !== "true" && row.text !== "false") return "Choose yes or no.";
  if (row.kind === "json") {
    try {
      JSON.parse(row.text);
    } catch {
      return "This is not valid JSON.";
    }
  }
  return null;
}

export function toParameters(rows: Row[]): Record<string, Json> {
  const parameters: Record<string, Json> = {};
  for (const row of rows) {
    if (!row.name) continue;
    parameters[row.name] =
      row.kind === "text"
        ? row.text
        : row.kind === "number"
          ? Number(row.text)
          : (JSON.parse(row.text) as Json);
  }
  return parameters;
}

/** An empty row to type into. */
export const newRow = (rows: Row[]): Row => ({
  id: 1 + Math.max(-1, ...rows.map(row => row.id)),
  name: "",
  kind: "number",
  text: "",
});
