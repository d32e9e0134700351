/** A button with a menu of actions: arrows, Home, End and letters move, Escape closes and gives focus back. */
import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from "react";
import { cx } from "~/lib/class";
import { Button, type ButtonProps } from "./Button";
import { Icon, type IconName } from "./Icon";

export interface MenuItem {
  label: string;
  /** A word beside the label. */
  note?: string;
  /** Stands at the other end of the label's line. */
  aside?: ReactNode;
  /** A line below. */
  hint?: ReactNode;
  icon?: IconName;
  checked?: boolean;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}

interface MenuProps {
  label: string;
  items: MenuItem[];
  children?: ReactNode;
  button?: ButtonProps;
  side?: "left" | "right";
  above?: boolean;
  title?: string;
}

function step(event: KeyboardEvent<HTMLElement>, list: HTMLElement | null): void {
  const items = [...(list?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  const next = to[event.key];
  if (next === undefined) return;
  event.preventDefault();
  items[(next + items.length) % items.length]?.focus();
}

const GAP = 8;

/** Keeps an open menu inside the window: moves it sideways, and above its button where there is more room. */
function fit(element: HTMLElement, above: boolean): void {
  const box = element.getBoundingClientRect();
  const right = Math.min(0, window.innerWidth - GAP - box.right);
  const left = Math.max(0, GAP - box.left);
  if (right < 0 || left > 0)
    element.style.translate = `${right < 0 ? Math.max(right, GAP - box.left) : left}px`;
  const button = element.parentElement?.getBoundingClientRect();
  if (!above && button && box.bottom > window.innerHeight - GAP && button.top > box.height) {
    element.style.top = "auto";
    element.style.bottom = "calc(100% + 4px)";
  }
}

export function Menu({ label, items, children, button, side = "right", above, title }: MenuProps) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const trigger = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = () => {
    setOpen(false);
    trigger.current?.focus();
  };
  return (
    <div
      className="relative"
      onBlur={event => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen(false);
      }}
      onKeyDown={event => {
        if (!open) return;
        if (event.key === "Escape") {
          event.preventDefault();
          event.stopPropagation();
          close();
        } else step(event, list.current);
      }}
    >
      <Button
        {...button}
        ref={trigger}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={children ? undefined : label}
        title={children ? undefined : label}
        onClick={() => setOpen(!open)}
        onKeyDown={event => {
          if (event.key !== "ArrowDown" || open) return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        {children}
      </Button>
      {open ? (
        <div
          id={id}
          ref={element => {
            list.current = element;
            if (element && !element.contains(document.activeElement)) {
              fit(element, above ?? false);
              const first =
                element.querySelector<HTMLElement>("[aria-checked=true]:not([aria-disabled])") ??
                element.querySelector<HTMLElement>("[role^=menuitem]:not([aria-disabled])") ??
                element.querySelector<HTMLElement>("[role^=menuitem]");
              first?.focus({ preventScroll: true });
            }
          }}
          role="menu"
          aria-label={label}
          className={cx(
            "rise absolute z-30 grid max-h-90 w-max max-w-[min(22rem,calc(100vw-16px))] min-w-52 overflow-y-auto rounded-lg border border-line bg-surface p-1 shadow-[0_8px_28px_var(--shadow)]",
            side === "right" ? "right-0" : "left-0",
            above ? "bottom-full mb-1" : "top-full mt-1",
          )}
        >
          {title ? <p className="px-2 pt-1.5 pb-1 text-xs font-medium text-faint">{title}</p> : null}
          {items.map(item => (
            <button
              key={item.label}
              type="button"
              {...(item.checked === undefined
                ? { role: "menuitem" }
                : { role: "menuitemradio", "aria-checked": item.checked })}
              tabIndex={-1}
              aria-disabled={item.disabled || undefined}
              onClick={() => {
                if (item.disabled) return;
                close();
                item.onSelect();
              }}
              className={cx(
                "flex items-center gap-2 rounded px-2 py-1.5 text-left -outline-offset-2",
                item.disabled ? "cursor-not-allowed text-faint" : "hover:bg-hover",
                item.danger && "text-bad",
              )}
            >
              {item.icon ? <Icon name={item.icon} /> : null}
              <span className="min-w-0 flex-1">
                <span className="flex items-center gap-2">
                  <span className="min-w-0 flex-1 truncate">
                    {item.label}
                    {item.note ? <span className="ml-2 text-sm text-muted">{item.note}</span> : null}
                  </span>
                  {item.aside}
                </span>
                {item.hint ? <span className="block text-sm text-muted">{item.hint}</span> : null}
              </span>
              {item.checked ? <Icon name="check" className="text-accent" /> : null}
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}
