/** Where this workspace runs, with what, and what it costs. */
import type { Workspace } from "@cairn/api/types";
import { micros, perHour } from "@cairn/app/lib/money";
import { Section } from "./Section";

export function Machine({ workspace, onRestart }: { workspace: Workspace | null; onRestart: () => void }) {
  const hour = micros(workspace?.price_per_hour);
  const facts = workspace
    ? [
        workspace.devices.length > 0 ? `${workspace.devices.length} GPU` : null,
        workspace.environment,
        hour === null ? null : perHour(hour),
      ].filter(Boolean)
    : [];
  return (
    <Section title="Machine">
      <div className="cairn-Machine">
        <div className="cairn-Machine-what">
          {workspace ? (
            <>
              <span>
                <strong>{workspace.machine}</strong>
                {workspace.machine_name ? ` on ${workspace.machine_name}` : ""}
              </span>
              <span className="cairn-mod-muted">{facts.join(" · ")}</span>
            </>
          ) : (
            <span className="cairn-Skeleton" />
          )}
        </div>
        <button type="button" className="cairn-Button" onClick={onRestart}>
          Restart on…
        </button>
      </div>
    </Section>
  );
}
