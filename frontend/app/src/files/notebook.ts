/** A notebook file as the page shows it: what is understood of it, whoever wrote it. Trusts nothing. Pure. */

export type Output =
  | { kind: "text"; text: string; isError: boolean }
  | { kind: "image"; mime: string; base64: string; alt: string }
  | { kind: "html"; html: string };
export interface Cell {
  kind: "code" | "markdown" | "raw";
  source: string;
  count: number | null;
  outputs: Output[];
  isParameters: boolean;
  isInjected: boolean;
}
export interface Notebook {
  language: string;
  cells: Cell[];
}

type Record_ = Record<string, unknown>;
const isRecord = (value: unknown): value is Record_ =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const records = (value: unknown): Record_[] => (Array.isArray(value) ? value.filter(isRecord) : []);

/** Multi-line strings are stored as a string or as a list of lines. */
function text(value: unknown): string {
  if (typeof value === "string") return value;
  return Array.isArray(value) ? value.filter(part => typeof part === "string").join("") : "";
}

const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

function fromData(data: Record_): Output | null {
  const alt = text(data["text/plain"]);
  for (const mime of IMAGES) {
    if (data[mime])
      return { kind: "image", mime, base64: text(data[mime]).replace(/[^A-Za-z0-9+/=]/g, ""), alt };
  }
  if (data["image/svg+xml"]) {
    return { kind: "image", mime: "image/svg+xml", base64: toBase64(text(data["image/svg+xml"])), alt };
  }
  if (data["text/html"]) return { kind: "html", html: text(data["text/html"]) };
  if (data["text/plain"]) return { kind: "text", text: alt, isError: false };
  const json = data["application/json"];
  return json === undefined ? null : { kind: "text", text: JSON.stringify(json, null, 2), isError: false };
}

function toBase64(value: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(value)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function parseOutput(output: Record_): Output | null {
  if (output.output_type === "stream")
    return { kind: "text", text: text(output.text), isError: output.name === "stderr" };
  if (output.output_type === "error") {
    const trace = text(Array.isArray(output.traceback) ? output.traceback.join("\n") : "");
    return { kind: "text", text: trace || `${text(output.ename)}: ${text(output.evalue)}`, isError: true };
  }
  return isRecord(output.data) ? fromData(output.data) : null;
}

/** Stream outputs that follow each other belong together, as they did on the screen. */
function joined(outputs: Output[]): Output[] {
  const result: Output[] = [];
  for (const output of outputs) {
    const last = result.at(-1);
    if (output.kind === "text" && last?.kind === "text" && last.isError === output.isError)
      last.text += output.text;
    else result.push(output.kind === "text" ? { ...output } : output);
  }
  return result;
}

function parseCell(cell: Record_): Cell {
  const kind = cell.cell_type === "markdown" || cell.cell_type === "raw" ? cell.cell_type : "code";
  const tags = isRecord(cell.metadata) && Array.isArray(cell.metadata.tags) ? cell.metadata.tags : [];
  return {
    kind,
    source: text(cell.source ?? cell.input),
    count: typeof cell.execution_count === "number" ? cell.execution_count : null,
    outputs: joined(
      records(cell.outputs)
        .map(parseOutput)
        .filter(output => output !== null),
    ),
    isParameters: tags.includes("parameters"),
    isInjected: tags.includes("injected-parameters"),
  };
}

/** Reads a notebook of format 4. Throws with words for people when it is none. */
export function parseNotebook(content: string): Notebook {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    throw new Error("This file is not valid JSON, so it is no notebook.");
  }
  if (!isRecord(value) || !Array.isArray(value.cells))
    throw new Error("This file has no cells, so it is no notebook of format 4.");
  const info =
    isRecord(value.metadata) && isRecord(value.metadata.language_info) ? value.metadata.language_info : {};
  return { language: text(info.name) || "python", cells: records(value.cells).map(parseCell) };
}
