// @vitest-environment happy-dom
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { highlight } from "./highlight";
import { Markdown } from "./Markdown";
import { parseNotebook } from "./notebook";
import { looksBinary, parseTable, shapeOf } from "./preview";
import { SafeHtml } from "./SafeHtml";

const html = (source: string) => renderToStaticMarkup(<SafeHtml html={source} />);

test("HTML of a notebook keeps its table and loses everything that acts", () => {
  const shown = html(
    `<style>x{}</style><script>alert(1)</script><table onclick="a()"><tr><th></th><td colspan="2">1</td></tr></table><img src=x onerror=alert(2)><a href="javascript:x">t</a><iframe></iframe><svg onload=a()></svg>`,
  );
  expect(shown).toContain('<td colSpan="2">1</td>');
  expect(shown).toContain(">t");
  for (const bad of [
    "script",
    "onclick",
    "onerror",
    "onload",
    "javascript",
    "iframe",
    "<img",
    "<svg",
    "style=",
  ])
    expect(shown).not.toContain(bad);
});

test("deep and huge HTML ends somewhere", () => {
  expect(() => html("<div>".repeat(1500))).not.toThrow();
  expect(html("<p>x</p>".repeat(25_000)).length).toBeLessThan(400_000);
});

test("Markdown links go to the web only and its HTML goes the same way", () => {
  const shown = renderToStaticMarkup(
    <Markdown
      text={
        "# T\n\n[a](javascript:alert(1)) [b](https://x.org) ![i](http://x/y.png) <script>1</script> `c<d`"
      }
    />,
  );
  expect(shown).toContain('href="https://x.org"');
  expect(shown).toContain("c&lt;d");
  for (const bad of ["javascript", "<script", "<img"]) expect(shown).not.toContain(bad);
});

test("a notebook's outputs are understood, whoever wrote them", () => {
  const { cells } = parseNotebook(
    JSON.stringify({
      cells: [
        {
          cell_type: "code",
          source: ["a\n", "b"],
          execution_count: 3,
          metadata: { tags: ["parameters"] },
          outputs: [
            { output_type: "stream", name: "stdout", text: "1\n" },
            { output_type: "stream", name: "stdout", text: ["2\n"] },
            { output_type: "display_data", data: { "image/png": "aGk=\n" } },
            { output_type: "error", ename: "E", evalue: "v", traceback: [] },
            { output_type: "display_data", data: 5 },
            null,
          ],
        },
        "nonsense",
      ],
    }),
  );
  expect(cells).toHaveLength(1);
  expect(cells[0]?.source).toBe("a\nb");
  expect(cells[0]?.isParameters).toBe(true);
  expect(cells[0]?.outputs).toEqual([
    { kind: "text", text: "1\n2\n", isError: false },
    { kind: "image", mime: "image/png", base64: "aGk=", alt: "" },
    { kind: "text", text: "E: v", isError: true },
  ]);
});

test("what is no notebook says so", () => {
  expect(() => parseNotebook("{")).toThrow("not valid JSON");
  expect(() => parseNotebook("[]")).toThrow("no cells");
});

test("tables follow the rules of quoting", () => {
  expect(parseTable('a,b\r\n"1, ""x""",2\n\n3,', ",", 10).rows).toEqual([
    ["a", "b"],
    ['1, "x"', "2"],
    ["3", ""],
  ]);
  expect(parseTable("a\nb\nc\n", ",", 2)).toEqual({ rows: [["a"], ["b"]], isCut: true });
});

test("the shape of a preview comes from name and size", () => {
  expect(shapeOf("x/digits.ipynb", 10)).toBe("notebook");
  expect(shapeOf("a.PNG", 10)).toBe("image");
  expect(shapeOf("model.joblib", 10)).toBe("none");
  expect(shapeOf("big.json", 1 << 30)).toBe("none");
  expect(shapeOf("Dockerfile", 10)).toBe("text");
  expect(looksBinary("a\u0000b")).toBe(true);
});

test("colours change no text", () => {
  const source = 'def f(x="a#b"):  # c\n    return """d\n""" + 1e-3';
  expect(
    highlight(source)
      .map(token => token.text)
      .join(""),
  ).toBe(source);
  expect(highlight(source).find(token => token.kind === "comment")?.text).toBe("# c");
});
