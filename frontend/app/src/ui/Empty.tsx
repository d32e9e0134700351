/** An empty place that teaches: what belongs here, the one button and the one command that fill it. */
import type { ReactNode } from "react";
import { Command } from "./Copy";
import { Icon, type IconName } from "./Icon";

interface EmptyProps {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  command?: string;
}

export function Empty({ icon, title, children, action, command }: EmptyProps) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] justify-items-center gap-3 rounded-lg border border-dashed border-line-strong px-5 py-10 text-center">
      <span className="grid size-10 place-items-center rounded-full bg-accent-soft text-accent">
        <Icon name={icon} />
      </span>
      <div className="grid max-w-110 gap-1">
        <p className="text-lg font-medium">{title}</p>
        {children ? <div className="text-muted">{children}</div> : null}
      </div>
      {action}
      {command ? (
        <div className="grid w-full min-w-0 grid-cols-[minmax(0,1fr)] justify-items-center gap-1.5 text-sm text-muted">
          or from a terminal
          <Command text={command} />
        </div>
      ) : null}
    </div>
  );
}
