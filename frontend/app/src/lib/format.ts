/** Turns values into words for people: bytes, times, durations, numbers. Pure. */
import type { Json } from "@cairn/api/types";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(value: number): string {
  let amount = Math.max(0, value);
  let unit = 0;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : 1;
  return `${amount.toFixed(digits)} ${UNITS[unit]}`;
}

/** `842 ms`, `12.4 s`, `3 m 05 s`, `2 h 14 m`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} m ${String(whole % 60).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long ago, in the coarsest unit that still tells something. */
export function ago(ms: number, nowMs: number): string {
  const seconds = Math.round((nowMs - ms) / 1000);
  if (seconds < -45) return `in ${span(-seconds)}`;
  if (seconds < 10) return "just now";
  return `${span(seconds)} ago`;
}

/** A time to its coarsest unit: `12 min`. */
export const roughly = (ms: number): string => span(Math.max(0, Math.round(ms / 1000)));

function span(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  if (hours < 36) return `${hours} h`;
  const days = Math.round(hours / 24);
  if (days < 45) return `${days} d`;
  const months = Math.round(days / 30.4);
  return months < 18 ? `${months} mo` : `${Math.round(days / 365)} y`;
}

const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
export const exactTime = (ms: number): string => EXACT.format(ms);

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});
export const clockTime = (ms: number): string => CLOCK.format(ms);

/** A number short enough for a table cell, without hiding small or huge values. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(3);
  return String(Number(value.toPrecision(5)));
}

export function value(json: Json | undefined): string {
  if (json === undefined) return "";
  if (typeof json === "number") return number(json);
  if (typeof json === "string") return json;
  return JSON.stringify(json);
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;

export function cores(millicores: number): string {
  const value = millicores / 1000;
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
