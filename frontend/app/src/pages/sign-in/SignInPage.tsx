/** Signing in: by the one-use link whose code stands after `#`, or by name and password. */
import { isStatus } from "@cairn/api/errors";
import * as api from "@cairn/api/operations";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type LoaderFunctionArgs, redirect, useLoaderData, useNavigate, useSearchParams } from "react-router";
import { Plain } from "~/components/Plain";
import { queryClient } from "~/lib/query";
import { safeNext } from "~/paths";
import { infoQuery } from "~/queries/account";
import { Button } from "~/ui/Button";
import { Command } from "~/ui/Copy";
import { TextField } from "~/ui/Field";
import { ErrorNotice, Notice } from "~/ui/Notice";

interface Loaded {
  linkError: unknown;
}

/** Uses the link up at once and takes it out of the address, so that it stays in no history. */
export async function loader({ request }: LoaderFunctionArgs): Promise<Loaded | Response> {
  const next = safeNext(new URL(request.url).searchParams.get("next"));
  const link = window.location.hash.slice(1);
  if (link) {
    window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
    try {
      await api.createSession({ link: decodeURIComponent(link) });
      queryClient.clear();
      return redirect(next);
    } catch (linkError) {
      return { linkError };
    }
  }
  const info = await queryClient.fetchQuery({ ...infoQuery, staleTime: 0 });
  return info.signed_in ? redirect(next) : { linkError: null };
}

function LinkFailed({ error }: { error: unknown }) {
  const isRefused =
    isStatus(error, 401) || isStatus(error, 404) || isStatus(error, 400) || isStatus(error, 410);
  if (!isRefused) return <ErrorNotice error={error} title="Signing in with this link failed" />;
  return (
    <Notice tone="warn" title="This sign-in link no longer works">
      <div className="grid justify-items-start gap-2">
        <p>
          A link works once and for a short time. Ask an administrator for a new one, or make one on the
          server:
        </p>
        <Command text="cairn user link NAME" />
      </div>
    </Notice>
  );
}

/** A link that is pasted while this page is open changes only the part after `#`: then the page begins anew with it. */
function useNextLink(): void {
  useEffect(() => {
    const again = () => {
      if (window.location.hash) window.location.reload();
    };
    window.addEventListener("hashchange", again);
    return () => window.removeEventListener("hashchange", again);
  }, []);
}

export function Component() {
  useNextLink();
  const { linkError } = useLoaderData<Loaded>();
  const [params] = useSearchParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => api.createSession({ name, password }),
    onSuccess: async () => {
      client.clear();
      await navigate(safeNext(params.get("next")), { replace: true });
    },
  });
  return (
    <Plain title="Sign in">
      {linkError ? <LinkFailed error={linkError} /> : null}
      <form
        className="grid gap-4"
        onSubmit={event => {
          event.preventDefault();
          signIn.mutate();
        }}
      >
        <TextField
          label="Name"
          required
          autoComplete="username"
          autoCapitalize="none"
          value={name}
          onChange={event => setName(event.target.value)}
        />
        <TextField
          label="Password"
          required
          type="password"
          autoComplete="current-password"
          value={password}
          onChange={event => setPassword(event.target.value)}
        />
        <ErrorNotice error={signIn.error} />
        <Button look="primary" type="submit" busy={signIn.isPending}>
          Sign in
        </Button>
      </form>
      {linkError ? null : (
        <p className="text-sm text-muted">
          No password yet? Use the sign-in link that <code>cairn serve</code> printed, or ask an administrator
          for one.
        </p>
      )}
    </Plain>
  );
}
