/** Invites a person: makes the account and shows the link with which they sign in first. */
import * as api from "@cairn/api/operations";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { NameField } from "~/components/NameField";
import { useDraft } from "~/hooks/useDraft";
import { usersQuery } from "~/queries/account";
import { Button } from "~/ui/Button";
import { Command } from "~/ui/Copy";
import { Dialog } from "~/ui/Dialog";
import { Checkbox, TextField } from "~/ui/Field";
import { FormDialog } from "~/ui/FormDialog";
import { Notice } from "~/ui/Notice";

export function LinkDialog({ name, link, onClose }: { name: string; link: string; onClose: () => void }) {
  return (
    <Dialog
      title={`Sign-in link for ${name}`}
      onClose={onClose}
      footer={
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <div className="grid gap-3">
        <p>Send it to {name} yourself. It works once and for a short time.</p>
        <Command text={link} />
        <Notice tone="warn" title="This is the only time it is shown">
          Whoever opens it first is signed in as {name}.
        </Notice>
      </div>
    </Dialog>
  );
}

export function Invite({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const { value, change, clear } = useDraft("invite", { name: "", display_name: "", admin: false });
  const invite = useMutation({
    mutationFn: () => api.createUser(value),
    onSuccess: async () => {
      clear();
      await client.invalidateQueries({ queryKey: usersQuery.queryKey });
    },
  });
  if (invite.data)
    return <LinkDialog name={invite.data.user.name} link={invite.data.link} onClose={onClose} />;
  return (
    <FormDialog title="Invite someone" verb="Invite" action={invite} onClose={onClose}>
      <NameField
        hint="They sign in with it; it does not change."
        value={value.name}
        onChange={event => change({ name: event.target.value })}
      />
      <TextField
        label="Name for people"
        optional
        value={value.display_name}
        onChange={event => change({ display_name: event.target.value })}
      />
      <Checkbox
        label="Administrator"
        hint="Invites and disables people, sees every project."
        checked={value.admin}
        onChange={event => change({ admin: event.target.checked })}
      />
    </FormDialog>
  );
}
