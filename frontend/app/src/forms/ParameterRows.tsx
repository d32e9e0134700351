/** Edits parameters: a name, a type and a value in each row. */
import { cx } from "~/lib/class";
import { Button, IconButton } from "~/ui/Button";
import { control } from "~/ui/Field";
import { KINDS, type Kind, newRow, type Row, rowError } from "./parameters";

interface Props {
  rows: Row[];
  onChange: (rows: Row[]) => void;
  fixedNames?: boolean;
}

function Value({ row, onText }: { row: Row; onText: (text: string) => void }) {
  const label = `Value of ${row.name || "the new parameter"}`;
  if (row.kind === "yes or no") {
    return (
      <select
        aria-label={label}
        className={cx(control, "h-8")}
        value={row.text}
        onChange={event => onText(event.target.value)}
      >
        <option value="">choose</option>
        <option value="true">yes</option>
        <option value="false">no</option>
      </select>
    );
  }
  return (
    <input
      aria-label={label}
      className={cx(control, "h-8 font-mono")}
      inputMode={row.kind === "number" ? "decimal" : "text"}
      autoComplete="off"
      value={row.text}
      onChange={event => onText(event.target.value)}
    />
  );
}

export function ParameterRows({ rows, onChange, fixedNames }: Props) {
  const update = (id: number, part: Partial<Row>) =>
    onChange(rows.map(row => (row.id === id ? { ...row, ...part } : row)));
  return (
    <div className="grid gap-2">
      {rows.map(row => {
        const error = rowError(row, rows);
        return (
          <div key={row.id} className="grid gap-1">
            <div className="grid grid-cols-[104px_1fr_32px] gap-2 sm:grid-cols-[1fr_104px_1fr_32px]">
              <input
                aria-label="Parameter name"
                className={cx(control, "h-8 font-mono max-sm:col-span-3")}
                placeholder="name"
                autoComplete="off"
                readOnly={fixedNames}
                value={row.name}
                onChange={event => update(row.id, { name: event.target.value })}
              />
              <select
                aria-label={`Type of ${row.name || "the new parameter"}`}
                className={cx(control, "h-8 px-1.5")}
                value={row.kind}
                onChange={event => update(row.id, { kind: event.target.value as Kind })}
              >
                {KINDS.map(kind => (
                  <option key={kind}>{kind}</option>
                ))}
              </select>
              <Value row={row} onText={text => update(row.id, { text })} />
              <IconButton
                label={`Remove ${row.name || "parameter"}`}
                icon="close"
                onClick={() => onChange(rows.filter(each => each.id !== row.id))}
              />
            </div>
            {error ? <p className="text-sm text-bad">{error}</p> : null}
          </div>
        );
      })}
      <Button
        size="sm"
        icon="plus"
        className="justify-self-start"
        onClick={() => onChange([...rows, newRow(rows)])}
      >
        Add a parameter
      </Button>
    </div>
  );
}
