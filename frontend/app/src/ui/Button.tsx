/** Buttons and links that look like buttons. They know how to look busy; what they do is the caller's. */
import type { ComponentProps, ReactNode } from "react";
import { Link, type LinkProps } from "react-router";
import { cx } from "~/lib/class";
import { Icon, type IconName } from "./Icon";

export type Look = "primary" | "plain" | "quiet" | "danger";
type Size = "sm" | "md";

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-on-accent border-transparent hover:bg-accent-strong",
  plain: "bg-surface text-text border-line-strong hover:bg-hover",
  quiet: "bg-transparent text-muted border-transparent hover:bg-hover hover:text-text",
  danger: "bg-surface text-bad border-line-strong hover:bg-bad-soft hover:border-bad",
};
const SIZES: Record<Size, string> = { sm: "h-7 px-2 text-sm gap-1.5", md: "h-8 px-3 text-base gap-2" };

function look(kind: Look, size: Size, square: boolean): string {
  return cx(
    "inline-flex items-center justify-center rounded border font-medium whitespace-nowrap select-none transition-colors",
    "disabled:opacity-55 aria-disabled:opacity-55",
    LOOKS[kind],
    SIZES[size],
    square && (size === "sm" ? "w-7 px-0" : "w-8 px-0"),
  );
}

interface Common {
  look?: Look;
  size?: Size;
  icon?: IconName;
  children?: ReactNode;
}

export interface ButtonProps extends Common, Omit<ComponentProps<"button">, "children"> {
  busy?: boolean;
}

export function Button({
  look: kind = "plain",
  size = "md",
  icon,
  busy,
  children,
  className,
  disabled,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={cx(look(kind, size, !children), className)}
    >
      {busy ? <Icon name="ring" turning /> : icon ? <Icon name={icon} /> : null}
      {children}
    </button>
  );
}

/** A button of one icon: `label` is what it is called, also in its tooltip. */
export function IconButton({
  label,
  icon,
  ...rest
}: Omit<ButtonProps, "children"> & { label: string; icon: IconName }) {
  return <Button look="quiet" icon={icon} aria-label={label} title={label} {...rest} />;
}

export function ButtonLink({
  look: kind = "plain",
  size = "md",
  icon,
  children,
  className,
  ...rest
}: Common & LinkProps) {
  return (
    <Link {...rest} className={cx(look(kind, size, !children), className)}>
      {icon ? <Icon name={icon} /> : null}
      {children}
    </Link>
  );
}

export function ButtonAnchor({
  look: kind = "plain",
  size = "md",
  icon,
  children,
  className,
  ...rest
}: Common & ComponentProps<"a">) {
  return (
    <a {...rest} className={cx(look(kind, size, !children), className)}>
      {icon ? <Icon name={icon} /> : null}
      {children}
    </a>
  );
}
