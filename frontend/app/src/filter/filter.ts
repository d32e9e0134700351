/**
 * The filter language of job lists: words to find anywhere, and conditions such as `state:error`, `user:ada`,
 * `param.lr<0.1`, `metadata.accuracy>=0.9`, `-state:complete`. All of them must hold. Pure.
 */
import type { Job, Json } from "@cairn/api/types";
import { jobName, runs } from "~/components/JobTitle";
import { shownState } from "~/lib/job";

export type Operator = ":" | "=" | "!=" | "<" | "<=" | ">" | ">=";
export interface Condition {
  key: string;
  operator: Operator;
  value: string;
  negated: boolean;
}
export interface Filter {
  words: string[];
  conditions: Condition[];
}

const CONDITION = /^(-?)([A-Za-z_][\w./-]*?)(:|!=|<=|>=|=|<|>)(.*)$/;

/** Splits at white space outside double quotes. */
export function tokens(text: string): string[] {
  return (text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []).map(token => token.replaceAll('"', ""));
}

export function parseFilter(text: string): Filter {
  const filter: Filter = { words: [], conditions: [] };
  for (const token of tokens(text)) {
    const match = CONDITION.exec(token);
    if (!match) filter.words.push(token.toLowerCase());
    else if (match[4] !== "") {
      filter.conditions.push({
        negated: match[1] === "-",
        key: match[2] ?? "",
        operator: match[3] as Operator,
        value: match[4] ?? "",
      });
    }
  }
  return filter;
}

const FIELDS: Record<string, (job: Job) => Json | undefined> = {
  number: job => job.number,
  state: job => shownState(job),
  name: job => jobName(job),
  user: job => job.user,
  machine: job => job.machine,
  environment: job => job.environment,
  notebook: job => job.notebook ?? undefined,
  command: job => job.command?.join(" "),
  message: job => job.message ?? undefined,
  duration: job => (job.started_ms ? ((job.ended_ms ?? Date.now()) - job.started_ms) / 1000 : undefined),
  files: job => job.outputs?.files,
  exit: job => job.exit_code ?? undefined,
};
export const FIELD_NAMES = Object.keys(FIELDS);

/** The value that a key of the filter language or a column stands for. */
export function fieldOf(job: Job, key: string): Json | undefined {
  const field = FIELDS[key];
  if (field) return field(job);
  if (key.startsWith("param.")) return job.parameters[key.slice(6)];
  if (key.startsWith("metadata.")) return job.metadata[key.slice(9)];
  return job.metadata[key] ?? job.parameters[key];
}

function compare(actual: Json, operator: Operator, wanted: string): boolean {
  const number = Number(wanted);
  const isNumeric = typeof actual === "number" && wanted.trim() !== "" && !Number.isNaN(number);
  const text = typeof actual === "string" ? actual : JSON.stringify(actual);
  const same = isNumeric ? actual === number : text.toLowerCase() === wanted.toLowerCase();
  switch (operator) {
    case ":":
      return isNumeric ? actual === number : text.toLowerCase().includes(wanted.toLowerCase());
    case "=":
      return same;
    case "!=":
      return !same;
    case "<":
      return isNumeric && actual < number;
    case "<=":
      return isNumeric && actual <= number;
    case ">":
      return isNumeric && actual > number;
    case ">=":
      return isNumeric && actual >= number;
  }
}

function holds(job: Job, condition: Condition): boolean {
  const actual = fieldOf(job, condition.key);
  const result =
    actual === undefined || actual === null
      ? condition.operator === "!="
      : compare(actual, condition.operator, condition.value);
  return result !== condition.negated;
}

export function matches(job: Job, filter: Filter): boolean {
  if (!filter.conditions.every(condition => holds(job, condition))) return false;
  if (filter.words.length === 0) return true;
  const text =
    `#${job.number} ${job.name} ${runs(job)} ${job.user} ${shownState(job)} ${job.message ?? ""}`.toLowerCase();
  return filter.words.every(word => text.includes(word));
}

/** Sorts by a key; jobs without a value come last in both directions, equal ones newest first. */
export function sortJobs(jobs: Job[], key: string, descending: boolean): Job[] {
  if (key === "number") return descending ? jobs : [...jobs].reverse();
  const sign = descending ? -1 : 1;
  const decorated = jobs.map(job => ({ job, value: fieldOf(job, key) ?? null }));
  decorated.sort((a, b) => {
    if (a.value === null || b.value === null)
      return a.value === b.value ? b.job.number - a.job.number : a.value === null ? 1 : -1;
    if (typeof a.value === "number" && typeof b.value === "number")
      return sign * (a.value - b.value) || b.job.number - a.job.number;
    return (
      sign * String(a.value).localeCompare(String(b.value), undefined, { numeric: true }) ||
      b.job.number - a.job.number
    );
  });
  return decorated.map(each => each.job);
}

const SAMPLE = 5000;

/** Every parameter and metadata key that the newest jobs have, as column names. */
export function keysOf(jobs: Job[]): string[] {
  const keys = new Set<string>();
  for (const job of jobs.slice(0, SAMPLE)) {
    for (const key of Object.keys(job.parameters)) keys.add(`param.${key}`);
    for (const key of Object.keys(job.metadata)) keys.add(`metadata.${key}`);
  }
  return [...keys].sort();
}

const STATES = ["queued", "started", "held", "stopping", "stopped", "error", "complete"];

/** What could stand in the place of the last word: whole tokens, best first. */
export function suggest(text: string, keys: string[], users: string[]): string[] {
  const last = /\S*$/.exec(text)?.[0] ?? "";
  const sign = last.startsWith("-") ? "-" : "";
  const bare = last.slice(sign.length);
  const [key, value] = bare.split(":");
  if (value !== undefined && (key === "state" || key === "user")) {
    const values = key === "state" ? STATES : users;
    return values
      .filter(each => each.startsWith(value) && each !== value)
      .map(each => `${sign}${key}:${each}`);
  }
  if (value !== undefined || /[<>=]/.test(bare)) return [];
  const all = [...FIELD_NAMES.map(name => `${name}:`), ...keys.map(name => `${name}>`)];
  return all
    .filter(each => each.includes(bare))
    .slice(0, 8)
    .map(each => sign + each);
}

export const complete = (text: string, token: string): string => text.replace(/\S*$/, token);
