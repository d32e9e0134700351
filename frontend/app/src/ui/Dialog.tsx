/** A modal dialog on the browser's own element: it traps focus, closes on Escape and gives focus back. */
import { type ReactNode, useId } from "react";
import { cx } from "~/lib/class";
import { IconButton } from "./Button";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
  wide?: boolean;
  /** Nothing closes it meanwhile. */
  held?: boolean | undefined;
}

/** Opens modally and puts the focus where one begins: in the first field, where there is one. */
const show = (element: HTMLDialogElement | null) => {
  if (!element || element.open) return;
  element.showModal();
  element.querySelector<HTMLElement>("input:not([type=hidden]), textarea, select")?.focus();
};

export function Dialog({ title, onClose, children, footer, wide, held }: DialogProps) {
  const id = useId();
  return (
    <dialog
      ref={show}
      aria-labelledby={id}
      closedby={held ? "none" : "closerequest"}
      onCancel={event => {
        if (event.target !== event.currentTarget) return;
        event.preventDefault();
        if (!held) onClose();
      }}
      className={cx(
        "rise m-auto w-[calc(100vw-24px)] rounded-lg border border-line bg-surface p-0 text-text shadow-[0_16px_48px_var(--shadow)]",
        wide ? "max-w-180" : "max-w-120",
      )}
    >
      <header className="flex items-center justify-between gap-3 border-b border-line py-2.5 pr-2.5 pl-5">
        <h2 id={id} className="text-lg font-semibold">
          {title}
        </h2>
        <IconButton label="Close" icon="close" size="sm" disabled={held} onClick={onClose} />
      </header>
      <div className="max-h-[calc(100dvh-160px)] overflow-y-auto px-5 py-4">{children}</div>
      {footer ? (
        <footer className="flex flex-wrap justify-end gap-2 border-t border-line bg-bg px-5 py-3">
          {footer}
        </footer>
      ) : null}
    </dialog>
  );
}
