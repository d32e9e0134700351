/** What a machine type is and how soon one can have it, in words. Pure. */
import type { MachineType } from "@cairn/api/types";
import { bytes, cores, plural } from "./format";
import { micros, perHour } from "./money";

/** What one server or job on it gets. */
export function share(type: MachineType): string {
  const parts = [
    type.cpu_millicores ? plural(type.cpu_millicores / 1000, "core") : "all cores",
    type.memory_bytes ? bytes(type.memory_bytes).replace(".0 ", " ") : "all memory",
  ];
  if (type.cpu_millicores && type.cpu_millicores % 1000 !== 0)
    parts[0] = `${cores(type.cpu_millicores)} cores`;
  if (type.gpus > 0) parts.push(gpus(type));
  return parts.join(" · ");
}

const gpus = (type: MachineType): string =>
  type.gpu_model ? `${type.gpus} × ${type.gpu_model}` : plural(type.gpus, "GPU");

export function price(type: MachineType): string | null {
  const amount = micros(type.price_per_hour);
  return amount === null ? null : perHour(amount);
}

export interface Availability {
  /** Whether one can have it, if need be after waiting. */
  possible: boolean;
  tone: "ok" | "warn" | "bad";
  text: string;
}

/** How soon one can have it: at once, after others, or never and why. */
export function availability(type: MachineType): Availability {
  if (type.misfit) return { possible: false, tone: "bad", text: type.misfit.replaceAll("`", "") };
  if (type.free === null) return { possible: true, tone: "ok", text: "free" };
  if (type.free > 0) {
    return { possible: true, tone: "ok", text: `${type.free} free` };
  }
  const text = type.queued > 0 ? `in use, ${type.queued} waiting` : "in use";
  return { possible: true, tone: "warn", text };
}

/** `1st`, `2nd`, `3rd`, `11th`. */
export function ordinal(value: number): string {
  const tens = value % 100;
  const ending = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][value % 10] ?? "th");
  return `${value}${ending}`;
}
