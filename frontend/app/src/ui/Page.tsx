/** The frame of a page's content: its title row, its sections, its cards. */
import type { ReactNode } from "react";
import { cx } from "~/lib/class";

interface PageProps {
  title: ReactNode;
  tab?: string;
  actions?: ReactNode;
  children: ReactNode;
  width?: "narrow" | "normal" | "full";
}

/** Narrow pages begin where the others do, so that nothing jumps from place to place. */
const WIDTHS = { narrow: "max-w-300 *:max-w-180", normal: "max-w-300", full: "max-w-none" };

export function Page({ title, tab, actions, children, width = "normal" }: PageProps) {
  const name = tab ?? (typeof title === "string" ? title : null);
  return (
    <div
      className={cx(
        "mx-auto grid w-full min-w-0 content-start gap-6 px-4 py-5 md:px-8 md:py-7",
        WIDTHS[width],
      )}
    >
      {name ? <title>{`${name} · Cairn`}</title> : null}
      <header className="flex min-h-8 min-w-0 flex-wrap items-center justify-between gap-x-4 gap-y-3">
        {typeof title === "string" ? (
          <h1 className="min-w-0 text-xl font-semibold break-words">{title}</h1>
        ) : (
          title
        )}
        {actions ? <div className="flex flex-wrap gap-2">{actions}</div> : null}
      </header>
      {children}
    </div>
  );
}

export function Section({
  title,
  actions,
  children,
  about,
}: {
  title: string;
  actions?: ReactNode;
  about?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="grid min-w-0 content-start gap-3">
      <div className="flex min-h-7 flex-wrap items-center justify-between gap-2">
        <div>
          <h2 className="font-semibold">{title}</h2>
          {about ? <p className="text-sm text-muted">{about}</p> : null}
        </div>
        {actions}
      </div>
      {children}
    </section>
  );
}

export function Card({ children, className }: { children: ReactNode; className?: string }) {
  return <div className={cx("min-w-0 rounded-lg border border-line bg-surface", className)}>{children}</div>;
}

/** Name and value pairs, in as many columns as there is room for. */
export function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[repeat(auto-fill,minmax(116px,1fr))] gap-x-5 gap-y-3.5">
      {facts.map(([name, value]) => (
        <div key={name} className="min-w-0">
          <dt className="text-sm text-muted">{name}</dt>
          <dd className="truncate">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Meter({
  label,
  used,
  total,
  text,
  warn,
}: {
  label: string;
  used: number;
  total: number;
  text: string;
  /** It needs attention: the text says why. */
  warn?: boolean;
}) {
  const share = total > 0 ? Math.min(1, Math.max(0, used / total)) : 0;
  return (
    <div className="grid gap-1">
      <div className="flex justify-between gap-2 text-sm">
        <span className="text-muted">{label}</span>
        <span>{text}</span>
      </div>
      <div
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        aria-valuetext={text}
        className="h-1.5 overflow-hidden rounded-full bg-hover"
      >
        <div
          className={cx("h-full rounded-full", warn ? "bg-warn" : "bg-accent")}
          style={{ width: `${share * 100}%` }}
        />
      </div>
    </div>
  );
}
