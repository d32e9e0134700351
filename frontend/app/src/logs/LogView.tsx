/** A log on the page: follows its end until one scrolls away, searches, links to lines, and draws only what is in sight. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Button } from "~/ui/Button";
import { LogRow } from "./LogRow";
import { LogSearch } from "./LogSearch";
import type { LogStore } from "./store";

const ROW = 18;
const AT_END_PX = 24;

interface Props {
  store: LogStore;
  version: number;
  linked: number | null;
  onLink: (line: number | null) => void;
  needle: string;
  onNeedle: (needle: string) => void;
  actions?: React.ReactNode;
}

export function LogView({ store, version, linked, onLink, needle, onNeedle, actions }: Props) {
  const parent = useRef<HTMLDivElement>(null);
  const [follows, setFollows] = useState(linked === null);
  const [hit, setHit] = useState(0);
  const isProgrammatic = useRef(false);
  const arrived = useRef(false);
  const rows = useVirtualizer({
    count: store.length,
    getScrollElement: () => parent.current,
    estimateSize: () => ROW,
    overscan: 30,
    initialRect: { width: 1000, height: 900 },
  });

  const wanted = useDeferredValue(needle);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the store changes inside; its version says when
  const hits = useMemo(() => store.search(wanted), [store, wanted, version]);
  const at = hits.length > 0 ? Math.min(hit, hits.length - 1) : -1;
  const goTo = (next: number) => {
    const index = hits[(next + hits.length) % hits.length];
    if (index === undefined) return;
    setFollows(false);
    setHit((next + hits.length) % hits.length);
    rows.scrollToIndex(index, { align: "center" });
  };

  const count = store.length;
  // Scrolling is a place on the page, not data: after the lines are laid out it goes to the end, or once to the linked line.
  useLayoutEffect(() => {
    if (linked !== null && !arrived.current && count >= linked) {
      arrived.current = true;
      rows.scrollToIndex(linked - 1, { align: "center" });
    } else if (follows && parent.current) {
      isProgrammatic.current = true;
      parent.current.scrollTop = parent.current.scrollHeight;
    }
  }, [count, follows, linked, rows]);

  const onScroll = () => {
    const element = parent.current;
    if (!element) return;
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < AT_END_PX;
    if (isProgrammatic.current) isProgrammatic.current = false;
    else if (isAtEnd !== follows && (isAtEnd || !store.ended)) setFollows(isAtEnd);
  };

  return (
    <div className="flex min-h-0 flex-1 flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <LogSearch
          needle={needle}
          onNeedle={onNeedle}
          at={at}
          count={hits.length}
          onStep={step => goTo(at + step)}
        />
        <span className="mr-auto text-sm text-muted" role="status">
          {store.length.toLocaleString("en-US")} lines{store.ended ? "" : follows ? ", following" : ""}
        </span>
        {!follows && !store.ended ? (
          <Button
            size="sm"
            icon="down"
            onClick={() => {
              onLink(null);
              setFollows(true);
            }}
          >
            Follow
          </Button>
        ) : null}
        {actions}
      </div>
      <div
        ref={parent}
        onScroll={onScroll}
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        className="min-h-60 flex-1 overflow-auto overscroll-contain rounded-lg border border-line bg-surface py-2 font-mono text-[12px] leading-[18px]"
      >
        <div className="relative w-max min-w-full" style={{ height: rows.getTotalSize() }}>
          <div
            className="absolute top-0 left-0 w-max min-w-full"
            style={{ transform: `translateY(${rows.getVirtualItems()[0]?.start ?? 0}px)` }}
          >
            {rows.getVirtualItems().map(row => {
              const line = store.line(row.index);
              return line ? (
                <LogRow
                  key={row.index}
                  line={line}
                  needle={wanted}
                  isLinked={linked === row.index + 1}
                  isHit={hits[at] === row.index}
                  onLink={number => {
                    arrived.current = true;
                    onLink(linked === number ? null : number);
                  }}
                />
              ) : null;
            })}
          </div>
        </div>
      </div>
    </div>
  );
}
