/** Approves a terminal that asks to sign in: the code shown there must be the one shown here. */
import * as api from "@cairn/api/operations";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type LoaderFunctionArgs, useNavigate } from "react-router";
import { Plain } from "~/components/Plain";
import { useSearch } from "~/hooks/useSearch";
import { usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { deviceQuery, meQuery } from "~/queries/account";
import { Button } from "~/ui/Button";
import { TextField } from "~/ui/Field";
import { ErrorNotice, Notice } from "~/ui/Notice";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  return null;
}

function EnterCode({ onCode }: { onCode: (code: string) => void }) {
  const [code, setCode] = useState("");
  return (
    <form
      className="grid gap-4"
      onSubmit={event => {
        event.preventDefault();
        onCode(code.trim().toUpperCase());
      }}
    >
      <TextField
        label="Code"
        required
        hint="It stands in the terminal, below the address."
        className="font-mono text-lg tracking-widest uppercase"
        value={code}
        onChange={event => setCode(event.target.value)}
      />
      <Button look="primary" type="submit">
        Continue
      </Button>
    </form>
  );
}

function Decide({ code, onOther }: { code: string; onOther: () => void }) {
  const device = useQuery(deviceQuery(code));
  const me = usePrefetched(meQuery);
  const navigate = useNavigate();
  const decide = useMutation({
    mutationFn: (yes: boolean) => (yes ? api.approveDevice(code) : api.denyDevice(code)),
  });
  if (device.error) {
    return (
      <>
        <ErrorNotice error={device.error} title="This code is not known" />
        <p className="text-muted">
          Codes last a few minutes. Run <code>cairn login</code> again for a new one.
        </p>
        <Button onClick={onOther}>Enter another code</Button>
      </>
    );
  }
  if (decide.isSuccess) {
    return (
      <>
        <Notice
          tone={decide.variables ? "ok" : "info"}
          title={decide.variables ? "The terminal is signed in" : "Refused"}
        >
          You can close this page.
        </Notice>
        <Button onClick={() => void navigate(paths.start())}>Go to the start page</Button>
      </>
    );
  }
  return (
    <>
      <p className="rounded border border-line bg-sunken py-3 text-center font-mono text-xl tracking-[0.2em] select-all">
        {code}
      </p>
      <p className="text-muted">
        A terminal asks to act as <strong className="font-medium text-text">{me.name}</strong>. Approve only
        if you ran <code>cairn login</code> just now and it shows this code.
      </p>
      <ErrorNotice error={decide.error} />
      <div className="grid grid-cols-2 gap-2">
        <Button busy={decide.isPending && !decide.variables} onClick={() => decide.mutate(false)}>
          Refuse
        </Button>
        <Button
          look="primary"
          disabled={!device.data}
          busy={decide.isPending && decide.variables}
          onClick={() => decide.mutate(true)}
        >
          Approve
        </Button>
      </div>
    </>
  );
}

export function Component() {
  const [search, setSearch] = useSearch();
  const code = search.get("code");
  return (
    <Plain title="Sign in a terminal">
      {code ? (
        <Decide code={code} onOther={() => setSearch({ code: null })} />
      ) : (
        <EnterCode onCode={next => setSearch({ code: next })} />
      )}
    </Plain>
  );
}
