/** The machine types as people meet them: what is free of each, in a row, a menu entry or a choice. */
import type { MachineType } from "@cairn/api/types";
import { cx } from "~/lib/class";
import { availability, price, share } from "~/lib/machine";
import { Icon } from "~/ui/Icon";

const INKS = { ok: "text-ok", warn: "text-warn", bad: "text-muted" };

/** How soon one can have it: words with a mark, never colour alone. */
export function Availability({ type, className }: { type: MachineType; className?: string }) {
  const { tone, text, possible } = availability(type);
  if (!possible) return <span className={cx("block text-sm text-muted", className)}>Cannot fit: {text}</span>;
  return (
    <span className={cx("inline-flex items-center gap-1.5 text-sm whitespace-nowrap", INKS[tone], className)}>
      {tone === "ok" ? (
        <span aria-hidden="true" className="mx-0.5 size-2 rounded-full bg-current" />
      ) : (
        <Icon name="clock" className="size-3.5" />
      )}
      {text}
    </span>
  );
}

/** What one gets and what it costs. */
export function About({ type }: { type: MachineType }) {
  const cost = price(type);
  return (
    <>
      {share(type)}
      {cost ? <span className="whitespace-nowrap"> · {cost}</span> : null}
    </>
  );
}

/** One machine type with what is free of it, for a list. */
export function MachineTypeRow({ type }: { type: MachineType }) {
  const { possible } = availability(type);
  return (
    <div className="grid gap-0.5 px-4 py-2.5">
      <div className="flex items-baseline justify-between gap-3">
        <span className="truncate font-medium">{type.name}</span>
        {possible ? <Availability type={type} className="shrink-0" /> : null}
      </div>
      <p className="text-sm text-muted">
        <About type={type} />
      </p>
      {possible ? null : <Availability type={type} />}
    </div>
  );
}

interface ChoiceProps {
  label: string;
  types: MachineType[];
  value: string;
  onChange: (name: string) => void;
  /** What happens where nothing is chosen. */
  usual?: string;
}

function Option({
  name,
  checked,
  disabled,
  onChange,
  children,
}: {
  name: string;
  checked: boolean;
  disabled?: boolean;
  onChange: () => void;
  children: React.ReactNode;
}) {
  return (
    <label
      className={cx(
        "flex items-start gap-2.5 px-3 py-2 -outline-offset-2 has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-accent",
        disabled ? "cursor-not-allowed text-muted" : "cursor-pointer hover:bg-hover",
      )}
    >
      <input
        type="radio"
        name={name}
        className="mt-0.5 size-4 accent-accent outline-none"
        checked={checked}
        disabled={disabled}
        onChange={onChange}
      />
      {children}
    </label>
  );
}

/** Chooses a machine type with its size, price and what is free of it. What can never be had is there with the reason. */
export function MachineChoice({ label, types, value, onChange, usual }: ChoiceProps) {
  return (
    <fieldset className="grid gap-1">
      <legend className="mb-1 text-sm font-medium">{label}</legend>
      <div className="max-h-72 divide-y divide-line overflow-y-auto rounded border border-line-strong">
        {usual ? (
          <Option name="machine-type" checked={value === ""} onChange={() => onChange("")}>
            <span className="text-muted">{usual}</span>
          </Option>
        ) : null}
        {types.map(type => {
          const { possible } = availability(type);
          return (
            <Option
              key={type.name}
              name="machine-type"
              checked={value === type.name}
              disabled={!possible}
              onChange={() => onChange(type.name)}
            >
              <span className="min-w-0 flex-1">
                <span className="flex flex-wrap items-baseline justify-between gap-x-3">
                  <span className={possible ? "font-medium" : ""}>{type.name}</span>
                  {possible ? <Availability type={type} /> : null}
                </span>
                <span className="block text-sm text-muted">
                  <About type={type} />
                </span>
                {possible ? null : <Availability type={type} />}
              </span>
            </Option>
          );
        })}
      </div>
    </fieldset>
  );
}
