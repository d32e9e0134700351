/** Who works in a project, and as what. */
import * as api from "@cairn/api/operations";
import type { Member, Project, Role } from "@cairn/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { cx } from "~/lib/class";
import { usePrefetched } from "~/lib/query";
import { meQuery } from "~/queries/account";
import { membersQuery } from "~/queries/projects";
import { Button, IconButton } from "~/ui/Button";
import { control, SelectField, TextField } from "~/ui/Field";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Section } from "~/ui/Page";

const ROLES: { role: Role; hint: string }[] = [
  { role: "viewer", hint: "looks" },
  { role: "editor", hint: "makes and runs" },
  { role: "owner", hint: "also manages members and the project" },
];

function useMembers(project: Project) {
  const client = useQueryClient();
  const refresh = () => client.invalidateQueries({ queryKey: ["members"] });
  const put = useMutation({
    mutationFn: ({ user, role }: { user: string; role: Role }) => api.putMember(project.id, user, role),
    onSuccess: refresh,
  });
  const remove = useMutation({
    mutationFn: (user: string) => api.deleteMember(project.id, user),
    onSuccess: refresh,
  });
  return { put, remove };
}

function Row({
  member,
  mayManage,
  isMe,
  actions,
}: {
  member: Member;
  mayManage: boolean;
  isMe: boolean;
  actions: ReturnType<typeof useMembers>;
}) {
  return (
    <li className="flex items-center gap-3 px-4 py-2">
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">
          {member.display_name || member.name}
          {isMe ? <span className="ml-2 text-sm font-normal text-accent">you</span> : null}
        </p>
        <p className="truncate text-sm text-muted">{member.name}</p>
      </div>
      {mayManage ? (
        <>
          <div className="w-28 shrink-0">
            <select
              aria-label={`Role of ${member.name}`}
              className={cx(control, "h-8")}
              value={member.role}
              onChange={event => actions.put.mutate({ user: member.name, role: event.target.value as Role })}
            >
              {ROLES.map(({ role }) => (
                <option key={role}>{role}</option>
              ))}
            </select>
          </div>
          <IconButton
            label={`Remove ${member.name}`}
            icon="close"
            onClick={() => actions.remove.mutate(member.name)}
          />
        </>
      ) : (
        <span className="text-muted">{member.role}</span>
      )}
    </li>
  );
}

export function Members({ project, mayManage }: { project: Project; mayManage: boolean }) {
  const members = usePrefetched(membersQuery(project.name)).items;
  const me = usePrefetched(meQuery);
  const actions = useMembers(project);
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("editor");
  return (
    <Section title="Members" about={ROLES.map(each => `${each.role}: ${each.hint}`).join(" · ")}>
      <Card>
        <ul className="divide-y divide-line">
          {members.map(member => (
            <Row
              key={member.user_id}
              member={member}
              mayManage={mayManage}
              isMe={member.user_id === me.id}
              actions={actions}
            />
          ))}
        </ul>
      </Card>
      <ErrorNotice error={actions.remove.error ?? actions.put.error} />
      {mayManage ? (
        <form
          className="flex flex-wrap items-end gap-2"
          onSubmit={event => {
            event.preventDefault();
            actions.put.mutate({ user: name.trim(), role }, { onSuccess: () => setName("") });
          }}
        >
          <div className="min-w-40 flex-1">
            <TextField
              label="Add someone by name"
              required
              autoCapitalize="none"
              value={name}
              onChange={event => setName(event.target.value)}
            />
          </div>
          <SelectField label="As" value={role} onChange={event => setRole(event.target.value as Role)}>
            {ROLES.map(each => (
              <option key={each.role}>{each.role}</option>
            ))}
          </SelectField>
          <Button type="submit" icon="plus" busy={actions.put.isPending}>
            Add
          </Button>
        </form>
      ) : null}
    </Section>
  );
}
