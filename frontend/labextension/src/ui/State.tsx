/** The states of jobs: one word, one icon, one colour each, never colour alone. */
import type { JobState } from "@cairn/api/types";
import { Icon, type IconName } from "./Icon";

interface Style {
  tone: "idle" | "busy" | "ok" | "warn" | "bad";
  icon: IconName;
  turning?: boolean;
}

const STATES: Record<JobState, Style> = {
  created: { tone: "idle", icon: "circle" },
  queued: { tone: "idle", icon: "clock" },
  started: { tone: "busy", icon: "ring", turning: true },
  stopping: { tone: "warn", icon: "ring", turning: true },
  stopped: { tone: "idle", icon: "stop" },
  error: { tone: "bad", icon: "alert" },
  complete: { tone: "ok", icon: "check" },
};

export function StateMark({ state }: { state: JobState }) {
  const { tone, icon, turning } = STATES[state] ?? { tone: "idle", icon: "circle" };
  return (
    <span className="cairn-StateMark" data-tone={tone} data-state={state}>
      <Icon name={icon} turning={turning ?? false} />
      {state}
    </span>
  );
}
