/** Markdown as elements of ours: its HTML goes through the same short list as any other, its links only to the web, its images not at all. */
import { Lexer, type Token, type Tokens } from "marked";
import { createElement, type ReactNode, useMemo } from "react";
import { Code } from "./Code";
import { safeNodes } from "./SafeHtml";

const entities: Record<string, string> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
};
const plain = (text: string) =>
  text.replace(/&(?:amp|lt|gt|quot|#39);/g, entity => entities[entity] ?? entity);

function list(tokens: Token[] | undefined): ReactNode[] {
  return (tokens ?? []).map((token, index) => node(token, index));
}

function table(token: Tokens.Table, key: number): ReactNode {
  return (
    <table key={key}>
      <thead>
        <tr>{token.header.map((cell, i) => createElement("th", { key: i }, ...list(cell.tokens)))}</tr>
      </thead>
      <tbody>
        {token.rows.map((row, i) =>
          createElement(
            "tr",
            { key: i },
            ...row.map((cell, j) => createElement("td", { key: j }, ...list(cell.tokens))),
          ),
        )}
      </tbody>
    </table>
  );
}

const WRAPPERS: Record<string, string> = {
  paragraph: "p",
  strong: "strong",
  em: "em",
  del: "s",
  blockquote: "blockquote",
  list_item: "li",
};

function node(token: Token, key: number): ReactNode {
  const wrapper = WRAPPERS[token.type];
  if (wrapper) return createElement(wrapper, { key }, ...list((token as Tokens.Generic).tokens));
  switch (token.type) {
    case "heading":
      return createElement(
        `h${Math.min(6, (token as Tokens.Heading).depth + 1)}`,
        { key },
        ...list((token as Tokens.Heading).tokens),
      );
    case "code":
      return <Code key={key} text={(token as Tokens.Code).text} />;
    case "codespan":
      return <code key={key}>{plain((token as Tokens.Codespan).text)}</code>;
    case "br":
      return <br key={key} />;
    case "hr":
      return <hr key={key} />;
    case "list":
      return createElement(
        (token as Tokens.List).ordered ? "ol" : "ul",
        { key },
        ...list((token as Tokens.List).items),
      );
    case "link": {
      const link = token as Tokens.Link;
      const isWeb = /^https?:\/\//i.test(link.href);
      const inner = list(link.tokens);
      return isWeb ? (
        createElement("a", { key, href: link.href, rel: "noreferrer noopener", target: "_blank" }, ...inner)
      ) : (
        <span key={key}>{inner}</span>
      );
    }
    case "image":
      return <em key={key}>{(token as Tokens.Image).text || "image"}</em>;
    case "table":
      return table(token as Tokens.Table, key);
    case "html":
      return <span key={key}>{safeNodes((token as Tokens.HTML).text)}</span>;
    case "text": {
      const inner = (token as Tokens.Text).tokens;
      return inner ? <span key={key}>{list(inner)}</span> : plain((token as Tokens.Text).text);
    }
    case "escape":
      return plain((token as Tokens.Escape).text);
    default:
      return null;
  }
}

export function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => new Lexer({ gfm: true }).lex(text), [text]);
  return <div className="prose">{list(tokens)}</div>;
}
