/** The versions of a dataset, newest first; what was taken back stays to be seen. */
import type { Dataset, Version } from "@cairn/api/types";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { cx } from "~/lib/class";
import { aliasesOf, damageOf, ORIGIN } from "~/lib/dataset";
import { bytes, plural } from "~/lib/format";
import { paths } from "~/paths";
import { versionsQuery } from "~/queries/datasets";
import { Button } from "~/ui/Button";
import { Chip } from "~/ui/Chip";
import { ErrorNotice } from "~/ui/Notice";
import { Card } from "~/ui/Page";
import { Loading } from "~/ui/Skeleton";
import { Ago } from "~/ui/Time";

function Row({ dataset, version, isCurrent }: { dataset: Dataset; version: Version; isCurrent: boolean }) {
  const isBack = version.retracted_ms !== null;
  const damage = damageOf(version);
  return (
    <li>
      <Link
        to={paths.dataset(dataset.project, dataset.name, version.number)}
        preventScrollReset
        aria-current={isCurrent ? "page" : undefined}
        className={cx(
          "grid gap-0.5 border-l-2 px-3 py-2 -outline-offset-2",
          isCurrent ? "border-accent bg-accent-soft" : "border-transparent hover:bg-hover",
        )}
      >
        <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className={cx("font-medium", isBack && "font-normal text-muted line-through")}>
            Version {version.number}
          </span>
          {version.number === dataset.latest?.number ? <Chip>latest</Chip> : null}
          {aliasesOf(dataset, version.number).map(alias => (
            <Chip key={alias} strong>
              {alias}
            </Chip>
          ))}
          {isBack ? <Chip icon="out">taken back</Chip> : null}
          {damage ? (
            <Chip icon="alert" title={damage}>
              damaged
            </Chip>
          ) : null}
        </span>
        {version.message ? (
          <span className={cx("truncate text-sm", isBack && "text-muted line-through")}>
            {version.message}
          </span>
        ) : null}
        <span className="text-sm text-muted">
          {plural(version.files, "file")}, {bytes(version.bytes)} · {ORIGIN[version.origin]}
        </span>
        <span className="text-sm text-muted">
          {version.user}, <Ago ms={version.created_ms} />
        </span>
      </Link>
    </li>
  );
}

export function VersionList({ dataset, current }: { dataset: Dataset; current: number | null }) {
  const versions = useInfiniteQuery(versionsQuery(dataset.project, dataset.name));
  if (versions.error) return <ErrorNotice error={versions.error} title="The versions could not be listed" />;
  if (!versions.data) return <Loading />;
  const items = versions.data.pages.flatMap(page => page.items);
  return (
    <nav aria-label="Versions">
      <Card className="overflow-hidden">
        <ol className="max-h-60 divide-y divide-line overflow-y-auto lg:max-h-[70dvh]">
          {items.map(version => (
            <Row
              key={version.id}
              dataset={dataset}
              version={version}
              isCurrent={version.number === current}
            />
          ))}
        </ol>
        {versions.hasNextPage ? (
          <footer className="border-t border-line px-3 py-2">
            <Button
              size="sm"
              busy={versions.isFetchingNextPage}
              onClick={() => void versions.fetchNextPage()}
            >
              Show older
            </Button>
          </footer>
        ) : null}
      </Card>
    </nav>
  );
}
