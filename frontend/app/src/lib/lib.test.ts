import { expect, test } from "vitest";
import { ago, bytes, duration, number, plural, value } from "./format";
import { joinCommand, splitCommand } from "./shell";

test("bytes and durations in the unit that fits", () => {
  expect(bytes(0)).toBe("0 B");
  expect(bytes(1536)).toBe("1.5 KiB");
  expect(bytes(5 * 2 ** 30)).toBe("5.0 GiB");
  expect(duration(950)).toBe("950 ms");
  expect(duration(9_940)).toBe("9.9 s");
  expect(duration(185_000)).toBe("3 m 05 s");
  expect(duration(8_040_000)).toBe("2 h 14 m");
  expect(duration(-1)).toBe("–");
});

test("how long ago, and what is to come", () => {
  expect(ago(1000, 5000)).toBe("just now");
  expect(ago(0, 3_600_000)).toBe("1 h ago");
  expect(ago(7_200_000, 0)).toBe("in 2 h");
});

test("numbers hide neither small nor strange values", () => {
  expect(number(0.000012)).toBe("1.200e-5");
  expect(number(0.1 + 0.2)).toBe("0.3");
  expect(number(Number.NaN)).toBe("NaN");
  expect(value({ a: [1] })).toBe('{"a":[1]}');
  expect(plural(1, "file")).toBe("1 file");
  expect(plural(2000, "file")).toBe("2,000 files");
});

test("commands are split as a shell would, without expansion", () => {
  expect(splitCommand("python train.py --lr 0.1").words).toEqual(["python", "train.py", "--lr", "0.1"]);
  expect(splitCommand(`a "b c" 'd "e"' f\\ g "" $HOME`).words).toEqual([
    "a",
    "b c",
    'd "e"',
    "f g",
    "",
    "$HOME",
  ]);
  expect(splitCommand("a 'b").error).toContain("not closed");
});

test("what was split joins to the same command", () => {
  const words = ["python", "-c", `print("it's")`, "", "a b", "$x"];
  expect(splitCommand(joinCommand(words)).words).toEqual(words);
});
