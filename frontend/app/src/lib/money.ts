/** Money travels as decimal text; here it is counted in whole millionths, so that sums lose nothing. Pure. */

const MILLION = 1_000_000;
const HOUR_MS = 3_600_000;

/** Millionths of what decimal text says; null where it says nothing or no amount. */
export function micros(text: string | null | undefined): number | null {
  if (!text || !/^\d{1,9}(\.\d{1,12})?$/.test(text)) return null;
  const [whole = "", part = ""] = text.split(".");
  return Number(whole) * MILLION + Number(part.slice(0, 6).padEnd(6, "0"));
}

/** What a price by the hour comes to over a time, in millionths. */
export const over = (perHour: number, ms: number): number =>
  Math.floor((perHour * Math.max(0, ms)) / HOUR_MS);

/** The sum of those that are known; null where none is. */
export function sum(amounts: (number | null)[]): number | null {
  const known = amounts.filter(amount => amount !== null);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) : null;
}

/** To the hundredth; what is less and not nothing says so. */
export const money = (amount: number): string =>
  amount > 0 && amount < MILLION / 200 ? "< 0.01" : (amount / MILLION).toFixed(2);

/** A price to the hundredth, or as exactly as it was set. */
export function perHour(amount: number): string {
  const exact = String(amount / MILLION);
  const digits = exact.split(".")[1]?.length ?? 0;
  return `${digits > 2 && amount < MILLION ? exact : (amount / MILLION).toFixed(2)} / h`;
}
