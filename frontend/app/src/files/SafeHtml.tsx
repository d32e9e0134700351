/**
 * HTML that a notebook left, drawn from a short list of harmless elements. Nothing of it is ever given to the page as HTML:
 * scripts, styles, links, images, forms, attributes and unknown elements fall away, their text stays where it makes sense.
 */
import { createElement, type ReactNode, useMemo } from "react";

const KEPT = new Set(
  "table thead tbody tfoot tr th td caption p div span b strong i em u s sub sup small code pre kbd samp ul ol li dl dt dd br hr h1 h2 h3 h4 h5 h6 blockquote details summary".split(
    " ",
  ),
);
const DROPPED = new Set(
  "script style template noscript iframe object embed svg math head title link meta form input button textarea select".split(
    " ",
  ),
);
const VOID = new Set(["br", "hr"]);
const DEEPEST = 60;
const MOST_NODES = 20_000;

function spans(element: Element): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [attribute, name] of [
    ["colspan", "colSpan"],
    ["rowspan", "rowSpan"],
  ] as const) {
    const value = Number(element.getAttribute(attribute));
    if (Number.isInteger(value) && value > 1 && value <= 1000) found[name] = value;
  }
  return found;
}

function convert(node: Node, key: string, depth: number, budget: { left: number }): ReactNode {
  budget.left -= 1;
  if (budget.left < 0 || depth > DEEPEST) return null;
  if (node.nodeType === 3) return node.textContent;
  if (node.nodeType !== 1) return null;
  const element = node as Element;
  const name = element.localName;
  if (DROPPED.has(name)) return null;
  const children = VOID.has(name) ? [] : inside(element, key, depth, budget);
  if (!KEPT.has(name)) return children;
  // A header without words is only a corner of the table.
  const tag = name === "th" && !element.textContent?.trim() ? "td" : name;
  return createElement(tag, { key, ...spans(element) }, ...(children as ReactNode[]));
}

/** White space between the rows of a table is not text of it. */
function inside(parent: Node, key: string, depth: number, budget: { left: number }): ReactNode[] {
  const isTable =
    parent.nodeType === 1 && /^(table|thead|tbody|tfoot|tr)$/.test((parent as Element).localName);
  return [...parent.childNodes]
    .filter(child => !isTable || child.nodeType === 1)
    .map((child, index) => convert(child, `${key}.${index}`, depth + 1, budget));
}

/** Parses without executing: a document made by DOMParser runs no script and loads nothing. */
export function safeNodes(html: string): ReactNode[] {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  return inside(parsed.body, "h", 0, { left: MOST_NODES });
}

export function SafeHtml({ html }: { html: string }) {
  const nodes = useMemo(() => safeNodes(html), [html]);
  return (
    <div role="group" tabIndex={0} aria-label="Output" className="prose overflow-x-auto">
      {nodes}
    </div>
  );
}
