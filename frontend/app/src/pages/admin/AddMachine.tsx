/** Adds a machine: its name, then the token and the one command to run there, and waits until it has connected. */
import * as api from "@cairn/api/operations";
import type { Machine } from "@cairn/api/types";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useDraft } from "~/hooks/useDraft";
import { tokenFile, toLabels, workerCommand } from "~/lib/host";
import { machinesQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { Command } from "~/ui/Copy";
import { Dialog } from "~/ui/Dialog";
import { TextField } from "~/ui/Field";
import { FormDialog } from "~/ui/FormDialog";
import { Icon } from "~/ui/Icon";
import { Notice } from "~/ui/Notice";

function Connected({ machine }: { machine: Pick<Machine, "id" | "name"> }) {
  const found = useQuery(machinesQuery).data?.items.find(each => each.id === machine.id);
  const isThere = found?.state === "online";
  return (
    <p role="status" className="flex items-center gap-2">
      <Icon
        name={isThere ? "check" : "ring"}
        turning={!isThere}
        className={isThere ? "text-ok" : "text-busy"}
      />
      {isThere ? `${machine.name} has connected.` : `Waiting for ${machine.name} to connect…`}
    </p>
  );
}

/** Shows a token once, with what to do with it on the machine. */
export function TokenDialog({
  machine,
  token,
  onClose,
}: {
  machine: Pick<Machine, "id" | "name">;
  token: string;
  onClose: () => void;
}) {
  return (
    <Dialog
      title={`Start the worker on ${machine.name}`}
      onClose={onClose}
      wide
      footer={
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <ol className="grid grid-cols-[minmax(0,1fr)] gap-4">
        <li className="grid grid-cols-[minmax(0,1fr)] gap-1.5">
          <p>
            1. Save this token there as <code>{tokenFile(machine.name)}</code>, readable by you alone.
          </p>
          <Command text={token} />
        </li>
        <li className="grid grid-cols-[minmax(0,1fr)] gap-1.5">
          <p>2. Run this. It dials out; no port has to be open there.</p>
          <Command text={workerCommand(window.location.origin, machine.name)} />
        </li>
        <li>
          <Connected machine={machine} />
        </li>
        <li>
          <Notice tone="warn" title="This is the only time the token is shown">
            Whoever has it can take on the work of {machine.name}. A new one can be made at any time.
          </Notice>
        </li>
      </ol>
    </Dialog>
  );
}

export function AddMachine({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const { value, change, clear } = useDraft("machine", { name: "", labels: "" });
  const add = useMutation({
    mutationFn: () => api.createMachine({ name: value.name, labels: toLabels(value.labels) }),
    onSuccess: async () => {
      clear();
      await client.invalidateQueries({ queryKey: machinesQuery.queryKey });
    },
  });
  if (add.data) return <TokenDialog machine={add.data.machine} token={add.data.token} onClose={onClose} />;
  return (
    <FormDialog title="Add a machine" verb="Add" action={add} onClose={onClose}>
      <p className="text-muted">
        A machine is a host that runs <code>cairn worker</code>. It tells by itself what it has: cores,
        memory, GPUs, runtimes.
      </p>
      <TextField
        label="Name"
        required
        maxLength={63}
        autoCapitalize="none"
        placeholder="gpu-2"
        value={value.name}
        onChange={event => change({ name: event.target.value })}
      />
      <TextField
        label="Labels"
        optional
        autoCapitalize="none"
        placeholder="gpu, cellar"
        hint="Machine types can ask for them, as can those that the worker brings along."
        value={value.labels}
        onChange={event => change({ labels: event.target.value })}
      />
    </FormDialog>
  );
}
