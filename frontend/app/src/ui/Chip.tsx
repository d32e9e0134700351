/** A short word that tells something apart: an alias, a tag, who may see it. */
import type { ReactNode } from "react";
import { cx } from "~/lib/class";
import { Icon, type IconName } from "./Icon";

export function Chip({
  icon,
  strong,
  title,
  children,
}: {
  icon?: IconName;
  strong?: boolean;
  title?: string;
  children: ReactNode;
}) {
  return (
    <span
      title={title}
      className={cx(
        "inline-flex h-5 max-w-full items-center gap-1 rounded-full border px-2 text-xs",
        strong
          ? "border-accent/40 bg-accent-soft font-medium text-accent"
          : "border-transparent bg-hover text-muted",
      )}
    >
      {icon ? <Icon name={icon} className="size-3" /> : null}
      <span className="truncate">{children}</span>
    </span>
  );
}
