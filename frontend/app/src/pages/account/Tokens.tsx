/** Personal access tokens: made here, shown once, revoked here. */
import * as api from "@cairn/api/operations";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNow } from "~/lib/clock";
import { usePrefetched } from "~/lib/query";
import { tokensQuery } from "~/queries/account";
import { Button } from "~/ui/Button";
import { Command } from "~/ui/Copy";
import { Dialog } from "~/ui/Dialog";
import { SelectField, TextField } from "~/ui/Field";
import { FormDialog } from "~/ui/FormDialog";
import { ErrorNotice, Notice } from "~/ui/Notice";
import { Card, Section } from "~/ui/Page";
import { Ago } from "~/ui/Time";

const DAY_MS = 86_400_000;

function NewTokenDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const now = useNow(60_000);
  const [name, setName] = useState("");
  const [days, setDays] = useState("30");
  const create = useMutation({
    mutationFn: () => api.createToken({ name, ...(days ? { expires_ms: now + Number(days) * DAY_MS } : {}) }),
    onSuccess: () => client.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });
  if (create.data) {
    return (
      <Dialog
        title="Your new token"
        onClose={onClose}
        footer={
          <Button look="primary" onClick={onClose}>
            I have copied it
          </Button>
        }
      >
        <div className="grid gap-3">
          <Notice tone="warn" title="This is the only time it is shown">
            Whoever has it acts as you until it expires or you revoke it.
          </Notice>
          <Command text={create.data.token} />
        </div>
      </Dialog>
    );
  }
  return (
    <FormDialog title="New token" verb="Create token" action={create} onClose={onClose}>
      <TextField
        label="Name"
        required
        maxLength={100}
        placeholder="my laptop"
        hint="So that you know later what it is for."
        value={name}
        onChange={event => setName(event.target.value)}
      />
      <SelectField label="Expires" value={days} onChange={event => setDays(event.target.value)}>
        <option value="7">in 7 days</option>
        <option value="30">in 30 days</option>
        <option value="90">in 90 days</option>
        <option value="365">in a year</option>
        <option value="">never</option>
      </SelectField>
    </FormDialog>
  );
}

export function Tokens() {
  const tokens = usePrefetched(tokensQuery).items;
  const client = useQueryClient();
  const [creating, setCreating] = useState(false);
  const revoke = useMutation({
    mutationFn: (id: string) => api.deleteToken(id),
    onSuccess: () => client.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });
  return (
    <Section
      title="Access tokens"
      about="For scripts and terminals. They can do what you can."
      actions={
        <Button size="sm" icon="plus" onClick={() => setCreating(true)}>
          New token
        </Button>
      }
    >
      {tokens.length > 0 ? (
        <Card>
          <ul className="divide-y divide-line">
            {tokens.map(token => (
              <li key={token.id} className="flex items-center gap-3 px-4 py-2">
                <div className="min-w-0 flex-1">
                  <p className="truncate font-medium">{token.name}</p>
                  <p className="text-sm text-muted">
                    made <Ago ms={token.created_ms} /> ·{" "}
                    {token.last_used_ms ? (
                      <>
                        used <Ago ms={token.last_used_ms} />
                      </>
                    ) : (
                      "never used"
                    )}{" "}
                    ·{" "}
                    {token.expires_ms ? (
                      <>
                        expires <Ago ms={token.expires_ms} />
                      </>
                    ) : (
                      "does not expire"
                    )}
                  </p>
                </div>
                <Button
                  look="danger"
                  size="sm"
                  aria-label={`Revoke ${token.name}`}
                  busy={revoke.isPending && revoke.variables === token.id}
                  onClick={() => revoke.mutate(token.id)}
                >
                  Revoke
                </Button>
              </li>
            ))}
          </ul>
        </Card>
      ) : (
        <p className="text-muted">
          None. <code>cairn login</code> makes one for a terminal by itself.
        </p>
      )}
      <ErrorNotice error={revoke.error} />
      {creating ? <NewTokenDialog onClose={() => setCreating(false)} /> : null}
    </Section>
  );
}
