import { expect, test } from "vitest";
import { Rate } from "./rate";

test("the rate is that of the last seconds", () => {
  const rate = new Rate();
  expect(rate.perSecond).toBeNull();
  for (let second = 0; second <= 20; second += 1)
    rate.add(second * 1000, second < 10 ? 0 : (second - 10) * 100);
  expect(rate.perSecond).toBe(100);
  rate.add(21_000, 5);
  expect(rate.perSecond).toBeNull();
});
