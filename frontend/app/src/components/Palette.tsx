/** The command palette: every place and every common action by a few letters. */
import * as api from "@cairn/api/operations";
import type { Project, User, Workspace } from "@cairn/api/types";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useNavigate } from "react-router";
import { cx } from "~/lib/class";
import { availability } from "~/lib/machine";
import { setScheme } from "~/lib/scheme";
import { paths } from "~/paths";
import { datasetsQuery } from "~/queries/datasets";
import { latestJobsQuery, projectJobsQuery } from "~/queries/jobs";
import { machineTypesQuery, myWorkspacesQuery, projectsQuery } from "~/queries/projects";
import { Icon, type IconName } from "~/ui/Icon";
import { best } from "./match";
import { isUp } from "./RestartOn";
import { actOnWorkspace } from "./useWorkspaceAction";

interface Item {
  id: string;
  label: string;
  kind: string;
  icon: IconName;
  run: () => void;
}

function usePaletteItems(me: User, project: Project | null): Item[] {
  const navigate = useNavigate();
  const client = useQueryClient();
  const projects = useQuery(projectsQuery).data?.items ?? [];
  const workspaces = useQuery(myWorkspacesQuery).data?.items ?? [];
  const types = useQuery(machineTypesQuery).data?.items ?? [];
  const latest = useQuery(latestJobsQuery).data?.items ?? [];
  const ofProject = useQuery({
    ...projectJobsQuery(project?.name ?? "", client),
    enabled: project !== null,
  }).data;
  const datasets = useQuery({ ...datasetsQuery(project?.name ?? ""), enabled: project !== null }).data?.items;
  const go = (to: string) => () => void navigate(to);
  // The workspace's page shows how it goes, and what to do where it does not.
  const restartOn = (workspace: Workspace, machine: string) => () => {
    void navigate(paths.workspace(workspace.project, workspace.id));
    void actOnWorkspace(workspace.id, { action: isUp(workspace) ? "restart" : "start", machine }, client);
  };
  const items: Item[] = [];
  const place = (label: string, icon: IconName, to: string, kind = "Go to") =>
    items.push({ id: `${kind}${to}`, label, kind, icon, run: go(to) });

  if (project) {
    place("New job", "plus", paths.newJob(project.name), "Do");
    place("New workspace", "plus", paths.newWorkspace(project.name), "Do");
    if (project.role !== "viewer") place("New dataset", "plus", paths.newDataset(project.name), "Do");
  }
  for (const each of workspaces) {
    const name = `${each.name} · ${each.project}`;
    if (each.state === "running") {
      items.push({
        id: `o${each.id}`,
        label: `Open ${name}`,
        kind: "Do",
        icon: "external",
        run: () => window.open(paths.open(each.id), "_blank", "noopener"),
      });
      items.push({
        id: `s${each.id}`,
        label: `Stop ${name}`,
        kind: "Do",
        icon: "stop",
        run: () => {
          void navigate(paths.workspace(each.project, each.id));
          void actOnWorkspace(each.id, { action: "stop" }, client);
        },
      });
    } else if (each.state !== "starting") place(`Open ${name}`, "play", paths.open(each.id), "Do");
    for (const type of each.state === "stopping" ? [] : types.filter(type => availability(type).possible)) {
      items.push({
        id: `r${each.id} ${type.name}`,
        label: `${isUp(each) ? "Restart" : "Start"} ${each.name} on ${type.name}`,
        kind: availability(type).text,
        icon: "restart",
        run: restartOn(each, type.name),
      });
    }
    place(name, "workspace", paths.workspace(each.project, each.id), "Workspace");
  }
  place("Start page", "home", paths.start());
  if (project) {
    place("Workspaces", "workspace", paths.workspaces(project.name));
    place("Jobs", "jobs", paths.jobs(project.name));
    place("Data", "data", paths.data(project.name));
    place("Project settings", "settings", paths.settings(project.name));
  }
  place("Account", "user", paths.account());
  if (me.admin) place("Administration", "shield", paths.admin());
  for (const each of projects) place(each.name, "folder", paths.workspaces(each.name), "Project");
  for (const each of datasets ?? []) place(each.name, "data", paths.dataset(each.project, each.name), "Data");
  for (const job of ofProject ?? latest) {
    place(`${job.project}#${job.number} ${job.name}`, "jobs", paths.job(job.project, job.number), "Job");
  }
  for (const scheme of ["light", "dark", "system"] as const) {
    items.push({
      id: scheme,
      label: `Colours: ${scheme}`,
      kind: "Do",
      icon: "sun",
      run: () => setScheme(scheme),
    });
  }
  items.push({
    id: "out",
    label: "Sign out",
    kind: "Do",
    icon: "out",
    run: () => void api.deleteSession().then(() => location.assign(paths.signIn())),
  });
  return items;
}

