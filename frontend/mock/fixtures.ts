/** The made-up people, projects, workspaces and files of the mock. Plain data. */
import type { Environment, File, LogLine, Progress, Project, User, Workspace } from "@cairn/api/types";

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
    inputs: [
      {
        name: "digits",
        ref: "examples#12",
        manifest_digest: "b3a1",
        files: 4,
        bytes: 1_280_411,
        left_out: null,
      },
    ],
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
