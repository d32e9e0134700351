import { ApiError } from "@cairn/api/errors";
import type { Job } from "@cairn/api/types";
import { expect, test } from "vitest";
import type { NewLabJob } from "../api/types";
import { send } from "./send";

const away = new ApiError(0, "unreachable", "away", null);

function server(...answers: (Job | ApiError)[]) {
  const bodies: NewLabJob[] = [];
  const pauses: number[] = [];
  const run = send(
    async body => {
      bodies.push(body);
      const answer = answers.shift() ?? away;
      if (answer instanceof ApiError) throw answer;
      return answer;
    },
    { name: "train" },
    "one key",
    async ms => void pauses.push(ms),
  );
  return { bodies, pauses, run };
}

test("a lost answer is asked for again with the same key", async () => {
  const { bodies, pauses, run } = server(away, new ApiError(503, "", "", null), { number: 3 } as Job);
  expect((await run).number).toBe(3);
  expect(bodies.map(body => body.idempotency_key)).toEqual(["one key", "one key", "one key"]);
  expect(pauses).toEqual([500, 1000]);
});

test("a refusal is final", async () => {
  const { bodies, run } = server(new ApiError(422, "invalid", "no such machine", null));
  await expect(run).rejects.toThrow("no such machine");
  expect(bodies).toHaveLength(1);
});

test("it gives up in the end", async () => {
  const { bodies, run } = server();
  await expect(run).rejects.toBe(away);
  expect(bodies).toHaveLength(8);
});
