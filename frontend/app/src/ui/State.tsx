/** The states of jobs and workspaces: one word, one icon, one colour each, never colour alone. */
import type { EnvironmentState, Machine, WorkspaceState } from "@cairn/api/types";
import { cx } from "~/lib/class";
import { jobLook, type ShownState, type Tone } from "~/lib/job";
import { Icon, type IconName } from "./Icon";

interface Style {
  tone: Tone;
  icon: IconName;
  turning?: boolean;
}

const WORKSPACES: Record<WorkspaceState, Style> = {
  stopped: { tone: "idle", icon: "stop" },
  starting: { tone: "busy", icon: "ring", turning: true },
  running: { tone: "ok", icon: "play" },
  stopping: { tone: "warn", icon: "ring", turning: true },
  error: { tone: "bad", icon: "alert" },
};
const INKS: Record<Tone, string> = {
  idle: "text-muted bg-hover",
  busy: "text-busy bg-busy-soft",
  ok: "text-ok bg-ok-soft",
  warn: "text-warn bg-warn-soft",
  bad: "text-bad bg-bad-soft",
};

function Badge({ word, style }: { word: string; style: Style | undefined }) {
  const { tone, icon, turning } = style ?? { tone: "idle" as const, icon: "circle" as const };
  return (
    <span
      data-state={word}
      className={cx(
        "inline-flex h-6 items-center gap-1.5 rounded-full pr-2.5 pl-1.5 text-sm font-medium",
        INKS[tone],
      )}
    >
      <Icon name={icon} turning={turning ?? false} className="size-3.5" />
      {word}
    </span>
  );
}

export const JobBadge = ({ state }: { state: ShownState }) => <Badge word={state} style={jobLook(state)} />;
export const WorkspaceBadge = ({ state }: { state: WorkspaceState }) => (
  <Badge word={state} style={WORKSPACES[state]} />
);

const ENVIRONMENTS: Record<EnvironmentState, Style> = {
  missing: { tone: "idle", icon: "circle" },
  building: { tone: "busy", icon: "ring", turning: true },
  ready: { tone: "ok", icon: "check" },
  failed: { tone: "bad", icon: "alert" },
};
export const EnvironmentBadge = ({ state }: { state: EnvironmentState }) => (
  <Badge word={state === "missing" ? "not built" : state} style={ENVIRONMENTS[state]} />
);

const MACHINES: Record<Machine["state"], Style> = {
  online: { tone: "ok", icon: "check" },
  offline: { tone: "bad", icon: "alert" },
  draining: { tone: "warn", icon: "out" },
};
export const MachineBadge = ({ state }: { state: Machine["state"] }) => (
  <Badge word={state} style={MACHINES[state]} />
);
