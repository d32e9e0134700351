/** What is said of a dataset, to fill in: for a new one, and to change. */
import type { Dataset, Visibility } from "@cairn/api/types";
import { NameField } from "~/components/NameField";
import { VISIBILITY } from "~/lib/dataset";
import { SelectField, TextArea, TextField } from "~/ui/Field";

export interface Form {
  name: string;
  description: string;
  tags: string;
  visibility: Visibility;
}
export const EMPTY: Form = { name: "", description: "", tags: "", visibility: "project" };

export const formOf = ({ name, description, tags, visibility }: Dataset): Form => ({
  name,
  description,
  tags: tags.join(", "),
  visibility,
});

interface Props {
  form: Form;
  change: (part: Partial<Form>) => void;
  mayOpen: boolean;
  nameHint?: string;
}

export function DatasetFields({ form, change, mayOpen, nameHint }: Props) {
  return (
    <>
      <NameField
        {...(nameHint ? { hint: nameHint } : {})}
        value={form.name}
        onChange={event => change({ name: event.target.value })}
      />
      <TextArea
        label="Description"
        optional
        value={form.description}
        onChange={event => change({ description: event.target.value })}
      />
      <TextField
        label="Tags"
        optional
        hint="Separated by commas."
        value={form.tags}
        onChange={event => change({ tags: event.target.value })}
      />
      {mayOpen ? (
        <SelectField
          label="Who may read it"
          value={form.visibility}
          onChange={event => change({ visibility: event.target.value as Visibility })}
        >
          {Object.entries(VISIBILITY).map(([key, { label, about }]) => (
            <option key={key} value={key}>
              {label}: {about}
            </option>
          ))}
        </SelectField>
      ) : null}
    </>
  );
}
