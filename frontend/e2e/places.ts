/** Every place of the app, found from what the server has. */
import { expect, type Page } from "@playwright/test";
import { PROJECT } from "./app.ts";

export interface Place {
  name: string;
  path: string;
  /** What shows that the place is there. */
  sign: RegExp;
}

async function items<T>(page: Page, path: string): Promise<T[]> {
  const response = await page.request.get(`/api/v1${path}`);
  return response.ok() ? ((await response.json()) as { items: T[] }).items : [];
}

export async function places(page: Page): Promise<Place[]> {
  const base = `/p/${PROJECT}`;
  const workspaces = await items<{ id: string; name: string }>(page, `/projects/${PROJECT}/workspaces`);
  const jobs = await items<{ number: number; state: string; notebook: string | null }>(
    page,
    `/projects/${PROJECT}/jobs`,
  );
  const job = jobs.findLast(each => each.state === "complete" && each.notebook) ?? jobs[0];
  const workspace = workspaces[0];
  const datasets = await items<{ name: string; latest: { number: number } | null }>(
    page,
    `/projects/${PROJECT}/datasets`,
  );
  const dataset = datasets.find(each => each.latest);
  return [
    { name: "start", path: "/", sign: /^Hello/ },
    { name: "workspaces", path: `${base}/workspaces`, sign: /^Workspaces$/ },
    { name: "new-workspace", path: `${base}/workspaces?new=1`, sign: /^New workspace$/ },
    ...(workspace
      ? [{ name: "workspace", path: `${base}/workspaces/${workspace.id}`, sign: new RegExp(workspace.name) }]
      : []),
    ...(workspace
      ? [{ name: "restart", path: `/open/${workspace.id}?choose=1`, sign: new RegExp(workspace.name) }]
      : []),
    { name: "jobs", path: `${base}/jobs`, sign: /^Jobs$/ },
    { name: "new-job", path: `${base}/jobs/new`, sign: /^New job$/ },
    ...(job
      ? ["", "/log", "/charts", "/outputs", "/code", "/lineage"].map(tab => ({
          name: `job${tab.replace("/", "-")}`,
          path: `${base}/jobs/${job.number}${tab}`,
          sign: new RegExp(`#${job.number}`),
        }))
      : []),
    { name: "data", path: `${base}/data`, sign: /^Data$/ },
    { name: "new-dataset", path: `${base}/data?new=1`, sign: /^New dataset$/ },
    ...(dataset
      ? ["", "?tab=changes", "?tab=lineage", "?tab=about", "?upload=1"].map(query => ({
          name: `dataset${query.replace(/^\?(tab=)?/, "-").replace(/-$|=1$/, "")}`,
          path: `${base}/data/${dataset.name}/${dataset.latest?.number}${query}`,
          sign: /^Version \d+/,
        }))
      : []),
    { name: "settings", path: `${base}/settings`, sign: /^Settings$/ },
    { name: "account", path: "/account", sign: /^Account$/ },
    { name: "admin-users", path: "/admin", sign: /^Administration$/ },
    { name: "admin-environments", path: "/admin/environments", sign: /^Administration$/ },
    { name: "admin-machines", path: "/admin/machines", sign: /^Administration$/ },
    { name: "admin-audit", path: "/admin/audit", sign: /^Administration$/ },
    { name: "sign-out", path: "/sign-out", sign: /^Sign out$/ },
    { name: "device", path: "/device", sign: /^Sign in a terminal$/ },
    { name: "not-found", path: "/nowhere", sign: /^Not found$/ },
  ];
}

/** Goes to a place and waits until it stands. */
export async function visit(page: Page, place: Place): Promise<void> {
  await page.goto(place.path);
  await page.getByRole("heading", { name: place.sign }).first().waitFor();
  await page.evaluate(() => document.fonts.ready);
  // A chart or a preview is a chunk of its own: the page stands once nothing says that it loads.
  await expect(page.getByText("Loading", { exact: true })).toHaveCount(0);
}
