/** Enough colour to read code by: comments, strings, numbers and keywords of Python and its relatives. Pure. */

export interface Token {
  text: string;
  kind: "plain" | "comment" | "string" | "number" | "keyword";
}

const KEYWORDS = new Set(
  "and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return try while with yield True False None".split(
    " ",
  ),
);
const PATTERN =
  /(#[^\n]*)|((?:[rbfuRBFU]{0,2})(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))|(\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?)\b)|([A-Za-z_]\w*)/g;

export function highlight(code: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const push = (text: string, kind: Token["kind"]) => {
    const last = tokens.at(-1);
    if (last?.kind === kind) last.text += text;
    else if (text) tokens.push({ text, kind });
  };
  for (const match of code.matchAll(PATTERN)) {
    push(code.slice(at, match.index), "plain");
    const [all, comment, string, number, word] = match;
    const kind = comment
      ? "comment"
      : string
        ? "string"
        : number
          ? "number"
          : word && KEYWORDS.has(word)
            ? "keyword"
            : "plain";
    push(all, kind);
    at = match.index + all.length;
  }
  push(code.slice(at), "plain");
  return tokens;
}
