/** Switches between one's projects, staying in the same kind of place. */
import type { Project } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { paths } from "~/paths";
import { projectsQuery } from "~/queries/projects";
import { Icon } from "~/ui/Icon";
import { Menu } from "~/ui/Menu";
import { NewProject } from "./NewProject";

/** The same kind of place in another project. */
export function samePlace(pathname: string, project: string): string {
  const area = pathname.split("/")[3];
  if (area === "jobs") return paths.jobs(project);
  if (area === "data") return paths.data(project);
  if (area === "settings") return paths.settings(project);
  return paths.workspaces(project);
}

export function ProjectSwitcher({ project, compact }: { project: Project | null; compact?: boolean }) {
  const projects = useQuery(projectsQuery).data?.items ?? [];
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const [creating, setCreating] = useState(false);
  const items = projects.map(each => ({
    label: each.name,
    checked: each.name === project?.name,
    onSelect: () => void navigate(samePlace(pathname, each.name)),
  }));
  return (
    <>
      <Menu
        label="Switch project"
        title="Projects"
        side={compact ? "right" : "left"}
        items={[...items, { label: "New project", icon: "plus", onSelect: () => setCreating(true) }]}
        button={{
          look: compact ? "quiet" : "plain",
          size: compact ? "sm" : "md",
          className: compact ? "" : "w-49 justify-start",
          ...(compact ? { icon: "folder" as const } : {}),
        }}
      >
        {compact ? undefined : (
          <>
            <Icon name="folder" className="text-muted" />
            <span className="min-w-0 flex-1 truncate text-left">{project?.name ?? "Choose a project"}</span>
            <Icon name="updown" className="text-faint" />
          </>
        )}
      </Menu>
      {creating ? <NewProject onClose={() => setCreating(false)} /> : null}
    </>
  );
}
