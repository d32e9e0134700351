import { expect, test } from "vitest";
import { lastReturn, parseAnsi, plainText } from "./ansi";

const ESC = "\u001b";
const shown = (line: string) => parseAnsi(line).map(span => [span.text, span.style]);

test("text without escapes is one plain span", () => {
  expect(shown("epoch 1")).toEqual([["epoch 1", {}]]);
  expect(shown("")).toEqual([]);
});

test("colours begin and end where they say", () => {
  expect(shown(`a${ESC}[31mb${ESC}[0mc`)).toEqual([
    ["a", {}],
    ["b", { color: "var(--ansi-1)" }],
    ["c", {}],
  ]);
});

test("bold bright text on a ground, then only the ground ends", () => {
  expect(shown(`${ESC}[1;92;44mx${ESC}[49my`)).toEqual([
    ["x", { bold: true, color: "var(--ansi-10)", background: "var(--ansi-4)" }],
    ["y", { bold: true, color: "var(--ansi-10)" }],
  ]);
});

test("the palette and true colours", () => {
  expect(shown(`${ESC}[38;5;196mx`)).toEqual([["x", { color: "rgb(255 0 0)" }]]);
  expect(shown(`${ESC}[38;5;244mx`)).toEqual([["x", { color: "rgb(128 128 128)" }]]);
  expect(shown(`${ESC}[48;2;1;2;3mx`)).toEqual([["x", { background: "rgb(1 2 3)" }]]);
});

test("a colour out of range is left out and harms nothing", () => {
  expect(
    shown(`${ESC}[38;5;999mx${ESC}[38;2;1;2mx`).every(
      ([, style]) => Object.keys(style as object).length === 0,
    ),
  ).toBe(true);
});

test("what moves a cursor, rings a bell or sets a title is dropped", () => {
  expect(plainText(`${ESC}[2K${ESC}[1Gdone${ESC}]0;title\u0007\u0007 ok`)).toBe("done ok");
  expect(plainText(`${ESC}]8;;http://x${ESC}\\link${ESC}]8;;${ESC}\\`)).toBe("link");
});

test("an escape that never ends does not swallow the line", () => {
  expect(plainText(`before${ESC}[`)).toContain("before");
});

test("after a carriage return only the last state of the line is shown", () => {
  expect(lastReturn("10%\r50%\r100%")).toBe("100%");
  expect(lastReturn("100%\r")).toBe("100%");
  expect(plainText(`  1%\r${ESC}[32m 31%${ESC}[0m`)).toBe(" 31%");
});
