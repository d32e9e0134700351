/** Source text with a little colour. */
import { useMemo } from "react";
import { highlight } from "./highlight";

const INKS = {
  plain: undefined,
  comment: "var(--faint)",
  string: "var(--ansi-2)",
  number: "var(--ansi-3)",
  keyword: "var(--ansi-4)",
};

export function Code({ text, colored = true }: { text: string; colored?: boolean }) {
  const tokens = useMemo(
    () => (colored && text.length < 200_000 ? highlight(text) : [{ text, kind: "plain" as const }]),
    [text, colored],
  );
  return (
    <pre
      role="group"
      tabIndex={0}
      aria-label="Source"
      className="overflow-x-auto px-3 py-2 text-[12.5px] leading-[19px]"
    >
      <code>
        {tokens.map((token, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: tokens have no identity and never move
          <span key={index} style={INKS[token.kind] ? { color: INKS[token.kind] } : undefined}>
            {token.text}
          </span>
        ))}
      </code>
    </pre>
  );
}
