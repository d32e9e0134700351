/** Chooses the columns of the job table: any parameter or metadata key may be one. */
import { useState } from "react";
import { best } from "~/components/match";
import { Button } from "~/ui/Button";
import { Dialog } from "~/ui/Dialog";
import { Checkbox, TextField } from "~/ui/Field";
import { FIXED_KEYS } from "./columns";

interface Props {
  chosen: string[];
  keys: string[];
  onChange: (keys: string[] | null) => void;
  onClose: () => void;
}

export function ColumnChooser({ chosen, keys, onChange, onClose }: Props) {
  const [query, setQuery] = useState("");
  const all = best(query, [...FIXED_KEYS.filter(key => key !== "name"), ...keys], key => key, 200);
  const toggle = (key: string) =>
    onChange(chosen.includes(key) ? chosen.filter(each => each !== key) : [...chosen, key]);
  return (
    <Dialog
      title="Columns"
      onClose={onClose}
      footer={
        <>
          <Button onClick={() => onChange(null)}>The usual ones</Button>
          <Button look="primary" onClick={onClose}>
            Done
          </Button>
        </>
      }
    >
      <div className="grid gap-3">
        <TextField
          label="Find a parameter or metadata key"
          value={query}
          onChange={event => setQuery(event.target.value)}
        />
        <div className="grid gap-2 sm:grid-cols-2">
          {all.map(key => (
            <Checkbox key={key} label={key} checked={chosen.includes(key)} onChange={() => toggle(key)} />
          ))}
        </div>
        {all.length === 0 ? <p className="text-muted">No key is called that.</p> : null}
      </div>
    </Dialog>
  );
}
