/** The frame around every place: the project and its entries at the left, the path and search at the top. */
import type { Project, User } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { Link, NavLink } from "react-router";
import { cx } from "~/lib/class";
import { isRunning } from "~/lib/job";
import { useConnection } from "~/live/useLive";
import { paths } from "~/paths";
import { latestJobsQuery } from "~/queries/jobs";
import { Button, IconButton } from "~/ui/Button";
import { Icon, type IconName, Mark } from "~/ui/Icon";
import { Toasts } from "~/ui/Toasts";
import { useFavicon } from "./favicon";
import { ProjectSwitcher } from "./ProjectSwitcher";
import { useShortcut } from "./shortcut";

const Palette = lazy(() => import("./Palette").then(module => ({ default: module.Palette })));

interface ShellProps {
  me: User;
  project: Project | null;
  path: { label: string; to?: string }[];
  children: ReactNode;
}

interface Entry {
  to: string;
  icon: IconName;
  label: string;
  end?: boolean;
}

function entries(project: Project | null): Entry[] {
  const start: Entry = { to: paths.start(), icon: "home", label: "Start", end: true };
  if (!project) return [start];
  return [
    start,
    { to: paths.workspaces(project.name), icon: "workspace", label: "Workspaces" },
    { to: paths.jobs(project.name), icon: "jobs", label: "Jobs" },
    { to: paths.data(project.name), icon: "data", label: "Data" },
    { to: paths.settings(project.name), icon: "settings", label: "Settings" },
  ];
}

function Side({ me, project }: Pick<ShellProps, "me" | "project">) {
  const item = ({ isActive }: { isActive: boolean }) =>
    cx(
      "flex h-8 items-center gap-2.5 rounded px-2.5 transition-colors hover:bg-hover",
      isActive ? "bg-hover font-medium text-text" : "text-muted hover:text-text",
    );
  return (
    <aside className="sticky top-0 hidden h-dvh w-56 shrink-0 flex-col gap-4 border-r border-line bg-sunken p-3 md:flex">
      <Link
        to={paths.start()}
        className="flex h-8 items-center gap-2 rounded px-1.5 text-lg font-semibold tracking-tight"
      >
        <Mark />
        cairn
      </Link>
      <ProjectSwitcher project={project} />
      <nav aria-label="Places" className="grid gap-0.5">
        {entries(project).map(entry => (
          <NavLink key={entry.to} to={entry.to} end={entry.end ?? false} className={item}>
            <Icon name={entry.icon} />
            {entry.label}
          </NavLink>
        ))}
      </nav>
      <nav aria-label="Account" className="mt-auto grid gap-0.5">
        {me.admin ? (
          <NavLink to={paths.admin()} className={item}>
            <Icon name="shield" />
            Administration
          </NavLink>
        ) : null}
        <NavLink to={paths.account()} className={item}>
          <Icon name="user" />
          <span className="truncate">{me.display_name || me.name}</span>
        </NavLink>
      </nav>
    </aside>
  );
}

function Bottom({ me, project }: Pick<ShellProps, "me" | "project">) {
  const all: Entry[] = [
    ...entries(project),
    ...(me.admin && !project ? [{ to: paths.admin(), icon: "shield" as const, label: "Admin" }] : []),
    { to: paths.account(), icon: "user", label: "Account" },
  ];
  return (
    <nav
      aria-label="Places"
      className="fixed inset-x-0 bottom-0 z-20 flex border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      {all.map(entry => (
        <NavLink
          key={entry.to}
          to={entry.to}
          end={entry.end ?? false}
          className={({ isActive }) =>
            cx(
              "grid min-w-0 flex-1 justify-items-center gap-0.5 py-2 text-[11px] tracking-tight -outline-offset-2",
              isActive ? "font-medium text-accent" : "text-muted",
            )
          }
        >
          <Icon name={entry.icon} />
          <span className="max-w-full truncate">{entry.label}</span>
        </NavLink>
      ))}
    </nav>
  );
}

function Path({ path }: Pick<ShellProps, "path">) {
  return (
    <nav aria-label="Path" className="min-w-0 flex-1">
      <ol className="flex min-w-0 items-center gap-1.5 text-sm">
        {path.map((part, index) => (
          <li
            key={part.label}
            className={cx("flex min-w-0 items-center gap-1.5", index < path.length - 2 && "max-md:hidden")}
          >
            {index > 0 ? (
              <Icon
                name="chevron"
                className={cx("size-3 text-faint", index === path.length - 2 && "max-md:hidden")}
              />
            ) : null}
            {part.to && index < path.length - 1 ? (
              <Link to={part.to} className="truncate rounded text-muted hover:text-text hover:underline">
                {part.label}
              </Link>
            ) : (
              <span aria-current="page" className="truncate font-medium">
                {part.label}
              </span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

function Lost() {
  if (useConnection() !== "lost") return null;
  return (
    <output className="flex items-center gap-1.5 text-sm text-warn">
      <Icon name="ring" turning />
      <span className="max-sm:sr-only">Reconnecting; what you see may be old</span>
    </output>
  );
}

export function Shell({ me, project, path, children }: ShellProps) {
  const [searching, setSearching] = useState(false);
  useShortcut("k", () => setSearching(true));
  const jobs = useQuery(latestJobsQuery).data?.items ?? [];
  useFavicon(jobs.filter(job => isRunning(job.state)).length);
  return (
    <div className="flex min-h-dvh">
      <a
        href="#content"
        className="sr-only z-50 rounded bg-surface px-3 py-2 focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to the content
      </a>
      <Side me={me} project={project} />
      <div className="flex min-w-0 flex-1 flex-col pb-16 md:pb-0">
        <header className="sticky top-0 z-20 flex h-12 items-center gap-3 border-b border-line bg-bg px-4 md:px-8">
          <Link to={paths.start()} aria-label="Cairn, start page" className="rounded md:hidden">
            <Mark />
          </Link>
          <Path path={path} />
          <Lost />
          <div className="md:hidden">
            <ProjectSwitcher project={project} compact />
          </div>
          <Button
            size="sm"
            icon="search"
            className="text-muted max-md:hidden"
            onClick={() => setSearching(true)}
          >
            Search
            <kbd className="ml-3 text-xs text-faint">Ctrl K</kbd>
          </Button>
          <IconButton label="Search" icon="search" className="md:hidden" onClick={() => setSearching(true)} />
        </header>
        <main id="content" tabIndex={-1} className="flex min-w-0 flex-1 flex-col outline-none">
          {children}
        </main>
      </div>
      <Bottom me={me} project={project} />
      <Toasts />
      {searching ? (
        <Suspense fallback={null}>
          <Palette me={me} project={project} onClose={() => setSearching(false)} />
        </Suspense>
      ) : null}
    </div>
  );
}
