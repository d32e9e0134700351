/** What a person chose in the dialog, and the job that it comes to. Pure. */
import type { InputRef, Json } from "@cairn/api/types";
import type { FoundParameter, NewLabJob, Notebook, Proposal } from "../api/types";
import type { Probe } from "../carry/code";
import { inputName } from "../jobs/list";
import { type Field, field, toParameters } from "./fields";

export interface Draft {
  name: string;
  /** Empty: the usual one. */
  machine: string;
  environment: string;
  /** As typed: the limit of the job, and of each cell. */
  minutes: string;
  cellMinutes: string;
  inputs: InputRef[];
  /** What was typed for each parameter. */
  texts: Record<string, string>;
  /** Assignments to make parameters of. */
  lifted: string[];
  /** Cells ticked on beside the selection. */
  added: number[];
  /** Proposed cells ticked off. */
  dropped: number[];
  /** Names whose values go along. */
  carried: string[];
  allowsPickle: boolean;
}

/** What is run: all of a saved notebook, or some cells of one as it stands in the browser. */
export type Source = { what: "notebook"; path: string } | { what: "cells"; path: string; notebook: Notebook };

export interface Context {
  workspaceId: string;
  source: Source;
}

export function newDraft(name: string, inputs: InputRef[]): Draft {
  return {
    name,
    machine: "",
    environment: "",
    minutes: "",
    cellMinutes: "",
    inputs,
    texts: {},
    lifted: [],
    added: [],
    dropped: [],
    carried: [],
    allowsPickle: false,
  };
}

/** The parameters that the job gets: those of the tagged cell, and assignments that were made some. */
export const chosen = (proposal: Proposal, draft: Draft): FoundParameter[] =>
  proposal.parameters.filter(each => each.source === "parameters" || draft.lifted.includes(each.name));

export const fieldsOf = (proposal: Proposal, draft: Draft): Field[] =>
  chosen(proposal, draft).map(parameter => field(parameter, draft.texts[parameter.name]));

/** The cells to run, in the order to run. */
export const kept = (proposal: Proposal, draft: Draft): number[] =>
  proposal.cells.map(each => each.cell).filter(cell => !draft.dropped.includes(cell));

const LONGEST_MINUTES = 60 * 24 * 365;

export function minutesProblem(text: string): string | null {
  if (text.trim() === "") return null;
  const minutes = Number(text);
  return minutes > 0 && minutes <= LONGEST_MINUTES ? null : "Write a number of minutes, or nothing.";
}

export interface Problems {
  minutes: string | null;
  cellMinutes: string | null;
  /** Values that only pickle can keep are to go along, and nobody has agreed to that. */
  pickle: boolean;
  parameters: Record<string, string>;
}

export function problems(
  proposal: Proposal | null,
  draft: Draft,
  probes: Readonly<Record<string, Probe>> = {},
): Problems {
  const fields = proposal ? fieldsOf(proposal, draft) : [];
  const wrong = fields.flatMap(({ parameter, error }) => (error ? [[parameter.name, error] as const] : []));
  return {
    minutes: minutesProblem(draft.minutes),
    cellMinutes: minutesProblem(draft.cellMinutes),
    pickle: !draft.allowsPickle && draft.carried.some(name => probes[name]?.kind === "pickle"),
    parameters: Object.fromEntries(wrong),
  };
}

export const isFine = ({ minutes, cellMinutes, pickle, parameters }: Problems): boolean =>
  minutes === null && cellMinutes === null && !pickle && Object.keys(parameters).length === 0;

/** The request, without the key that makes it safe to send twice. */
export function toJob(
  draft: Draft,
  proposal: Proposal | null,
  { workspaceId, source }: Context,
  prelude: string | null,
): NewLabJob {
  const parameters: Record<string, Json> = proposal ? toParameters(fieldsOf(proposal, draft)) : {};
  const [limitMs, cellLimitMs] = [draft.minutes, draft.cellMinutes].map(typed =>
    Math.round(Number(typed) * 60_000),
  );
  const job: NewLabJob = {
    workspace_id: workspaceId,
    inputs: draft.inputs,
    parameters,
    ...(draft.name.trim() ? { name: draft.name.trim() } : {}),
    ...(draft.machine ? { machine: draft.machine } : {}),
    ...(draft.environment ? { environment: draft.environment } : {}),
    ...(limitMs ? { time_limit_ms: limitMs } : {}),
    ...(cellLimitMs ? { cell_time_limit_ms: cellLimitMs } : {}),
  };
  if (source.what === "notebook" || !proposal) return { ...job, notebook: source.path };
  const lifted = chosen(proposal, draft).filter(each => each.source === "assignment");
  return {
    ...job,
    cells: {
      notebook: source.notebook,
      path: source.path,
      keep: kept(proposal, draft),
      ...(lifted.length > 0 ? { lift: lifted.map(each => each.name) } : {}),
      ...(prelude ? { prelude } : {}),
    },
  };
}

/** An input as typed: the folder is called after it, and not as one that is there already. */
export function withInput(inputs: readonly InputRef[], ref: string): InputRef[] {
  if (inputs.some(each => each.ref === ref)) return [...inputs];
  const taken = new Set(inputs.map(each => each.name));
  const base = inputName(ref);
  let name = base;
  for (let number = 2; taken.has(name); number += 1) name = `${base}-${number}`;
  return [...inputs, { ref, name }];
}
