/** The made-up people, projects, workspaces and jobs of the mock. Plain data. */
import type { Environment, File, Job, LogLine, Progress, Project, User, Workspace } from "@cairn/api/types";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
export const now = Date.now();

export const me: User = {
  id: "u-ada",
  name: "ada",
  display_name: "Ada",
  admin: true,
  disabled: false,
  has_password: true,
  created_ms: now - 90 * 24 * HOUR,
};

export const users: User[] = [
  me,
  {
    ...me,
    id: "u-grace",
    name: "grace",
    display_name: "Grace Hopper",
    admin: false,
    created_ms: now - 40 * 24 * HOUR,
  },
  {
    ...me,
    id: "u-alan",
    name: "alan",
    display_name: "Alan",
    admin: false,
    has_password: false,
    created_ms: now - 3 * HOUR,
  },
  {
    ...me,
    id: "u-bob",
    name: "bob",
    display_name: "Bob",
    admin: false,
    disabled: true,
    created_ms: now - 300 * 24 * HOUR,
  },
];

export const projects: Project[] = [
  {
    id: "p-1",
    name: "examples",
    description: "Digits, end to end",
    role: "owner",
    created_ms: now - 80 * 24 * HOUR,
  },
  {
    id: "p-2",
    name: "vision",
    description: "Leaf disease from photographs",
    role: "editor",
    created_ms: now - 30 * 24 * HOUR,
  },
  { id: "p-3", name: "empty-project", description: "", role: "owner", created_ms: now - HOUR },
];

const workspace: Workspace = {
  id: "w-1",
  name: "lab",
  project_id: "p-1",
  project: "examples",
  user_id: "u-ada",
  user: "ada",
  environment: "default",
  machine: "cpu-small",
  state: "running",
  phase: null,
  message: null,
  inputs: [],
  created_ms: now - 20 * 24 * HOUR,
  started_ms: now - 134 * MINUTE,
  last_activity_ms: now - 2 * MINUTE,
  machine_id: "m-1",
  machine_name: "cairn",
  devices: [],
  price_per_hour: "0.04",
  cost: "0.0893",
  queue: null,
  progress: null,
  home: {
    bytes: 4.1 * 2 ** 30,
    files: 12_431,
    quota_bytes: 20 * 2 ** 30,
    warning: null,
    measured_ms: now - 20_000,
    snapshot_ms: now - 4 * MINUTE,
    conflicts: [],
  },
};

/** A restart on another machine, in the middle of its way. */
const moving: Progress = {
  started_ms: now - 9000,
  phases: [
    {
      phase: "saving",
      label: "Saving",
      started_ms: now - 9000,
      ended_ms: now - 7600,
      estimate_ms: 2000,
    },
    {
      phase: "stopping",
      label: "Stopping",
      started_ms: now - 7600,
      ended_ms: now - 6100,
      estimate_ms: 1500,
    },
    {
      phase: "moving",
      label: "Moving the home",
      started_ms: now - 6100,
      ended_ms: null,
      estimate_ms: 14_000,
    },
    {
      phase: "waiting",
      label: "Waiting for a machine",
      started_ms: null,
      ended_ms: null,
      estimate_ms: 0,
    },
    {
      phase: "preparing",
      label: "Preparing the environment",
      started_ms: null,
      ended_ms: null,
      estimate_ms: 1200,
    },
    {
      phase: "starting",
      label: "Starting JupyterLab",
      started_ms: null,
      ended_ms: null,
      estimate_ms: 4000,
    },
  ],
};

export const workspaces: Workspace[] = [
  workspace,
  {
    ...workspace,
    id: "w-2",
    name: "use-model",
    state: "starting",
    phase: "Moving the home",
    machine: "gpu",
    progress: moving,
    inputs: [{ name: "digits", ref: "examples#12", manifest_digest: "b3a1", files: 4, bytes: 1_280_411 }],
    started_ms: null,
    last_activity_ms: now - 26 * HOUR,
  },
  {
    ...workspace,
    id: "w-3",
    name: "leaves",
    home: {
      bytes: 18.7 * 2 ** 30,
      files: 88_120,
      quota_bytes: 20 * 2 ** 30,
      warning:
        "1.3 GiB are left. When nothing is left, it runs on but cannot be started again until there is room.",
      measured_ms: now - 20_000,
      snapshot_ms: now - 50 * HOUR,
      conflicts: [{ name: "conflict-2026-11-19-gpu-2", machine_name: "gpu-2", created_ms: now - 51 * HOUR }],
    },
    project_id: "p-2",
    project: "vision",
    state: "stopped",
    started_ms: null,
    last_activity_ms: now - 50 * HOUR,
  },
  {
    ...workspace,
    id: "w-4",
    name: "broken",
    project_id: "p-2",
    project: "vision",
    state: "error",
    message: "The server ended 2 s after its start with status 1: no space left on the device.",
    started_ms: null,
    last_activity_ms: now - 90 * HOUR,
  },
];

