/** A part of the panel under a heading, with something small at its right. */
import { type ReactNode, useId } from "react";

export function Section({
  title,
  aside,
  name = "plain",
  children,
}: {
  title: string;
  name?: string;
  aside?: ReactNode;
  children: ReactNode;
}) {
  const id = useId();
  return (
    <section className={`cairn-Section cairn-Section-${name}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}
