/** Parameters as one edits them, and back to JSON. Pure. */
import type { Json } from "@cairn/api/types";
import type { FoundParameter } from "../api/types";

export interface Field {
  parameter: FoundParameter;
  /** What stands in the control; `true` and `false` for a checkbox. */
  text: string;
  isChanged: boolean;
  error: string | null;
}

/** The default as the control shows it. Code that is no plain value shows nothing: it stays as it is unless one types. */
export function initial({ kind, default: value, code }: FoundParameter): string {
  if (kind === "code") return "";
  if (kind === "text" && typeof value === "string") return value;
  // As it is written, where that is a number for us too: 1e-4, 1_000 and integers beyond what JavaScript can count.
  if (kind === "number" || kind === "integer")
    return code && isNumber(code.replaceAll("_", "")) ? code : JSON.stringify(value);
  return JSON.stringify(value);
}

const isNumber = (text: string): boolean => text.trim() !== "" && Number.isFinite(Number(text));
const plainNumber = (text: string): string => text.trim().replaceAll("_", "");

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

const isMap = (value: Json | undefined): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What is wrong with a text, in words for the person who typed it; null when nothing is. */
export function problem({ kind }: FoundParameter, text: string): string | null {
  switch (kind) {
    case "text":
    case "boolean":
      return null;
    case "integer":
      return /^[+-]?\d+$/.test(plainNumber(text)) ? null : "This is not a whole number.";
    case "number":
      return isNumber(plainNumber(text)) ? null : "This is not a number.";
    case "list":
      return Array.isArray(parse(text)) ? null : "Write a list in JSON, such as [1, 2].";
    case "map":
      return isMap(parse(text)) ? null : 'Write a map in JSON, such as {"a": 1}.';
    default:
      return text.trim() === "" || parse(text) !== undefined
        ? null
        : 'Write a value in JSON, such as 1, "a" or [1, 2].';
  }
}

export function field(parameter: FoundParameter, typed: string | undefined): Field {
  const before = initial(parameter);
  const text = typed ?? before;
  return { parameter, text, isChanged: text !== before, error: problem(parameter, text) };
}

function jsonOf({ kind }: FoundParameter, text: string): Json | undefined {
  if (kind === "text") return text;
  if (kind === "integer" || kind === "number") return Number(plainNumber(text));
  return parse(text);
}

/**
 * The values to send. Those that were left as they are go along, so that the job's record has them, unless JSON would change them: 1.0 would
 * become 1, and a whole number beyond 2⁵³ another one.
 */
export function toParameters(fields: readonly Field[]): Record<string, Json> {
  const parameters: Record<string, Json> = {};
  for (const { parameter, text, isChanged } of fields) {
    const value = jsonOf(parameter, text);
    if (value === undefined) continue;
    const isInexact =
      (parameter.kind === "number" && Number.isInteger(value)) ||
      (parameter.kind === "integer" && !Number.isSafeInteger(value));
    if (isChanged || !isInexact) parameters[parameter.name] = value;
  }
  return parameters;
}
