/** Where one is signed in, and signing out everywhere. */
import * as api from "@cairn/api/operations";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { usePrefetched } from "~/lib/query";
import { paths } from "~/paths";
import { sessionsQuery } from "~/queries/account";
import { Button } from "~/ui/Button";
import { Confirm } from "~/ui/Confirm";
import { Card, Section } from "~/ui/Page";
import { Ago } from "~/ui/Time";

/** The browser and system of a user agent, roughly. */
export function browserOf(userAgent: string | null): string {
  if (!userAgent) return "Unknown browser";
  const browser =
    /(Firefox|Edg|OPR|Chrome|Safari)\//.exec(userAgent)?.[1] ?? userAgent.split(/[/ ]/)[0] ?? "Browser";
  const system = /(Windows|Macintosh|Android|iPhone|iPad|Linux)/.exec(userAgent)?.[1];
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera", Macintosh: "macOS" };
  return [names[browser] ?? browser, system ? (names[system] ?? system) : null].filter(Boolean).join(" on ");
}

export function Sessions() {
  const sessions = usePrefetched(sessionsQuery).items;
  const [asking, setAsking] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  return (
    <Section
      title="Sessions"
      actions={
        <Button size="sm" look="danger" onClick={() => setAsking(true)}>
          Sign out everywhere
        </Button>
      }
    >
      <Card>
        <ul className="divide-y divide-line">
          {sessions.map(session => (
            <li key={session.id} className="px-4 py-2">
              <p className="font-medium">
                {browserOf(session.user_agent)}
                {session.current ? (
                  <span className="ml-2 text-sm font-normal text-accent">this one</span>
                ) : null}
              </p>
              <p className="text-sm text-muted">
                last seen <Ago ms={session.last_seen_ms} /> · since <Ago ms={session.created_ms} />
              </p>
            </li>
          ))}
        </ul>
      </Card>
      {asking ? (
        <Confirm
          title="Sign out everywhere?"
          verb="Sign out everywhere"
          danger
          run={api.deleteSessions}
          onClose={() => setAsking(false)}
          onDone={() => {
            client.clear();
            void navigate(paths.signIn());
          }}
        >
          <p>
            Every session and every access token of yours ends within seconds, this one too. What runs in
            workspaces and jobs goes on.
          </p>
          <p className="text-muted">You need your password or a new sign-in link to come back.</p>
        </Confirm>
      ) : null}
    </Section>
  );
}
