// @vitest-environment happy-dom
import { ApiError } from "@cairn/api/errors";
import * as api from "@cairn/api/operations";
import type { Lineage } from "@cairn/api/types";
import { lineage } from "@cairn/mock/lineage";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { getResponse } from "msw";
import { useState } from "react";
import { type InitialEntry, useLocation } from "react-router";
import { beforeEach, expect, test, vi } from "vitest";
import { eventually, show } from "~/testing";
import { LineageView } from "./LineageView";

vi.mock("@cairn/api/operations", { spy: true });

const ORIGIN = "http://localhost";
async function ask(project: string, ref: string, depth: number): Promise<Lineage> {
  const query = new URLSearchParams({ ref, depth: String(depth) });
  const request = new Request(`${ORIGIN}/api/v1/projects/${project}/lineage?${query}`);
  return (await getResponse(lineage, request, { baseUrl: ORIGIN }))?.json() as Promise<Lineage>;
}

let isWide = true;
beforeEach(() => {
  isWide = true;
  const media = { addEventListener: () => undefined, removeEventListener: () => undefined };
  vi.stubGlobal("matchMedia", () => ({ ...media, matches: isWide }));
  vi.mocked(api.getLineage).mockImplementation(ask);
  return () => vi.unstubAllGlobals();
});

let address = "";
function Here() {
  const { pathname, search } = useLocation();
  address = pathname + search;
  return null;
}
function open(reference: string, at: InitialEntry = "/"): HTMLElement {
  return show(
    <>
      <Here />
      <LineageView project="examples" reference={reference} empty={<p>Alone.</p>} />
    </>,
    at,
  );
}
const nodes = (page: HTMLElement) => [...page.querySelectorAll<HTMLElement>("[data-node]")];
const find = (page: HTMLElement, id: string) => nodes(page).find(each => each.dataset.node === id);
const press = (key: string) =>
  document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const focused = () => (document.activeElement as HTMLElement).dataset.node;

test("the picture is a list of layers from left to right, and says what the lines do", async () => {
  const page = open("digits:3");
  await eventually(() => expect(nodes(page).length).toBeGreaterThan(0));
  const layers = [...page.querySelectorAll("ol > li")].map(each => each.getAttribute("aria-label"));
  expect(layers).toEqual(["2 steps before", "1 step before", "Here", "1 step after", "2 steps after"]);
  const start = find(page, "version:digits:3");
  expect(start?.getAttribute("aria-current")).toBe("true");
  const job = find(page, "job:300");
  expect(job?.textContent).toContain("read digits:1, code from lab, left digits:3");
  for (const said of ["Job #300", "sharpen", "ada", "0.05", "default on cpu-small", "code 9f1c22d0"])
    expect(job?.textContent).toContain(said);
  expect(page.querySelector("svg[aria-hidden]")).not.toBeNull();
  expect(page.textContent).toContain("2 neighbours are of projects that you may not see.");
});

test("it stays where one moved it while one points and walks in it", async () => {
  const page = open("digits:3");
  await eventually(() => expect(find(page, "version:digits:3")).toBeDefined());
  const frame = page.querySelector("section") as HTMLElement;
  expect(frame.scrollLeft).toBeGreaterThan(0);
  frame.scrollLeft = 7;
  const node = find(page, "job:300");
  node?.focus();
  await eventually(() => expect(page.querySelector("path.stroke-accent")).not.toBeNull());
  expect(frame.scrollLeft).toBe(7);
});

test("what another project calls the same is not shown for its own", async () => {
  let go: (project: string) => void = () => undefined;
  function Two() {
    const [project, setProject] = useState("examples");
    go = setProject;
    return <LineageView project={project} reference="digits:3" empty={null} />;
  }
  const page = show(<Two />);
  await eventually(() => expect(nodes(page).length).toBeGreaterThan(0));
  vi.mocked(api.getLineage).mockReturnValue(new Promise(() => undefined));
  go("others");
  await eventually(() =>
    expect(api.getLineage).toHaveBeenLastCalledWith("others", "digits:3", 2, expect.anything()),
  );
  expect(nodes(page)).toEqual([]);
});

test("a failure to read it again leaves what is shown, and is said beside it", async () => {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const page = show(
    <QueryClientProvider client={client}>
      <LineageView project="examples" reference="digits:3" empty={null} />
    </QueryClientProvider>,
  );
  await eventually(() => expect(nodes(page).length).toBeGreaterThan(0));
  vi.mocked(api.getLineage).mockRejectedValueOnce(new ApiError(500, "internal", "It broke.", "r-4"));
  void client.invalidateQueries();
  await eventually(() => expect(page.querySelector("[role=alert]")?.textContent).toContain("r-4"));
  expect(find(page, "version:digits:3")).toBeDefined();
  [...page.querySelectorAll("button")].find(each => each.textContent === "Try again")?.click();
  await eventually(() => expect(page.querySelector("[role=alert]")).toBeNull());
});

