/** The path that the top of the page shows for an address. Pure. */
import { paths } from "~/paths";

export interface Part {
  label: string;
  to?: string;
}

const TABS: Record<string, string> = { log: "Log", charts: "Charts", outputs: "Outputs", code: "Code" };

function inProject(project: string, area: string | undefined, rest: string[], name?: string): Part[] {
  const root: Part = { label: project, to: paths.project(project) };
  if (area === "workspaces") {
    const list: Part = { label: "Workspaces", to: paths.workspaces(project) };
    return rest[0] ? [root, list, { label: name ?? "Workspace" }] : [root, list];
  }
  if (area === "jobs") {
    const list: Part = { label: "Jobs", to: paths.jobs(project) };
    if (!rest[0]) return [root, list];
    if (rest[0] === "new") return [root, list, { label: "New job" }];
    const job: Part = { label: `#${rest[0]}`, to: paths.job(project, Number(rest[0])) };
    const tab = TABS[rest[1] ?? ""];
    return tab ? [root, list, job, { label: tab }] : [root, list, job];
  }
  if (area === "data") {
    const list: Part = { label: "Data", to: paths.data(project) };
    if (!rest[0]) return [root, list];
    const dataset: Part = { label: rest[0], to: paths.dataset(project, rest[0]) };
    return rest[1] ? [root, list, dataset, { label: rest[1] }] : [root, list, dataset];
  }
  return area === "settings" ? [root, { label: "Settings" }] : [root];
}

export function trail(pathname: string, name?: string): Part[] {
  const [first, ...rest] = pathname.split("/").filter(Boolean).map(decodeURIComponent);
  if (first === "p" && rest[0]) return inProject(rest[0], rest[1], rest.slice(2), name);
  if (first === "account") return [{ label: "Account" }];
  if (first === "admin") {
    const admin: Part = { label: "Administration", to: paths.admin() };
    return rest[0] ? [admin, { label: rest[0] === "machines" ? "Machines" : "Environments" }] : [admin];
  }
  return [{ label: first ? "Not found" : "Start" }];
}