const show = (element: HTMLDialogElement | null) => {
  if (element && !element.open) element.showModal();
};

export function Palette({
  me,
  project,
  onClose,
}: {
  me: User;
  project: Project | null;
  onClose: () => void;
}) {
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState(0);
  const id = useId();
  const found = best(query, usePaletteItems(me, project), item => `${item.label} ${item.kind}`, 12);
  const at = Math.min(chosen, Math.max(0, found.length - 1));
  const run = (item: Item | undefined) => {
    if (!item) return;
    onClose();
    item.run();
  };
  return (
    <dialog
      ref={show}
      aria-label="Search and commands"
      onCancel={event => {
        event.preventDefault();
        onClose();
      }}
      onClick={event => {
        if (event.target === event.currentTarget) onClose();
      }}
      onKeyDown={event => {
        if (event.key === "ArrowDown") setChosen((at + 1) % Math.max(1, found.length));
        else if (event.key === "ArrowUp") setChosen((at - 1 + found.length) % Math.max(1, found.length));
        else if (event.key === "Enter") run(found[at]);
        else return;
        event.preventDefault();
      }}
      className="rise mx-auto mt-[12dvh] mb-auto w-[calc(100vw-24px)] max-w-150 overflow-hidden rounded-lg border border-line bg-surface p-0 text-text shadow-[0_16px_48px_var(--shadow)]"
    >
      <div className="flex items-center gap-2.5 border-b border-line px-4">
        <Icon name="search" className="text-faint" />
        <input
          role="combobox"
          aria-label="Search and commands"
          aria-expanded="true"
          aria-controls={id}
          aria-activedescendant={found[at] ? `${id}-${at}` : undefined}
          autoComplete="off"
          spellCheck={false}
          placeholder="A place, a job, a command…"
          value={query}
          onChange={event => {
            setQuery(event.target.value);
            setChosen(0);
          }}
          className="h-12 min-w-0 flex-1 bg-transparent text-lg outline-none"
        />
        <kbd className="text-xs text-faint">Esc</kbd>
      </div>
      <div id={id} role="listbox" aria-label="Found" className="max-h-[50dvh] overflow-y-auto p-1.5">
        {found.map((item, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the input above handles the keys, as a combobox does
          <div
            key={item.id}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            ref={index === at ? element => element?.scrollIntoView({ block: "nearest" }) : undefined}
            onClick={() => run(item)}
            onMouseMove={() => setChosen(index)}
            className={cx("flex h-9 items-center gap-2.5 rounded px-2.5", index === at && "bg-hover")}
          >
            <Icon name={item.icon} className="text-muted" />
            <span className="min-w-0 flex-1 truncate">{item.label}</span>
            <span className="text-sm text-faint">{item.kind}</span>
          </div>
        ))}
      </div>
      {found.length === 0 ? <p className="px-4 pb-5 text-muted">Nothing is called that.</p> : null}
    </dialog>
  );
}
