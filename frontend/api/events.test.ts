import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { follow, parseChange, type Source } from "./events.ts";

class Made implements Source {
  readyState = 1;
  onopen: Source["onopen"] = null;
  onmessage: Source["onmessage"] = null;
  onerror: Source["onerror"] = null;
  readonly named = new Map<string, (event: MessageEvent<string>) => void>();
  readonly since: number | null;
  constructor(since: number | null) {
    this.since = since;
  }
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void {
    this.named.set(kind, listener);
  }
  close(): void {
    this.readyState = 2;
  }
  tell(number: number, kind = "job.changed"): void {
    const data = JSON.stringify({ number, kind, subject: "j", project_id: "p" });
    this.onmessage?.({ data, lastEventId: String(number) } as MessageEvent<string>);
  }
  say(kind: string, number: number): void {
    this.named.get(kind)?.({ data: "{}", lastEventId: String(number) } as MessageEvent<string>);
  }
  breaks(): void {
    this.readyState = 2;
    this.onerror?.(new Event("error"));
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start(mayOpen?: () => Promise<boolean>) {
  const sources: Made[] = [];
  const seen = { changes: [] as number[], live: [] as boolean[], resets: 0 };
  const stop = follow({
    open: since => {
      const source = new Made(since);
      sources.push(source);
      return source;
    },
    ...(mayOpen ? { mayOpen } : {}),
    onChanges: changes => seen.changes.push(...changes.map(change => change.number)),
    onLive: isLive => seen.live.push(isLive),
    onReset: () => {
      seen.resets += 1;
    },
  });
  const last = () => sources.at(-1) as Made;
  return { sources, seen, stop, last };
}

test("it goes on after the last number seen when the browser gave up", () => {
  const { sources, seen, last } = start();
  expect(last().since).toBeNull();
  last().say("ready", 7);
  last().tell(9);
  last().tell(8);
  vi.advanceTimersByTime(1000);
  expect(seen.changes).toEqual([9, 8]);
  last().breaks();
  expect(seen.live).toEqual([false]);
  vi.advanceTimersByTime(500);
  expect(sources).toHaveLength(2);
  expect(last().since).toBe(9);
});

test("it tries less and less often, and as at first after it worked", () => {
  const { sources, last } = start();
  for (const ms of [500, 1000, 2000]) {
    last().breaks();
    vi.advanceTimersByTime(ms - 1);
    const before = sources.length;
    vi.advanceTimersByTime(1);
    expect(sources).toHaveLength(before + 1);
  }
  last().onopen?.(new Event("open"));
  last().breaks();
  vi.advanceTimersByTime(500);
  expect(sources).toHaveLength(5);
});

test("it asks whether it may, again while nobody answers, and ends where it may not", async () => {
  const answers = ["away", true, false];
  const { sources, last } = start(async () => {
    const answer = answers.shift();
    if (answer === "away") throw new Error(answer);
    return answer === true;
  });
  last().breaks();
  await vi.advanceTimersByTimeAsync(500);
  expect(sources).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(sources).toHaveLength(2);
  last().breaks();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sources).toHaveLength(2);
  expect(answers).toHaveLength(0);
});

test("a gap means reading anew, from where the server is", () => {
  const { seen, last } = start();
  last().say("reset", 400);
  expect(seen.resets).toBe(1);
  last().breaks();
  vi.advanceTimersByTime(500);
  expect(last().since).toBe(400);
});

test("nothing is heard after the end", () => {
  const { sources, seen, stop, last } = start();
  last().tell(1);
  stop();
  vi.advanceTimersByTime(60_000);
  expect(seen.changes).toEqual([]);
  expect(sources).toHaveLength(1);
});

test("what is no change is passed over", () => {
  expect(parseChange("{")).toBeNull();
  expect(parseChange('{"number":1}')).toBeNull();
  expect(parseChange('{"number":1,"kind":"job.changed","subject":"x","project_id":null}')?.number).toBe(1);
});
