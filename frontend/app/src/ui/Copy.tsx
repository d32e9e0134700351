/** Copying text: a small button, and a command shown ready to copy. */
import { useState } from "react";
import { IconButton } from "./Button";

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <IconButton
      label={copied ? "Copied" : label}
      icon={copied ? "check" : "copy"}
      size="sm"
      onClick={() => {
        void navigator.clipboard.writeText(text).then(() => {
          setCopied(true);
          setTimeout(() => setCopied(false), 1500);
        });
      }}
    />
  );
}

export function Command({ text }: { text: string }) {
  return (
    <span className="inline-flex max-w-full items-center gap-1 rounded border border-line bg-sunken py-0.5 pr-0.5 pl-2.5 text-left text-text">
      <code className="min-w-0 whitespace-pre-wrap wrap-anywhere">{text}</code>
      <CopyButton text={text} label={`Copy: ${text}`} />
    </span>
  );
}
