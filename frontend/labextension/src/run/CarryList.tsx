/** Names that no cell defines: their values can go along, as the kernel holds them now. */
import { bytes } from "@cairn/app/lib/format";
import type { Kind, Probe } from "../carry/code";
import { Failure } from "../ui/Failure";
import type { RunModel, RunState } from "./model";

const FORMS: Record<Kind, string> = {
  json: "as JSON",
  npy: "as a NumPy file",
  number: "as a NumPy file",
  parquet: "as Parquet",
  pickle: "by pickle only",
};

function about(probe: Probe | undefined, isBusy: boolean): string {
  if (!probe) return isBusy ? "the kernel is busy: looked at when it rests" : "";
  if (probe.missing) return "the kernel has no such name";
  const size = probe.bytes === null ? null : bytes(probe.bytes);
  return [[probe.type, probe.size].filter(Boolean).join(" "), size, FORMS[probe.kind]]
    .filter(Boolean)
    .join(" · ");
}

export function CarryList({ model, state }: { model: RunModel; state: RunState }) {
  const { draft, proposal, probes, probeError, showsErrors } = state;
  const names = proposal?.missing ?? [];
  const { canCarry, isBusy } = model.carrier;
  const tick = (name: string, isOn: boolean) =>
    model.edit({ carried: isOn ? [...draft.carried, name] : draft.carried.filter(each => each !== name) });
  const needsPickle = draft.carried.some(name => probes[name]?.kind === "pickle");
  return (
    <>
      <p className="cairn-mod-muted">
        {canCarry
          ? "No cell that ran defines these. Their values can be saved now and go along."
          : "No cell that ran defines these, and there is no Python kernel that could give their values."}
      </p>
      <Failure error={probeError} />
      <ul className="cairn-Carry" aria-label="Values to carry along">
        {names.map(name => (
          <li key={name}>
            <label>
              <input
                type="checkbox"
                checked={draft.carried.includes(name)}
                disabled={!canCarry || probes[name]?.missing === true}
                aria-label={`Carry along the value of ${name}`}
                onChange={event => tick(name, event.target.checked)}
              />
              <code>{name}</code>
              <span className="cairn-mod-muted">{about(probes[name], isBusy)}</span>
            </label>
          </li>
        ))}
      </ul>
      {needsPickle || draft.allowsPickle ? (
        <label className="cairn-Warning">
          <input
            type="checkbox"
            checked={draft.allowsPickle}
            aria-invalid={showsErrors && !draft.allowsPickle}
            onChange={event => model.edit({ allowsPickle: event.target.checked })}
          />
          <span>
            Use pickle for what nothing else can keep. Loading a pickle runs code, and it needs the same
            packages in the job as here.
            {showsErrors && !draft.allowsPickle ? (
              <strong className="cairn-Field-error"> Agree to it, or leave those values out.</strong>
            ) : null}
          </span>
        </label>
      ) : null}
    </>
  );
}
