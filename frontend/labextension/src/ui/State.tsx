/** The state of a job, never by colour alone. */
import { jobLook, type ShownState } from "@cairn/app/lib/job";
import { Icon } from "./Icon";

export function StateMark({ state }: { state: ShownState }) {
  const { tone, icon, turning } = jobLook(state);
  return (
    <span className="cairn-StateMark" data-tone={tone} data-state={state}>
      <Icon name={icon} turning={turning ?? false} />
      {state}
    </span>
  );
}
