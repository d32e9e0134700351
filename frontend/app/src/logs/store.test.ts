import type { LogLine } from "@cairn/api/types";
import { expect, test, vi } from "vitest";
import { LogStore } from "./store";

const line = (offset: number, text: string, rest: Partial<LogLine> = {}): LogLine => ({
  offset,
  ms: 1000 + offset,
  stream: "stdout",
  text,
  partial: false,
  ...rest,
});
const texts = (store: LogStore) =>
  Array.from({ length: store.length }, (_, index) => store.line(index)?.text);

test("lines keep their order, time and stream", () => {
  const store = new LogStore();
  store.add([line(0, "a"), line(10, "b", { stream: "stderr" })]);
  expect(texts(store)).toEqual(["a", "b"]);
  expect(store.line(1)).toEqual({ index: 1, offset: 10, ms: 1010, stream: "stderr", text: "b" });
  expect(store.line(2)).toBeNull();
});

test("a resumed stream shows every line once", () => {
  const store = new LogStore();
  store.add([line(0, "a"), line(10, "b")]);
  store.add([line(0, "a"), line(10, "b"), line(20, "c")]);
  expect(texts(store)).toEqual(["a", "b", "c"]);
});

test("pieces of a line are joined within their stream", () => {
  const store = new LogStore();
  store.add([
    line(0, "load", { partial: true }),
    line(10, "warning", { stream: "stderr" }),
    line(20, "ing ", { partial: true }),
    line(30, "done"),
    line(40, "next"),
  ]);
  expect(texts(store)).toEqual(["loading done", "warning", "next"]);
});

test("many blocks of lines stay addressable", () => {
  const store = new LogStore();
  store.add(Array.from({ length: 10_000 }, (_, index) => line(index * 10, `line ${index}`)));
  expect(store.length).toBe(10_000);
  expect(store.line(4095)?.text).toBe("line 4095");
  expect(store.line(4096)?.text).toBe("line 4096");
  expect(store.line(9999)?.offset).toBe(99_990);
});

test("search finds what one sees, whatever its case", () => {
  const store = new LogStore();
  store.add([line(0, "\u001b[31mERR\u001b[0mor"), line(10, "fine"), line(20, "another error")]);
  expect(store.search("error")).toEqual([0, 2]);
  expect(store.search("")).toEqual([]);
  const hits = store.search("error");
  store.add([line(30, "unrelated")]);
  expect(store.search("error")).toBe(hits);
  store.add([line(40, "err", { partial: true })]);
  expect(store.search("error")).toBe(hits);
  store.add([line(50, "or at last")]);
  expect(store.search("error")).toEqual([0, 2, 4]);
  expect(new LogStore().search("error")).toEqual([]);
});

test("listeners hear of new lines and of the end, once", () => {
  const store = new LogStore();
  const heard = vi.fn();
  store.subscribe(heard);
  store.add([line(0, "a")]);
  store.add([]);
  store.end();
  store.end();
  expect(heard).toHaveBeenCalledTimes(2);
  expect(store.ended).toBe(true);
});