test("pointing elsewhere leaves the lines of the focused node marked", async () => {
  const page = open("digits:3");
  await eventually(() => expect(find(page, "job:402")).toBeDefined());
  const marked = () => page.querySelectorAll("path.stroke-accent").length;
  find(page, "job:402")?.focus();
  await eventually(() => expect(marked()).toBe(2));
  const other = find(page, "job:300");
  other?.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
  await eventually(() => expect(marked()).toBe(5));
  other?.dispatchEvent(new MouseEvent("mouseout", { bubbles: true }));
  await eventually(() => expect(marked()).toBe(2));
});

test("whoever walked to a node has the focus there, but not by a reload", async () => {
  const walked = performance.timeOrigin;
  const page = open("digits:3", { pathname: "/", state: { walked } });
  await eventually(() => expect(focused()).toBe("version:digits:3"));
  expect(page.contains(document.activeElement)).toBe(true);
  for (const earlier of [true, walked - 1]) {
    (document.activeElement as HTMLElement).blur();
    const again = open("digits:3", { pathname: "/", state: { walked: earlier } });
    await eventually(() => expect(find(again, "version:digits:3")).toBeDefined());
    expect(focused()).toBeUndefined();
  }
});

test("arrow keys lead along the lines and within a layer, and Enter goes there", async () => {
  const page = open("digits:3");
  await eventually(() => expect(find(page, "version:digits:3")).toBeDefined());
  find(page, "version:digits:3")?.focus();
  press("ArrowLeft");
  expect(focused()).toBe("job:300");
  press("ArrowLeft");
  expect(["version:digits:1", "workspace:w-1"]).toContain(focused());
  press("ArrowLeft");
  press("ArrowRight");
  expect(focused()).toBe("job:300");
  (document.activeElement as HTMLElement).click();
  await eventually(() => expect(address).toBe("/p/examples/jobs/300/lineage"));
});

test("of many that read it some are shown, and the rest is counted, unfolds and folds again", async () => {
  const page = open("digits:3");
  await eventually(() => expect(page.textContent).toContain("9 more"));
  const before = nodes(page).length;
  const more = find(page, "more:1");
  const ids = new Set(nodes(page).map(each => each.dataset.node));
  more?.click();
  await eventually(() => expect(nodes(page)).toHaveLength(before + 9));
  expect(address).toBe("/?open=1");
  expect(ids.has(focused()), "the first that was unfolded has the focus").toBe(false);
  const fewer = find(page, "fewer:1");
  expect(fewer?.textContent).toBe("Show fewer");
  fewer?.click();
  await eventually(() => expect(nodes(page)).toHaveLength(before));
  expect(address).toBe("/");
  expect(focused()).toBe("more:1");
});

test("it says that there is more, and goes further", async () => {
  const page = open("report:1");
  await eventually(() => expect(page.textContent).toContain("There is more beyond."));
  const further = [...page.querySelectorAll("button")].find(each => each.textContent === "2 steps further");
  further?.click();
  await eventually(() => expect(page.textContent).toContain("That is all."));
  expect(address).toBe("/?depth=4");
  expect(document.activeElement?.textContent).toContain("That is all.");
  expect(find(page, "version:digits:1")).toBeDefined();
});

test("where there is no room it is an outline of both directions", async () => {
  isWide = false;
  const page = open("digits:3");
  await eventually(() => expect(page.querySelectorAll("section")).toHaveLength(2));
  const [before, after] = page.querySelectorAll("section");
  expect(before?.querySelector("h2")?.textContent).toBe("What it came from");
  expect(before?.querySelector("ul ul")?.textContent).toContain("lab");
  expect(after?.querySelector("summary")?.textContent).toBe("8 more");
  expect(after?.querySelector("a")?.getAttribute("href")).toBe("/p/examples/jobs/402/lineage");
});

test("what stands alone says what would connect it, and a failure how to go on", async () => {
  const alone = open("#12");
  await eventually(() => expect(alone.textContent).toContain("Alone."));
  vi.mocked(api.getLineage).mockRejectedValueOnce(new ApiError(500, "internal", "It broke.", "r-3"));
  const page = open("digits:1");
  await eventually(() => expect(page.querySelector("[role=alert]")?.textContent).toContain("r-3"));
  [...page.querySelectorAll("button")].find(each => each.textContent === "Try again")?.click();
  await eventually(() => expect(nodes(page).length).toBeGreaterThan(0));
});
