/** Everybody with an account: invite, give a new link, disable. */
import * as api from "@cairn/api/operations";
import type { User } from "@cairn/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { LoaderFunctionArgs } from "react-router";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { meQuery, usersQuery } from "~/queries/account";
import { Button } from "~/ui/Button";
import { Confirm } from "~/ui/Confirm";
import { Menu, type MenuItem } from "~/ui/Menu";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Page } from "~/ui/Page";
import { Ago } from "~/ui/Time";
import { AdminTabs } from "./AdminTabs";
import { Invite, LinkDialog } from "./Invite";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  await prefetch(usersQuery);
  return null;
}

function Tag({ children, bad }: { children: string; bad?: boolean }) {
  return (
    <span
      className={`rounded-full px-2 text-sm ${bad ? "bg-bad-soft text-bad" : "bg-accent-soft text-accent"}`}
    >
      {children}
    </span>
  );
}

function Row({ user, isMe }: { user: User; isMe: boolean }) {
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const refresh = () => client.invalidateQueries({ queryKey: usersQuery.queryKey });
  const link = useMutation({ mutationFn: () => api.createUserLink(user.id) });
  const update = useMutation({
    mutationFn: (change: { disabled?: boolean; admin?: boolean }) => api.updateUser(user.id, change),
    onSuccess: refresh,
  });
  const items: MenuItem[] = [
    { label: "Make a sign-in link", icon: "link", disabled: user.disabled, onSelect: () => link.mutate() },
    ...(isMe
      ? []
      : [
          {
            label: user.admin ? "Take administration away" : "Make an administrator",
            icon: "shield" as const,
            onSelect: () => update.mutate({ admin: !user.admin }),
          },
          user.disabled
            ? {
                label: "Let in again",
                icon: "check" as const,
                onSelect: () => update.mutate({ disabled: false }),
              }
            : { label: "Disable", icon: "close" as const, danger: true, onSelect: () => setAsking(true) },
        ]),
  ];
  return (
    <li className="grid gap-2 px-4 py-2.5">
      <div className="flex items-center gap-3">
        <div className="min-w-0 flex-1">
          <p className="flex flex-wrap items-center gap-2">
            <span className="font-medium">{user.display_name || user.name}</span>
            {isMe ? <Tag>you</Tag> : null}
            {user.admin ? <Tag>administrator</Tag> : null}
            {user.disabled ? <Tag bad>disabled</Tag> : null}
          </p>
          <p className="text-sm text-muted">
            {user.name} · {user.has_password ? "has a password" : "signs in by link"} · since{" "}
            <Ago ms={user.created_ms} />
          </p>
        </div>
        <Menu
          label={`Actions for ${user.name}`}
          items={items}
          button={{ look: "quiet", icon: "more", busy: update.isPending || link.isPending }}
        />
      </div>
      <ErrorNotice error={update.error ?? link.error} />
      {link.data ? <LinkDialog name={user.name} link={link.data.link} onClose={() => link.reset()} /> : null}
      {asking ? (
        <Confirm
          title={`Disable ${user.name}?`}
          verb="Disable"
          danger
          run={() => api.updateUser(user.id, { disabled: true })}
          onClose={() => setAsking(false)}
          onDone={async () => {
            setAsking(false);
            await refresh();
          }}
        >
          <p>
            Their sessions and tokens end within seconds and they cannot sign in. Their workspaces and jobs
            stay; you can let them in again.
          </p>
        </Confirm>
      ) : null}
    </li>
  );
}

export function Component() {
  const users = usePrefetched(usersQuery).items;
  const me = usePrefetched(meQuery);
  const [inviting, setInviting] = useState(false);
  return (
    <Page
      title="Administration"
      actions={
        <Button look="primary" icon="plus" onClick={() => setInviting(true)}>
          Invite someone
        </Button>
      }
    >
      <AdminTabs />
      <Card>
        <ul className="divide-y divide-line">
          {users.map(user => (
            <Row key={user.id} user={user} isMe={user.id === me.id} />
          ))}
        </ul>
      </Card>
      {inviting ? <Invite onClose={() => setInviting(false)} /> : null}
    </Page>
  );
}
