/** The field for a name that is part of references: of a project, a person, a dataset, an alias. */
import type { ComponentProps } from "react";
import { TextField } from "~/ui/Field";

const PATTERN = "[a-z0-9][a-z0-9._\\-]{0,62}";
const RULE = "Lower-case letters, digits, dots, underscores and hyphens";

/** The rule is the hint where nobody says otherwise. */
export const NameField = (props: Partial<ComponentProps<typeof TextField>>) => (
  <TextField
    label="Name"
    hint={`${RULE}.`}
    required
    autoCapitalize="none"
    pattern={PATTERN}
    title={RULE}
    {...props}
  />
);
