/** Oneself: name, password, colours, tokens, sessions. */

import * as api from "@cairn/api/operations";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type LoaderFunctionArgs, useNavigate } from "react-router";
import { prefetch, usePrefetched } from "~/lib/query";
import { type Scheme, scheme, setScheme } from "~/lib/scheme";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { meQuery, sessionsQuery, tokensQuery } from "~/queries/account";
import { Button, ButtonLink } from "~/ui/Button";
import { SelectField, TextField } from "~/ui/Field";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Page, Section } from "~/ui/Page";
import { toast } from "~/ui/Toasts";
import { Sessions } from "./Sessions";
import { Tokens } from "./Tokens";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  await Promise.all([prefetch(sessionsQuery), prefetch(tokensQuery)]);
  return null;
}

const SHORTEST = 10;

function Password() {
  const me = usePrefetched(meQuery);
  const client = useQueryClient();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useMutation({
    mutationFn: () => api.updateMe({ password: { new: next, ...(me.has_password ? { current } : {}) } }),
    onSuccess: user => {
      client.setQueryData(meQuery.queryKey, user);
      void client.invalidateQueries({ queryKey: sessionsQuery.queryKey });
      setCurrent("");
      setNext("");
      toast(me.has_password ? "Password changed; other sessions are signed out" : "Password set");
    },
  });
  return (
    <form
      className="grid gap-4"
      onSubmit={event => {
        event.preventDefault();
        change.mutate();
      }}
    >
      <input type="text" hidden readOnly autoComplete="username" value={me.name} />
      {me.has_password ? (
        <TextField
          label="Password until now"
          required
          type="password"
          autoComplete="current-password"
          value={current}
          onChange={event => setCurrent(event.target.value)}
        />
      ) : null}
      <TextField
        label={me.has_password ? "New password" : "Password"}
        required
        type="password"
        minLength={SHORTEST}
        autoComplete="new-password"
        hint={`${SHORTEST} characters at least. Other sessions are signed out.`}
        value={next}
        onChange={event => setNext(event.target.value)}
      />
      <ErrorNotice error={change.error} />
      <Button
        type="submit"
        look={me.has_password ? "plain" : "primary"}
        className="justify-self-start"
        busy={change.isPending}
      >
        {me.has_password ? "Change password" : "Set password"}
      </Button>
    </form>
  );
}

function Profile() {
  const me = usePrefetched(meQuery);
  const client = useQueryClient();
  const [name, setName] = useState(me.display_name);
  const [colours, setColours] = useState<Scheme>(scheme);
  const save = useMutation({
    mutationFn: () => api.updateMe({ display_name: name }),
    onSuccess: user => {
      client.setQueryData(meQuery.queryKey, user);
      toast("Saved");
    },
  });
  return (
    <form
      className="grid gap-4"
      onSubmit={event => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <TextField
        label="Name for people"
        autoComplete="name"
        hint={`You sign in as ${me.name}.`}
        value={name}
        onChange={event => setName(event.target.value)}
      />
      <SelectField
        label="Colours"
        value={colours}
        onChange={event => {
          const next = event.target.value as Scheme;
          setColours(next);
          setScheme(next);
        }}
      >
        <option value="system">as the system</option>
        <option value="light">light</option>
        <option value="dark">dark</option>
      </SelectField>
      <ErrorNotice error={save.error} />
      <Button
        type="submit"
        className="justify-self-start"
        busy={save.isPending}
        disabled={name === me.display_name}
      >
        Save
      </Button>
    </form>
  );
}

function SignOut() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const out = useMutation({
    mutationFn: api.deleteSession,
    onSuccess: async () => {
      client.clear();
      await navigate(paths.signIn());
    },
  });
  return (
    <>
      <Button icon="out" busy={out.isPending} onClick={() => out.mutate()}>
        Sign out
      </Button>
      <ErrorNotice error={out.error} />
    </>
  );
}

export function Component() {
  const me = usePrefetched(meQuery);
  return (
    <Page
      title="Account"
      actions={
        <>
          {me.admin ? (
            <ButtonLink icon="shield" to={paths.admin()} className="md:hidden">
              Administration
            </ButtonLink>
          ) : null}
          <SignOut />
        </>
      }
    >
      <div className="grid items-start gap-6 lg:grid-cols-2">
        <Section title="You">
          <Card className="p-4">
            <Profile />
          </Card>
        </Section>
        <Section title="Password">
          <Card className="p-4">
            <Password />
          </Card>
        </Section>
      </div>
      <Tokens />
      <Sessions />
    </Page>
  );
}
