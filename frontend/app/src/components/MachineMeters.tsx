/** How much of a machine type is free. */
import type { Machine } from "@cairn/api/types";
import { bytes, cores, plural } from "~/lib/format";
import { Card, Meter } from "~/ui/Page";

/** What one server or job on a machine type gets. */
export function share(machine: Machine): string {
  const parts = [
    machine.cpu_millicores ? `${cores(machine.cpu_millicores)} cores` : "all cores",
    machine.memory_bytes ? bytes(machine.memory_bytes) : "all memory",
  ];
  if (machine.gpus > 0) parts.push(plural(machine.gpus, "GPU"));
  return parts.join(" · ");
}

export function MachineMeters({ machine }: { machine: Machine }) {
  const waiting = machine.queued > 0 ? ` · ${machine.queued} waiting` : "";
  return (
    <Card className="grid gap-3 p-4">
      <div>
        <p className="font-medium">{machine.name}</p>
        <p className="text-sm text-muted">{share(machine)}</p>
      </div>
      <Meter
        label="Places for jobs"
        used={machine.capacity - machine.free}
        total={machine.capacity}
        text={`${machine.free} of ${machine.capacity} free${waiting}`}
      />
    </Card>
  );
}
