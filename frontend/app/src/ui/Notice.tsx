/** Something worth telling, where the work is: an error with its request id, a warning, a hint. */
import { ApiError } from "@cairn/api/errors";
import type { ReactNode } from "react";
import { cx } from "~/lib/class";
import { Icon, type IconName } from "./Icon";

type Tone = "bad" | "warn" | "info" | "ok";
const TONES: Record<Tone, { box: string; icon: IconName; ink: string }> = {
  bad: { box: "bg-bad-soft border-bad/30", icon: "alert", ink: "text-bad" },
  warn: { box: "bg-warn-soft border-warn/30", icon: "alert", ink: "text-warn" },
  info: { box: "bg-sunken border-line", icon: "bolt", ink: "text-muted" },
  ok: { box: "bg-ok-soft border-ok/30", icon: "check", ink: "text-ok" },
};

interface NoticeProps {
  tone?: Tone;
  title?: string;
  children?: ReactNode;
  action?: ReactNode;
}

export function Notice({ tone = "info", title, children, action }: NoticeProps) {
  const { box, icon, ink } = TONES[tone];
  return (
    <div
      role={tone === "bad" ? "alert" : undefined}
      className={cx("flex gap-2.5 rounded border px-3 py-2.5", box)}
    >
      <Icon name={icon} className={cx("mt-0.5", ink)} />
      <div className="flex min-w-0 flex-1 flex-wrap items-center gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-60 break-words">
          {title ? <p className="font-medium">{title}</p> : null}
          {children}
        </div>
        {action ? <div className="shrink-0">{action}</div> : null}
      </div>
    </div>
  );
}

/** What went wrong in plain words, with the request id that an administrator can look up. */
export function ErrorNotice({
  error,
  title,
  action,
}: {
  error: unknown;
  title?: string;
  action?: ReactNode;
}) {
  if (!error) return null;
  const message = error instanceof Error ? error.message : String(error);
  const requestId = error instanceof ApiError ? error.requestId : null;
  return (
    <Notice tone="bad" {...(title ? { title } : {})} action={action}>
      <p>{message}</p>
      {requestId ? (
        <p className="mt-0.5 text-sm text-muted">
          Request <code className="select-all">{requestId}</code>
        </p>
      ) : null}
    </Notice>
  );
}
