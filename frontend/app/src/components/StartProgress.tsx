/** A server on its way up or elsewhere: its phases, what each is doing, how long it took and will take, the last lines of its log. */
import type { Workspace } from "@cairn/api/types";
import { cx } from "~/lib/class";
import { useNow } from "~/lib/clock";
import { duration } from "~/lib/format";
import { leftText, nowText, type Outlook, outlook, queueText, type Step } from "~/lib/progress";
import { Icon } from "~/ui/Icon";
import { ServerLog } from "./ServerLog";

const MARKS = {
  done: <Icon name="check" className="text-ok" />,
  now: <Icon name="ring" turning className="text-busy" />,
  next: <Icon name="circle" className="text-faint" />,
};

/** Whole seconds, so that a running figure does not flicker. */
const whole = (ms: number): string => duration(ms < 1000 ? ms : Math.floor(ms / 1000) * 1000);

function Timing({ step }: { step: Step }) {
  if (step.elapsed_ms !== null) return <>{whole(step.elapsed_ms)}</>;
  return step.estimate_ms === null || step.estimate_ms < 500 ? null : (
    <span className="text-faint">about {whole(step.estimate_ms)}</span>
  );
}

function Steps({ steps, waits }: { steps: Step[]; waits: string | null }) {
  return (
    <ol className="grid gap-1.5">
      {steps.map(step => (
        <li
          key={step.phase}
          aria-current={step.state === "now" ? "step" : undefined}
          className="flex items-start gap-2"
        >
          <span className="mt-0.5">{MARKS[step.state]}</span>
          <span className={cx("min-w-0 flex-1", step.state === "now" ? "font-medium" : "text-muted")}>
            {step.label}
            {waits && step.state === "now" ? <span className="font-normal text-muted">: {waits}</span> : null}
          </span>
          <span className="shrink-0 text-sm text-muted">
            <Timing step={step} />
          </span>
        </li>
      ))}
    </ol>
  );
}

function Bar({ share }: { share: number | null }) {
  return (
    <div className="relative h-1 overflow-hidden rounded-full bg-hover">
      {share === null ? (
        <span className="sweep absolute inset-y-0 left-0 w-1/3 rounded-full bg-busy" />
      ) : (
        <span
          className="absolute inset-y-0 left-0 rounded-full bg-busy transition-[width] duration-1000 ease-linear"
          style={{ width: `${share * 100}%` }}
        />
      )}
    </div>
  );
}

/** What every start goes through, for a server that tells no more than which one it is in. */
const PHASES = ["Building the environment", "Fetching the inputs", "Starting JupyterLab"];

const untimed = (label: string, state: Step["state"]): Step => ({
  phase: label,
  label,
  state,
  started_ms: null,
  ended_ms: null,
  estimate_ms: null,
  elapsed_ms: null,
});

function simple({ queue, phase }: Workspace): Outlook {
  const rest = { elapsed_ms: 0, left_ms: null, share: null };
  if (queue) {
    return { ...rest, steps: [untimed("Waiting for a machine", "now")] };
  }
  const at = PHASES.indexOf(phase ?? "");
  if (at < 0) return { ...rest, steps: [untimed(phase || "Starting", "now")] };
  return {
    ...rest,
    steps: PHASES.map((label, index) => untimed(label, index < at ? "done" : index > at ? "next" : "now")),
  };
}

export function StartProgress({ workspace, children }: { workspace: Workspace; children?: React.ReactNode }) {
  const now = useNow(1000);
  const { steps, left_ms, share, elapsed_ms } = workspace.progress
    ? outlook(workspace.progress, now)
    : simple(workspace);
  return (
    <div className="grid min-w-0 gap-3">
      {/* Spoken when a phase begins; the seconds beside it are for the eye. */}
      <p role="status" className="sr-only">
        {nowText(workspace) ?? "Starting"}
      </p>
      <Steps steps={steps} waits={queueText(workspace)} />
      <Bar share={share} />
      <div className="flex min-h-7 items-center justify-between gap-3">
        <p className="text-sm text-muted">
          {elapsed_ms > 0 ? whole(elapsed_ms) : null}
          {left_ms === null ? null : `, ${leftText(left_ms)}`}
        </p>
        {children}
      </div>
      <ServerLog workspace={workspace} />
    </div>
  );
}
