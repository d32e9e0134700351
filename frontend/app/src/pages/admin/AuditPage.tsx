/** Who signed in and out, and who changed what about people, tokens, members and others' workspaces; newest first. */
import type { AuditEntry } from "@cairn/api/types";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { LoaderFunctionArgs } from "react-router";
import { requireUser } from "~/lib/session";
import { auditQuery } from "~/queries/account";
import { Button } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Page } from "~/ui/Page";
import { Loading } from "~/ui/Skeleton";
import { Ago } from "~/ui/Time";
import { AdminTabs } from "./AdminTabs";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  return null;
}

const ACTIONS: Record<string, string> = {
  create_session: "signed in",
  delete_session: "signed out",
  delete_sessions: "signed out everywhere",
  exchange_link: "signed in a program by link",
  approve_device: "signed in a program by code",
  change_password: "changed the password of",
  create_token: "made the token",
  delete_token: "revoked the token",
  create_user: "invited",
  update_user: "changed the account of",
  create_user_link: "made a sign-in link for",
  put_member: "gave a role to",
  delete_member: "removed the member",
  stop_workspace: "stopped the workspace",
  delete_workspace: "deleted the workspace",
};

/** What else is known, without what is not set. */
function detail(entry: AuditEntry): string {
  const known = Object.entries(entry.detail as Record<string, unknown>).filter(([, value]) => value !== null);
  return known
    .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" · ");
}

function Row({ entry }: { entry: AuditEntry }) {
  return (
    <tr className="border-t border-line align-baseline">
      <td className="px-4 py-2 whitespace-nowrap text-muted">
        <Ago ms={entry.created_ms} />
      </td>
      <td className="px-4 py-2 font-medium">{entry.user ?? "the server’s machine"}</td>
      <td className="px-4 py-2">
        {ACTIONS[entry.action] ?? entry.action.replaceAll("_", " ")}
        {entry.subject && entry.subject !== entry.user ? (
          <span className="ml-1.5 font-medium break-all">{entry.subject}</span>
        ) : null}
      </td>
      <td className="px-4 py-2 text-sm break-all text-muted">{detail(entry)}</td>
    </tr>
  );
}

export function Component() {
  const audit = useInfiniteQuery({ ...auditQuery, staleTime: 0 });
  const entries = audit.data?.pages.flatMap(page => page.items) ?? [];
  return (
    <Page title="Administration" tab="Audit">
      <AdminTabs />
      <ErrorNotice error={audit.error} />
      {audit.isLoading ? <Loading /> : null}
      {entries.length > 0 ? (
        <Card>
          <section tabIndex={0} aria-label="Audit entries" className="overflow-x-auto">
            <table aria-label="Audit record" className="w-full text-left">
              <thead>
                <tr className="text-sm text-muted">
                  {["When", "Who", "What", "Details"].map(title => (
                    <th key={title} scope="col" className="px-4 py-2 font-medium">
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {entries.map(entry => (
                  <Row key={entry.id} entry={entry} />
                ))}
              </tbody>
            </table>
          </section>
        </Card>
      ) : null}
      {audit.data && entries.length === 0 ? (
        <Empty icon="shield" title="Nothing is recorded yet">
          Sign-ins and changes to people, tokens, members and others’ workspaces are listed here.
        </Empty>
      ) : null}
      {audit.hasNextPage ? (
        <Button
          className="justify-self-start"
          busy={audit.isFetchingNextPage}
          onClick={() => void audit.fetchNextPage()}
        >
          Show more
        </Button>
      ) : null}
    </Page>
  );
}
