import { describe, expect, it } from "vitest";
import { heldAt, toNotebook } from "./hold";

describe("heldAt", () => {
  it("names the cell", () => expect(heldAt({ cell_number: 3, cells: 5 })).toBe("cell 3 of 5"));
});

describe("toNotebook", () => {
  const sound = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 };

  it("takes a notebook, also behind a byte order mark", () => {
    expect(toNotebook(JSON.stringify(sound))).toEqual(sound);
    expect(toNotebook(`\uFEFF${JSON.stringify(sound)}`)).toEqual(sound);
  });

  it.each([
    ["print(1)", "not JSON"],
    ["[]", "not a JSON object"],
    ["null", "not a JSON object"],
    ["{}", "no list of cells"],
    [JSON.stringify({ ...sound, nbformat: 3 }), "format 4"],
  ])("says what is wrong with %s", (text, why) => {
    expect(() => toNotebook(text)).toThrow(why);
  });
});