const base: Job = {
  id: "j-12",
  number: 12,
  name: "digits",
  project_id: "p-1",
  project: "examples",
  user_id: "u-ada",
  user: "ada",
  workspace_id: "w-1",
  snapshot_id: "s-1",
  command: null,
  notebook: "digits.ipynb",
  parameters: { epochs: 40, learning_rate: 0.05, hidden: 64, augment: true },
  inputs: [],
  environment: "default",
  machine: "cpu-small",
  state: "complete",
  message: null,
  exit_code: 0,
  signal: null,
  metadata: { step: 40, loss: 0.0713, accuracy: 0.9778, val_loss: 0.1189 },
  outputs: {
    manifest_digest: "9f1c22d0",
    content_digest: "b3:4be1f0c6a2f94c1db2ac4e0a5b8e7f10",
    files: 5,
    bytes: 1_280_411,
    skipped: [],
  },
  rerun_of: null,
  time_limit_ms: null,
  cell_time_limit_ms: null,
  hold_ms: null,
  hold: null,
  holds: [],
  created_ms: now - 3 * HOUR,
  started_ms: now - 3 * HOUR + 900,
  ended_ms: now - 3 * HOUR + 94_000,
  attempt: 1,
  failures: 0,
  retries: 0,
  tags: [],
  log_bytes: 18_200,
  machine_id: "m-2",
  machine_name: "gpu-2",
  devices: ["GPU-0"],
  price_per_hour: "1.80",
  cost: "0.0465",
  queue: null,
};

const USERS = ["ada", "grace"];
const COMMAND = ["python", "train.py", "--epochs", "10"];

function older(number: number): Job {
  const failed = number % 7 === 3;
  const stopped = number % 11 === 5;
  const wave = Math.sin(number * 12.9898) * 0.5 + 0.5;
  const created = now - (400 - number) * 11 * MINUTE - 4 * HOUR;
  const isNotebook = number % 3 !== 0;
  return {
    ...base,
    id: `j-${number}`,
    number,
    name: number % 4 === 0 ? `sweep ${number}` : isNotebook ? "digits" : "",
    user: USERS[number % 2] ?? "ada",
    notebook: isNotebook ? "digits.ipynb" : null,
    command: isNotebook ? null : COMMAND,
    parameters: {
      epochs: 10 + (number % 5) * 10,
      learning_rate: Number((0.001 + wave * 0.1).toPrecision(3)),
    },
    state: failed ? "error" : stopped ? "stopped" : "complete",
    message: failed ? "Cell 5 raised ValueError: could not convert string to float: 'n/a'" : null,
    exit_code: failed ? 1 : stopped ? null : 0,
    signal: stopped ? 15 : null,
    metadata: failed
      ? {}
      : {
          step: 40,
          loss: Number((0.05 + wave * 0.3).toPrecision(4)),
          accuracy: Number((0.99 - wave * 0.12).toPrecision(4)),
        },
    outputs: failed ? null : base.outputs,
    created_ms: created,
    started_ms: created + 800,
    ended_ms: created + 20_000 + wave * 300_000,
  };
}

export const jobs: Job[] = [
  {
    ...base,
    id: "j-402",
    number: 402,
    name: "digits, more epochs",
    parameters: { ...base.parameters, epochs: 200 },
    state: "started",
    outputs: null,
    exit_code: null,
    metadata: { step: 61, loss: 0.2913, accuracy: 0.9123, val_loss: 0.3301 },
    created_ms: now - 74_000,
    started_ms: now - 72_000,
    ended_ms: null,
  },
  {
    ...base,
    id: "j-401",
    number: 401,
    name: "waits",
    state: "queued",
    outputs: null,
    exit_code: null,
    metadata: {},
    message: null,
    created_ms: now - 40_000,
    started_ms: null,
    ended_ms: null,
    attempt: 0,
    machine_id: null,
    machine_name: null,
    devices: [],
    machine: "gpu-large",
    price_per_hour: null,
    cost: null,
    queue: { position: 2, length: 5, reason: "8 GPUs are wanted, 3 are free" },
  },
  ...Array.from({ length: 400 }, (_, index) => older(400 - index)),
];

export const environments: Environment[] = [
  {
    name: "default",
    python: "3.11",
    image: null,
    packages: ["jupyterlab", "ipykernel", "numpy", "scikit-learn", "matplotlib"],
    state: "ready",
    message: null,
    digest: "ab12",
  },
  {
    name: "torch",
    python: "3.12",
    image: null,
    packages: ["jupyterlab", "torch", "torchvision"],
    state: "failed",
    message: "No matching distribution found for torchvison==0.99",
    digest: null,
  },
];

const file = (path: string, bytes: number, kind: File["kind"] = "file"): File => ({
  path,
  kind,
  bytes,
  hash: kind === "file" ? `h-${path}` : null,
  executable: false,
  target: null,
});

export const outputs: Record<string, File[]> = {
  "": [
    file("digits.ipynb", 84_211),
    file("plots", 0, "directory"),
    file("model.joblib", 1_180_000),
    file("metrics.json", 812),
    file("confusion.csv", 420),
  ],
  plots: [file("plots/loss.png", 15_200)],
};
export const code: Record<string, File[]> = {
  "": [
    file("digits.ipynb", 9_120),
    file("use-model.ipynb", 4_100),
    file("train.py", 640),
    file("README.md", 410),
  ],
};

const TQDM =
  "\u001b[32m  8%\u001b[0m|▊         | 16/200\r\u001b[32m 31%\u001b[0m|███       | 61/200 [00:41<01:33]";

export function logLine(index: number): LogLine {
  const ms = now - 72_000 + index * 600;
  const at = { offset: index * 96, ms, partial: false };
  if (index === 0) return { ...at, stream: "system", text: "Started attempt 1 on local" };
  if (index === 3)
    return {
      ...at,
      stream: "stderr",
      text: "/usr/lib/python3/sklearn/neural_network.py:691: \u001b[33mConvergenceWarning\u001b[0m: maximum iterations reached",
    };
  if (index === 5) return { ...at, stream: "stderr", text: TQDM };
  const loss = 2.3 * Math.exp(-index / 60) + 0.05;
  return {
    ...at,
    stream: "stdout",
    text: JSON.stringify({
      step: index,
      loss: Number(loss.toPrecision(5)),
      accuracy: Number((1 - loss / 2.6).toPrecision(5)),
    }),
  };
}
