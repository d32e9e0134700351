import { ApiError } from "@cairn/api/errors";
import type { Job } from "@cairn/api/types";
import { expect, test, vi } from "vitest";
import type { Api } from "../api/operations";
import type { NewLabJob, Proposal } from "../api/types";
import type { Carrier } from "../carry/carrier";
import type { JobStore } from "../jobs/store";
import { newDraft } from "./draft";
import { RunModel } from "./model";
import { submit } from "./submit";

const said = vi.hoisted(() => [] as string[]);
vi.mock("@jupyterlab/apputils", () => ({
  Notification: { emit: (message: string) => said.push(message), dismiss: () => undefined },
}));
// What is sent again within one try is another test's affair.
vi.mock("./send", async original => ({
  ...(await original<typeof import("./send")>()),
  send: (sends: (body: NewLabJob) => Promise<Job>, body: NewLabJob, key: string) =>
    sends({ ...body, idempotency_key: key }),
}));

const lost = new ApiError(0, "unreachable", "The server is away.", null);
const refused = new ApiError(422, "invalid", "There is no such machine.", "r-1");
const proposal: Proposal = { cells: [], doubts: [], missing: ["x"], parameters: [] };

/** A dialog's job that carries `x`, and a server that answers so. */
async function trying(...answers: (Job | ApiError)[]) {
  const sent: NewLabJob[] = [];
  const forgotten: number[] = [];
  let saves = 0;
  const carrier = {
    canCarry: false,
    isBusy: false,
    save: async () => {
      saves += 1;
      const number = saves;
      return { prelude: `x = ${number}`, forget: async () => void forgotten.push(number) };
    },
  };
  const api = {
    workspaceId: "w",
    analyse: async () => proposal,
    workspace: async () => ({ project: "p" }),
    submit: async (_: string, body: NewLabJob) => {
      sent.push(body);
      const answer = answers.shift() ?? lost;
      if (answer instanceof ApiError) throw answer;
      return answer;
    },
  };
  const store = { api, get: () => ({ workspace: null }), learn: () => undefined };
  const model = new RunModel({
    api: api as unknown as Api,
    source: { what: "cells", path: "a.ipynb", notebook: {} },
    notebook: {},
    selected: [],
    carrier: carrier as unknown as Carrier,
    draft: { ...newDraft("train", []), carried: ["x"] },
  });
  await model.analyse();
  const run = () =>
    submit(model, store as unknown as JobStore, {
      onMade: () => undefined,
      show: () => undefined,
      again: () => undefined,
    });
  return { model, run, sent, forgotten };
}

const job = { project: "p", number: 7 } as Job;

test("a try whose answer was lost is repeated as it was, with the same values and key", async () => {
  const { run, sent, forgotten } = await trying(lost, job);
  await run();
  expect(forgotten).toEqual([]);
  await run();
  expect(sent[1]).toEqual(sent[0]);
  expect(sent[0]?.cells?.prelude).toBe("x = 1");
  expect(forgotten).toEqual([1]);
});

test("what was refused is saved anew: the kernel may hold something else by then", async () => {
  const { run, sent, forgotten } = await trying(refused, job);
  await run();
  expect(said.at(-1)).toBe("train was not submitted. There is no such machine. (request r-1)");
  expect(forgotten).toEqual([1]);
  await run();
  expect(sent.map(body => body.cells?.prelude)).toEqual(["x = 1", "x = 2"]);
  expect(new Set(sent.map(body => body.idempotency_key)).size).toBe(2);
  expect(forgotten).toEqual([1, 2]);
});

test("another choice throws away what an earlier one saved", async () => {
  const { model, run, sent, forgotten } = await trying(lost, job);
  await run();
  model.edit({ carried: [] });
  await run();
  expect(sent[1]?.cells?.prelude).toBeUndefined();
  expect(forgotten).toEqual([1]);
});
