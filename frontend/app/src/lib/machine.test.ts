import { machineTypes } from "@cairn/mock/machines";
import { expect, test } from "vitest";
import { availability, ordinal, price, share } from "./machine";
import { micros, money, over, perHour, sum } from "./money";

const [small, gpu, large, dream] = machineTypes;
if (!small || !gpu || !large || !dream) throw new Error("the fixtures have machine types");

test("a machine type says what one gets and what it costs", () => {
  expect(share(small)).toBe("2 cores · 8 GiB");
  expect(share(gpu)).toBe("8 cores · 64 GiB · 1 × A100");
  expect(share({ ...small, cpu_millicores: 500, memory_bytes: null })).toBe("0.5 cores · all memory");
  expect(share({ ...gpu, gpu_model: null, gpus: 2, cpu_millicores: 1000 })).toBe("1 core · 64 GiB · 2 GPUs");
  expect(price(gpu)).toBe("1.80 / h");
  expect(price(dream)).toBeNull();
});

test("what is free, what waits, and what can never be had", () => {
  expect(availability(small)).toEqual({ possible: true, tone: "ok", text: "2 free" });
  expect(availability(large)).toEqual({ possible: true, tone: "warn", text: "in use, 3 waiting" });
  expect(availability({ ...large, queued: 0 }).text).toBe("in use");
  expect(availability({ ...large, free: null }).text).toBe("free");
  expect(availability(dream)).toMatchObject({ possible: false, text: expect.stringContaining("16 GPUs") });
});

test("places in a queue are spoken as people do", () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 102].map(ordinal)).toEqual([
    "1st",
    "2nd",
    "3rd",
    "4th",
    "11th",
    "12th",
    "13th",
    "21st",
    "102nd",
  ]);
});

test("money is exact in sums and short in words", () => {
  expect(micros("0.1")).toBe(100_000);
  expect(micros("26.40")).toBe(26_400_000);
  expect(micros("0.0000019")).toBe(1);
  for (const text of [null, undefined, "", "1e3", "-1", "free", ".5"]) expect(micros(text)).toBeNull();
  expect(sum([micros("0.1"), micros("0.2"), null])).toBe(300_000);
  expect(sum([null])).toBeNull();
  expect(over(1_800_000, 90 * 60_000)).toBe(2_700_000);
  expect(over(1_800_000, -5)).toBe(0);
  expect([0, 2_700_000, 95_000, 40_000, 1234, 12].map(money)).toEqual([
    "0.00",
    "2.70",
    "0.10",
    "0.04",
    "< 0.01",
    "< 0.01",
  ]);
  expect([300_000, 40_000, 12_500, 26_400_001].map(perHour)).toEqual([
    "0.30 / h",
    "0.04 / h",
    "0.0125 / h",
    "26.40 / h",
  ]);
});
