import { machines } from "@cairn/mock/machines";
import { expect, test } from "vitest";
import { runName, runPath, toLabels, uses, workerCommand } from "./host";

const [local, gpu] = machines;
if (!local || !gpu) throw new Error("the fixtures have machines");

test("labels are what stands between commas and spaces, each once", () => {
  expect(toLabels(" gpu, a100  gpu ,")).toEqual(["gpu", "a100"]);
  expect(toLabels("")).toEqual([]);
});

test("a machine says how much of what it has is in use, and nothing of what has no limit", () => {
  expect(uses(gpu).map(use => `${use.label}: ${use.text}`)).toEqual([
    "CPU: 8 of 64 cores",
    "Memory: 64.0 GiB of 512 GiB",
    "Jobs: 1 of 8",
  ]);
  const boundless = { ...gpu, cpu_millicores: null, memory_bytes: null, slots: null };
  expect(uses(boundless)).toEqual([]);
});

test("a run leads to its job or its workspace", () => {
  const [job, workspace] = gpu.runs;
  if (!job || !workspace) throw new Error("the fixtures have runs");
  expect([runName(job), runPath(job)]).toEqual(["examples#402 digits, more epochs", "/p/examples/jobs/402"]);
  expect([runName(workspace), runPath(workspace)]).toEqual(["lab", "/p/examples/workspaces/w-1"]);
});

test("one command makes a host a machine", () => {
  expect(workerCommand("https://cairn.example.org", "gpu-2")).toBe(
    "cairn worker --url https://cairn.example.org --token-file gpu-2.token",
  );
});
