/** Terminal text for the page: colours become styled spans, everything else that a terminal would obey is left out. Pure. */

export interface Style {
  color?: string;
  background?: string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  inverse?: boolean;
}
export interface Span {
  text: string;
  style: Style;
}

const ESC = "\u001b";
// CSI, OSC (ended by BEL or ST), other two-character escapes; then control characters without a shape, but not tabs.
const SEQUENCES = new RegExp(
  `${ESC}\\[([0-9;:?<=>]*)[ -/]*([@-~])|${ESC}\\][^\\u0007${ESC}]*(?:\\u0007|${ESC}\\\\)?|${ESC}[ -/]*[0-~]|[\\u0000-\\u0008\\u000b-\\u001f\\u007f]`,
  "g",
);

/** Terminals overwrite a line after a carriage return: what stands there in the end is what is shown. */
export function lastReturn(text: string): string {
  if (!text.includes("\r")) return text;
  const parts = text.split("\r").filter(part => part !== "");
  return parts.at(-1) ?? "";
}

export function plainText(text: string): string {
  return lastReturn(text).replace(SEQUENCES, "");
}

function paletteColor(index: number): string | undefined {
  if (!(index >= 0 && index <= 255)) return undefined;
  if (index < 16) return `var(--ansi-${index})`;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}

/** Reads `38;5;N` or `38;2;R;G;B` at `at`; returns the colour and how many numbers it took. */
function extendedColor(codes: number[], at: number): [string | undefined, number] {
  if (codes[at + 1] === 5) return [paletteColor(codes[at + 2] ?? -1), 2];
  if (codes[at + 1] === 2) {
    const rgb = codes.slice(at + 2, at + 5);
    return rgb.length === 3 && rgb.every(c => c >= 0 && c <= 255)
      ? [`rgb(${rgb.join(" ")})`, 4]
      : [undefined, 4];
  }
  return [undefined, 0];
}

function set(style: Style, part: Style): Style {
  const next: Record<string, unknown> = { ...style };
  for (const [key, value] of Object.entries(part)) {
    if (value === undefined || value === false) delete next[key];
    else next[key] = value;
  }
  return next as Style;
}

const FLAGS: Record<number, Style> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
};
const off = { color: undefined as unknown as string };
const noBackground = { background: undefined as unknown as string };

function applyCodes(style: Style, codes: number[]): Style {
  let next = style;
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    const flag = FLAGS[code];
    if (code === 0) next = {};
    else if (flag) next = set(next, flag);
    else if (code === 38 || code === 48) {
      const [color, taken] = extendedColor(codes, i);
      i += taken;
      if (color) next = set(next, code === 38 ? { color } : { background: color });
    } else if (code === 39) next = set(next, off);
    else if (code === 49) next = set(next, noBackground);
    else if (code >= 30 && code <= 37) next = set(next, { color: `var(--ansi-${code - 30})` });
    else if (code >= 90 && code <= 97) next = set(next, { color: `var(--ansi-${code - 82})` });
    else if (code >= 40 && code <= 47) next = set(next, { background: `var(--ansi-${code - 40})` });
    else if (code >= 100 && code <= 107) next = set(next, { background: `var(--ansi-${code - 92})` });
  }
  return next;
}

/** Splits one line into spans of one style each. Never fails: what is not understood is left out. */
export function parseAnsi(line: string): Span[] {
  const text = lastReturn(line);
  const spans: Span[] = [];
  let style: Style = {};
  let at = 0;
  const push = (end: number) => {
    if (end > at) spans.push({ text: text.slice(at, end), style });
  };
  for (const match of text.matchAll(SEQUENCES)) {
    push(match.index);
    at = match.index + match[0].length;
    if (match[2] === "m" && !/[?<=>]/.test(match[1] ?? "")) {
      style = applyCodes(
        style,
        (match[1] || "0").split(/[;:]/).map(part => Number(part || 0)),
      );
    }
  }
  push(text.length);
  return spans;
}
