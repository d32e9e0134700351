/** The made-up machine types and machines of the mock. Plain data. */
import type { MachineType } from "@cairn/api/types";

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
  runtime: null,
  labels: [],
  is_default: false,
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
