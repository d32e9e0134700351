/** A labelled form control with its hint and error tied to it for assistive technology. */
import { type ComponentProps, type ReactNode, useId } from "react";
import { cx } from "~/lib/class";

export const control =
  "w-full rounded border border-line-strong bg-surface px-2.5 text-base text-text transition-colors hover:border-faint disabled:opacity-60 aria-invalid:border-bad";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | null;
  optional?: boolean;
  hideLabel?: boolean;
  children: (props: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}

export function Field({ label, hint, error, optional, hideLabel, children }: FieldProps) {
  const id = useId();
  const described = error || hint ? `${id}-about` : undefined;
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className={hideLabel ? "sr-only" : "text-sm font-medium"}>
        {label}
        {optional ? <span className="ml-1.5 font-normal text-faint">optional</span> : null}
      </label>
      {children({
        id,
        ...(described ? { "aria-describedby": described } : {}),
        ...(error ? { "aria-invalid": true } : {}),
      })}
      {error ? (
        <p id={described} className="text-sm text-bad" role="alert">
          {error}
        </p>
      ) : hint ? (
        <p id={described} className="text-sm text-muted">
          {hint}
        </p>
      ) : null}
    </div>
  );
}

type Around = Pick<FieldProps, "label" | "hint" | "error" | "optional" | "hideLabel">;

function split<T extends Around>(props: T): [Around, Omit<T, keyof Around>] {
  const { label, hint, error, optional, hideLabel, ...rest } = props;
  return [
    { label, hint, error: error ?? null, optional: optional ?? false, hideLabel: hideLabel ?? false },
    rest,
  ];
}

export function TextField(props: Around & Omit<ComponentProps<"input">, "id">) {
  const [around, { className, ...rest }] = split(props);
  return (
    <Field {...around}>
      {aria => <input autoComplete="off" {...rest} {...aria} className={cx(control, "h-8", className)} />}
    </Field>
  );
}

export function TextArea(props: Around & Omit<ComponentProps<"textarea">, "id">) {
  const [around, { className, ...rest }] = split(props);
  return (
    <Field {...around}>
      {aria => <textarea rows={3} {...rest} {...aria} className={cx(control, "py-1.5", className)} />}
    </Field>
  );
}

export function SelectField(props: Around & Omit<ComponentProps<"select">, "id">) {
  const [around, { className, children, ...rest }] = split(props);
  return (
    <Field {...around}>
      {aria => (
        <select {...rest} {...aria} className={cx(control, "h-8 pr-7", className)}>
          {children}
        </select>
      )}
    </Field>
  );
}

export function Checkbox({
  label,
  hint,
  ...rest
}: { label: string; hint?: string } & Omit<ComponentProps<"input">, "type">) {
  return (
    <label className="flex items-start gap-2">
      <input type="checkbox" {...rest} className="mt-0.5 size-4 accent-accent" />
      <span>
        {label}
        {hint ? <span className="block text-sm text-muted">{hint}</span> : null}
      </span>
    </label>
  );
}
