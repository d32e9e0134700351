/** What a machine's state and its use come to, in words. Pure. */
import type { Machine, MachineRun } from "@cairn/api/types";
import { paths } from "~/paths";
import { bytes, cores, plural } from "./format";

/** Labels as they are typed: separated by commas or spaces, each once. */
export function toLabels(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))];
}

export interface Use {
  label: string;
  used: number;
  total: number;
  text: string;
}

/** How much of what it has is promised to runs; what has no limit is not there. */
export function uses(machine: Machine): Use[] {
  const found: Use[] = [];
  if (machine.cpu_millicores !== null) {
    const [used, total] = [machine.cpu_used_millicores, machine.cpu_millicores];
    found.push({ label: "CPU", used, total, text: `${cores(used)} of ${plural(total / 1000, "core")}` });
  }
  if (machine.memory_bytes !== null) {
    const [used, total] = [machine.memory_used_bytes, machine.memory_bytes];
    found.push({ label: "Memory", used, total, text: `${bytes(used)} of ${bytes(total)}` });
  }
  if (machine.slots !== null) {
    const [used, total] = [machine.slots_used, machine.slots];
    found.push({ label: "Jobs", used, total, text: `${used} of ${total}` });
  }
  return found;
}

export const runName = (run: MachineRun): string =>
  run.kind === "job" ? `${run.project}#${run.number} ${run.name}`.trimEnd() : run.name;

export const runPath = (run: MachineRun): string =>
  run.kind === "job" && run.number !== null
    ? paths.job(run.project, run.number)
    : paths.workspace(run.project, run.workspace_id ?? "");

/** The one command that makes the host it runs on this machine. */
export const workerCommand = (origin: string, name: string): string =>
  `cairn worker --url ${origin} --token-file ${tokenFile(name)}`;

export const tokenFile = (name: string): string => `${name}.token`;
