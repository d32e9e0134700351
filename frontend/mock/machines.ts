/** The made-up machine types and machines of the mock. Plain data. */
import type { Machine, MachineDevice, MachineRun, MachineType, WorkspaceRun } from "@cairn/api/types";
import { now } from "./fixtures.ts";

const GIB = 2 ** 30;
const HOUR = 3_600_000;

const type: MachineType = {
  name: "local",
  cpu_millicores: null,
  memory_bytes: null,
  gpus: 0,
  gpu_model: null,
  price_per_hour: null,
  time_limit_ms: null,
  capacity: 4,
  free: 2,
  queued: 0,
  misfit: null,
  is_default: false,
  labels: [],
  runtime: null,
};

export const machineTypes: MachineType[] = [
  {
    ...type,
    is_default: true,
    name: "cpu-small",
    cpu_millicores: 2000,
    memory_bytes: 8 * GIB,
    price_per_hour: "0.04",
  },
  {
    ...type,
    name: "gpu",
    cpu_millicores: 8000,
    memory_bytes: 64 * GIB,
    gpus: 1,
    gpu_model: "A100",
    price_per_hour: "1.80",
    capacity: 2,
    free: 1,
  },
  {
    ...type,
    name: "gpu-large",
    cpu_millicores: 64_000,
    memory_bytes: 512 * GIB,
    gpus: 8,
    gpu_model: "H100",
    price_per_hour: "26.40",
    time_limit_ms: 12 * HOUR,
    capacity: 1,
    free: 0,
    queued: 3,
  },
  {
    ...type,
    name: "tpu-dream",
    cpu_millicores: 96_000,
    memory_bytes: 1024 * GIB,
    gpus: 16,
    capacity: 0,
    free: 0,
    misfit: "Machine type `tpu-dream` wants 16 GPUs; the largest machine, gpu-2, has 8.",
  },
];

const job: MachineRun = {
  kind: "job",
  project: "examples",
  name: "digits, more epochs",
  number: 402,
  workspace_id: null,
  user: "ada",
  machine: "gpu",
  started_ms: now - 72_000,
};
const server: MachineRun = {
  ...job,
  kind: "workspace",
  name: "lab",
  number: null,
  workspace_id: "w-1",
  machine: "cpu-small",
  started_ms: now - 134 * 60_000,
};

const device = (index: number, model: string, run: MachineRun | null = null): MachineDevice => ({
  id: `GPU-${index}`,
  model,
  held: run !== null,
  run,
});

const machine: Machine = {
  id: "m-1",
  name: "cairn",
  kind: "local",
  state: "online",
  seen_ms: now - 4000,
  created_ms: now - 90 * 24 * HOUR,
  labels: [],
  own_labels: [],
  runtimes: ["process"],
  cpu_millicores: 16_000,
  cpu_used_millicores: 2000,
  memory_bytes: 64 * GIB,
  memory_used_bytes: 8 * GIB,
  slots: null,
  slots_used: 0,
  devices: [],
  runs: [server],
};

export const machines: Machine[] = [
  machine,
  {
    ...machine,
    id: "m-2",
    name: "gpu-2",
    kind: "worker",
    labels: ["cellar"],
    own_labels: ["gpu"],
    runtimes: ["docker", "process"],
    cpu_millicores: 64_000,
    cpu_used_millicores: 8000,
    memory_bytes: 512 * GIB,
    memory_used_bytes: 64 * GIB,
    slots: 8,
    slots_used: 1,
    devices: [
      device(0, "NVIDIA A100-SXM4-80GB", job),
      device(1, "NVIDIA A100-SXM4-80GB"),
      device(2, "NVIDIA H100", server),
    ],
    runs: [job, server],
  },
  {
    ...machine,
    id: "m-3",
    name: "under-the-desk",
    kind: "worker",
    state: "offline",
    seen_ms: now - 26 * HOUR,
    runtimes: ["docker"],
    cpu_used_millicores: 0,
    memory_used_bytes: 0,
    runs: [],
  },
  { ...machine, id: "m-4", name: "old-one", kind: "worker", state: "draining", runs: [] },
];

const run: WorkspaceRun = {
  id: "r-1",
  machine: "cpu-small",
  machine_id: "m-1",
  machine_name: "cairn",
  devices: [],
  started_ms: now - 134 * 60_000,
  ended_ms: null,
  price_per_hour: "0.04",
  cost: "0.0893",
};

export const runs: WorkspaceRun[] = [
  run,
  {
    ...run,
    id: "r-2",
    machine: "gpu",
    machine_id: "m-2",
    machine_name: "gpu-2",
    devices: ["GPU-0"],
    started_ms: now - 5 * HOUR,
    ended_ms: now - 135 * 60_000,
    price_per_hour: "1.80",
    cost: "4.95",
  },
  ...Array.from({ length: 7 }, (_, index) => ({
    ...run,
    id: `r-${index + 3}`,
    started_ms: now - (index + 1) * 26 * HOUR,
    ended_ms: now - (index + 1) * 26 * HOUR + (index + 1) * 1_340_000,
    price_per_hour: index > 4 ? null : "0.04",
    cost: index > 4 ? null : (0.0149 * (index + 1)).toFixed(4),
  })),
];
