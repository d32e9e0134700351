/** The state of a job, never by colour alone. */
import type { JobState } from "@cairn/api/types";
import { jobLook } from "@cairn/app/lib/job";
import { Icon } from "./Icon";

export function StateMark({ state }: { state: JobState }) {
  const { tone, icon, turning } = jobLook(state);
  return (
    <span className="cairn-StateMark" data-tone={tone} data-state={state}>
      <Icon name={icon} turning={turning ?? false} />
      {state}
    </span>
  );
}
