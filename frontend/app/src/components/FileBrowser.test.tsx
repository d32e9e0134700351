// @vitest-environment happy-dom
import type { File } from "@cairn/api/types";
import { expect, test } from "vitest";
import type { FileTree } from "~/files/tree";
import { eventually, show } from "~/testing";
import { FileBrowser } from "./FileBrowser";

const PAGES = 3;
const file = (path: string): File => ({
  path,
  kind: "file",
  bytes: 0,
  hash: null,
  executable: false,
  target: null,
});

/** A folder that is listed a file at a time: `0.bin`, `1.bin`, … */
const tree: FileTree = {
  key: ["test"],
  list: async ({ cursor }) => {
    const at = Number(cursor ?? 0);
    return { items: [file(`${at}.bin`)], next: at + 1 < PAGES ? String(at + 1) : null };
  },
  content: path => `/${path}`,
  reference: () => null,
  page: () => null,
};

const open = (address: string) => show(<FileBrowser tree={tree} empty={null} />, address);

test("a file that a link names is found beyond the first page", async () => {
  const page = open("/?path=2.bin");
  await eventually(() => expect(page.querySelector("h2")?.textContent).toBe("2.bin"));
  expect(page.querySelectorAll("li")).toHaveLength(PAGES);
});

test("one that is nowhere is said to be nowhere", async () => {
  const page = open("/?path=9.bin");
  await eventually(() => expect(page.textContent).toContain("There is no such file"));
  expect(page.querySelectorAll("li")).toHaveLength(PAGES);
});

test("without such a link only the first page is fetched", async () => {
  const page = open("/");
  await eventually(() => expect(page.textContent).toContain("Choose a file to look at it."));
  expect(page.querySelectorAll("li")).toHaveLength(1);
});
