/** A lineage as an indented list, where there is no room for a picture. */
import type { Lineage } from "@cairn/api/types";
import { Link } from "react-router";
import { cx } from "~/lib/class";
import { nodeName, nodePath, outline, relation, type Twig } from "./graph";
import { MOST } from "./layout";
import { NodeText } from "./NodeText";

/** Further in than this no list moves: the words would have no room. */
const DEEPEST = 5;

interface TwigsProps {
  twigs: Twig[];
  way: "from" | "to";
  project: string;
  level: number;
}

function Twigs({ twigs, way, project, level }: TwigsProps) {
  if (twigs.length === 0) return null;
  const [shown, rest] = [twigs.slice(0, MOST), twigs.slice(MOST)];
  return (
    <>
      <ul
        className={cx(
          "grid grid-cols-[minmax(0,1fr)] gap-2",
          level > 0 && level <= DEEPEST && "ml-1 border-l border-line pl-2.5",
        )}
      >
        {shown.map(twig => (
          <Branch key={twig.node.id} twig={twig} way={way} project={project} level={level} />
        ))}
      </ul>
      {rest.length > 0 ? (
        <details className="grid gap-2">
          <summary className="rounded px-3 py-1 text-sm text-muted">{rest.length} more</summary>
          <Twigs twigs={rest} way={way} project={project} level={level} />
        </details>
      ) : null}
    </>
  );
}

function Branch({ twig, way, project, level }: Omit<TwigsProps, "twigs"> & { twig: Twig }) {
  const path = nodePath(twig.node);
  const relations = [...new Set(twig.how.map(how => relation(how, way)))].join(", ");
  const card = "block rounded border border-line bg-surface px-3 py-2";
  const text = twig.isAgain ? (
    <>
      <span className="font-medium">{nodeName(twig.node, project)}</span>
      <span className="text-sm text-muted"> stands further up</span>
    </>
  ) : (
    <NodeText node={twig.node} within={project} />
  );
  return (
    <li className="grid grid-cols-[minmax(0,1fr)] gap-2">
      <div>
        <p className="text-sm text-muted">{relations}</p>
        {path === null ? (
          <div className={card}>{text}</div>
        ) : (
          <Link to={path} className={cx(card, "hover:bg-hover")}>
            {text}
          </Link>
        )}
      </div>
      <Twigs twigs={twig.twigs} way={way} project={project} level={level + 1} />
    </li>
  );
}

export function Outline({ lineage, project }: { lineage: Lineage; project: string }) {
  const { before, after } = outline(lineage);
  const parts = [
    { title: "What it came from", twigs: before, way: "from" as const, none: "Nothing that is known." },
    { title: "What came of it", twigs: after, way: "to" as const, none: "Nothing yet." },
  ];
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
      {parts.map(({ title, twigs, way, none }) => (
        <section key={way} aria-label={title} className="grid grid-cols-[minmax(0,1fr)] gap-2">
          <h2 className="font-semibold">{title}</h2>
          {twigs.length > 0 ? (
            <Twigs twigs={twigs} way={way} project={project} level={0} />
          ) : (
            <p className="text-muted">{none}</p>
          )}
        </section>
      ))}
    </div>
  );
}
