/** The made-up jobs of the mock. Plain data. */
import type { Job } from "@cairn/api/types";
import { now } from "./fixtures.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

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

/** It waits at a cell that failed. */
export const held: Job = {
  ...base,
  id: "j-400",
  number: 400,
  name: "digits, held",
  state: "started",
  outputs: null,
  exit_code: null,
  metadata: { step: 12, loss: 0.9412 },
  hold_ms: 4 * HOUR,
  hold: {
    attempt: 1,
    number: 1,
    state: "held",
    cell_number: 4,
    cells: 5,
    title: "model.save(path)",
    ename: "NameError",
    message: "NameError: name 'path' is not defined",
    since_ms: now - 22 * MINUTE,
    until_ms: now + 218 * MINUTE,
    ended_ms: null,
    answers: 0,
    refused: null,
    notebook_hash: null,
    resumed_by: null,
    resumed_by_name: null,
  },
  created_ms: now - 55 * MINUTE,
  started_ms: now - 54 * MINUTE,
  ended_ms: null,
};

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
  held,
  ...Array.from({ length: 399 }, (_, index) => older(399 - index)),
];
