/** The frame of pages outside the app's shell: the mark, one card, nothing else. */
import type { ReactNode } from "react";
import { cx } from "~/lib/class";
import { Mark } from "~/ui/Icon";

interface PlainProps {
  title: string;
  children: ReactNode;
  about?: ReactNode;
  wide?: boolean;
}

export function Plain({ title, children, about, wide }: PlainProps) {
  return (
    <main className="grid min-h-dvh content-center justify-items-center gap-6 px-4 py-10">
      <title>{`${title} · Cairn`}</title>
      <div className="flex items-center gap-2.5 text-xl font-semibold tracking-tight">
        <Mark className="size-8" />
        cairn
      </div>
      <div
        className={cx(
          "grid w-full grid-cols-[minmax(0,1fr)] gap-5 rounded-lg border border-line bg-surface p-6",
          wide ? "max-w-130" : "max-w-95",
        )}
      >
        <header className="grid gap-1">
          <h1 className="text-lg font-semibold">{title}</h1>
          {about ? <div className="text-muted">{about}</div> : null}
        </header>
        {children}
      </div>
    </main>
  );
}
