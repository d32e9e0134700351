/** Runs the Python in a real one, where there is one. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { kernelCode, parseAnswer, type Request, type SaveAnswer } from "./code";

const PYTHON = process.env.CAIRN_TEST_PYTHON ?? "python3";
const run = (code: string, env: Record<string, string> = {}) => {
  const done = spawnSync(PYTHON, ["-c", code], { encoding: "utf8", env: { ...process.env, ...env } });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout;
};
const has = (module: string) => spawnSync(PYTHON, ["-c", `import ${module}`]).status === 0;
vi.setConfig({ testTimeout: 60_000 });

let project = "";

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "cairn-carry-"));
});
afterEach(() => rmSync(project, { recursive: true, force: true }));

const ask = <T>(setup: string, request: Request) =>
  parseAnswer<T>(run(`${setup}\n${kernelCode(request)}`)) as T;
const save = (setup: string, names: string[], pickles = false) =>
  ask<SaveAnswer>(setup, { do: "save", names, project, pickles });
function saved(setup: string, names: string[], pickles = false) {
  const answer = save(setup, names, pickles);
  if ("failed" in answer) throw new Error(answer.failed);
  return answer;
}

/** Saves, loads in another Python as the job does, and prints there. */
function through(setup: string, names: string[], print: string, pickles = false): string {
  const code = `before = set(globals())\n${saved(setup, names, pickles).prelude}\nassert set(globals()) - before == {"before", *${JSON.stringify(names)}}\n${print}`;
  return run(code, { CAIRN_REPOSITORY: project }).trim();
}

describe.skipIf(!has("json"))("with a Python", () => {
  test("plain values come back exactly", () => {
    const value = `{"a": [1, 2.5, None, True, "é\\n\\"", -0.0, 10**30, float("inf")], "b": {}}`;
    expect(through(`x = ${value}`, ["x"], `print(x == ${value}, repr(x["a"][5]))`)).toBe("True -0.0");
  });

  test("what JSON would change is left to pickle, and that only when it is allowed", () => {
    for (const value of ["(1, 2)", "{1: 2}", "{1, 2}", "b'x'"]) {
      expect(save(`x = ${value}`, ["x"])).toMatchObject({
        failed: expect.stringContaining("or allow pickle"),
      });
      expect(through(`x = ${value}`, ["x"], `print(x == ${value})`, true)).toBe("True");
      rmSync(join(project, ".cairn"), { recursive: true });
    }
  });

  test("one that fails is named, and nothing is left behind", () => {
    const answer = save("ok = 1\nbad = (i for i in [])", ["ok", "bad"], true);
    expect(answer).toMatchObject({ failed: expect.stringMatching(/^bad .*generator/) });
    expect(readdirSync(join(project, ".cairn/carry"))).toEqual([]);
    expect(save("", ["gone"])).toMatchObject({ failed: expect.stringContaining("gone") });
  });

  test("a list that holds itself is no reason to fall over", () => {
    expect(through("x = [1]\nx.append(x)", ["x"], "print(x[1] is x)", true)).toBe("True");
  });

  test("no ignore file and no rule for credentials leaves a value out", () => {
    const { folder } = saved("id_rsa = 1\nenv = 2", ["id_rsa", "env"]);
    expect(readdirSync(folder).sort()).toEqual([".cairnignore", "0.json", "1.json"]);
    expect(readFileSync(join(folder, ".cairnignore"), "utf8")).toBe("!*\n");
    expect(through("id_rsa = 1\nenv = 2", ["id_rsa", "env"], "print(id_rsa, env)")).toBe("1 2");
  });

  test("what a snapshot would leave out as too large is refused", () => {
    const answer = save("x = 'a' * 100_000_000", ["x"]);
    expect(answer).toMatchObject({ failed: expect.stringMatching(/^x is larger than 100 MB/) });
    expect(readdirSync(join(project, ".cairn/carry"))).toEqual([]);
  });

  test("forgetting throws away that folder only", () => {
    const [one, other] = [saved("n = 3", ["n"]), saved("n = 4", ["n"])];
    ask("", { do: "forget", folder: one.folder });
    expect(readdirSync(join(project, ".cairn/carry"))).toEqual([basename(other.folder)]);
  });

  test("it says what values are, and leaves no name behind", () => {
    const setup =
      'words = ["a"] * 1200\npair = (1, 2)\nclass Odd:\n    @property\n    def shape(self): raise OSError("no")\nodd = Odd()';
    const probes = ask(`${setup}`, { do: "probe", names: ["words", "pair", "gone", "odd"] });
    expect(probes).toMatchObject({
      words: { kind: "json", type: "list", size: "of 1,200" },
      pair: { kind: "pickle", type: "tuple" },
      gone: { missing: true },
      odd: { kind: "pickle", type: "Odd" },
    });
    const code = kernelCode({ do: "probe", names: [] });
    const left = "set(globals()) - before, [each for each in sys.modules if 'cairn' in each]";
    expect(run(`import sys\nbefore = set(globals())\n${code}\nprint(${left})`)).toContain("{'before'} []");
  });
});

describe.skipIf(!has("numpy"))("with numpy", () => {
  test("arrays and numbers keep their type", () => {
    const setup = "import numpy\nx = numpy.arange(6, dtype='float32').reshape(2, 3)\ny = numpy.float64(0.1)";
    const print = "import numpy\nprint(x.dtype, x.shape, type(y).__name__, y)";
    expect(through(setup, ["x", "y"], print)).toBe("float32 (2, 3) float64 0.1");
  });

  test("an array of objects needs pickle", () => {
    expect(save("import numpy\nx = numpy.array([{}, None])", ["x"])).toHaveProperty("failed");
  });
});

describe.skipIf(!has("pandas, pyarrow"))("with pandas", () => {
  const frame = `import pandas\nx = pandas.DataFrame({"a": pandas.Categorical(["u", "v"]), "b": [1, 2]}, index=[3, 5])`;

  test("a table keeps its columns, types and index", () => {
    expect(
      through(frame, ["x"], `y = x\n${frame}\npandas.testing.assert_frame_equal(x, y)\nprint("same")`),
    ).toBe("same");
  });

  test("a table that parquet would change is said so", () => {
    expect(save("import pandas\nx = pandas.DataFrame({'a': [{1}, 2]})", ["x"])).toHaveProperty("failed");
  });
});
