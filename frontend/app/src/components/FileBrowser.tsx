/** The files of a tree: folders, one file with its preview, where one is standing in the address. */
import type { File } from "@cairn/api/types";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { Link, useSearchParams } from "react-router";
import { Preview } from "~/files/Preview";
import type { FileTree } from "~/files/tree";
import { cx } from "~/lib/class";
import { bytes } from "~/lib/format";
import { filesQuery } from "~/queries/files";
import { Button, ButtonAnchor } from "~/ui/Button";
import { CopyButton } from "~/ui/Copy";
import { Icon } from "~/ui/Icon";
import { ErrorNotice, Notice } from "~/ui/Notice";
import { Card } from "~/ui/Page";
import { Loading } from "~/ui/Skeleton";

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const parentOf = (path: string): string => (path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "");

const NAMES = new Intl.Collator();

interface Props {
  tree: FileTree;
  empty: React.ReactNode;
  first?: (files: File[]) => File | undefined;
}

function Crumbs({ folder, to }: { folder: string; to: (folder: string) => string }) {
  const parts = folder ? folder.split("/") : [];
  return (
    <nav
      aria-label="Folder"
      className="flex flex-wrap items-center gap-1 border-b border-line px-3 py-2 text-sm"
    >
      <Link to={to("")} preventScrollReset className="rounded hover:underline">
        top
      </Link>
      {parts.map((part, index) => (
        <span key={parts.slice(0, index + 1).join("/")} className="flex items-center gap-1">
          <Icon name="chevron" className="size-3 text-faint" />
          <Link
            to={to(parts.slice(0, index + 1).join("/"))}
            preventScrollReset
            className="rounded hover:underline"
          >
            {part}
          </Link>
        </span>
      ))}
    </nav>
  );
}

function FileRow({ file, to, isCurrent }: { file: File; to: string; isCurrent: boolean }) {
  const isFolder = file.kind === "directory";
  return (
    <li>
      <Link
        to={to}
        preventScrollReset
        aria-current={isCurrent || undefined}
        className={cx(
          "flex items-center gap-2 px-3 py-1.5 -outline-offset-2",
          isCurrent ? "bg-accent-soft" : "hover:bg-hover",
        )}
      >
        <Icon name={isFolder ? "folder" : file.kind === "symlink" ? "link" : "file"} className="text-muted" />
        <span className="min-w-0 flex-1 truncate">{baseName(file.path)}</span>
        {isFolder ? null : <span className="shrink-0 text-sm text-muted">{bytes(file.bytes)}</span>}
      </Link>
    </li>
  );
}

function FilePane({ tree, file }: { tree: FileTree; file: File }) {
  const [reference, page] = [tree.reference(file.path), tree.page(file.path)];
  return (
    <Card className="overflow-hidden">
      <header className="flex flex-wrap items-center gap-2 border-b border-line px-3 py-1.5">
        <h2 className="min-w-0 flex-1 truncate font-medium" title={file.path}>
          {baseName(file.path)}
        </h2>
        <span className="text-sm text-muted">{bytes(file.bytes)}</span>
        {reference ? <CopyButton text={reference} label="Copy the reference" /> : null}
        {page ? (
          <ButtonAnchor size="sm" icon="external" href={page} target="_blank" rel="noopener">
            Open as page
          </ButtonAnchor>
        ) : null}
        <ButtonAnchor
          size="sm"
          icon="download"
          href={tree.content(file.path, true)}
          download={baseName(file.path)}
        >
          Download
        </ButtonAnchor>
      </header>
      <Preview key={file.path} url={tree.content(file.path)} file={file} />
    </Card>
  );
}

/** Folders first, by name. */
const sorted = (files: File[]): File[] =>
  files.sort(
    (a, b) =>
      Number(b.kind === "directory") - Number(a.kind === "directory") ||
      NAMES.compare(baseName(a.path), baseName(b.path)),
  );

/** Where no file is shown: why. */
function NoFile({ path, isSought, error }: { path: string; isSought: boolean; error: unknown }) {
  if (error) return <ErrorNotice error={error} title="The other files could not be listed" />;
  if (isSought) return <Loading label={`Looking for ${baseName(path)}`} />;
  if (path === "") return <p className="p-4 text-muted">Choose a file to look at it.</p>;
  return (
    <Notice title="There is no such file">
      <p className="wrap-anywhere">
        Nothing here is called <code>{path}</code>. Choose another one.
      </p>
    </Notice>
  );
}

export function FileBrowser({ tree, empty, first }: Props) {
  const [search] = useSearchParams();
  const path = search.get("path") ?? "";
  const folder = search.get("folder") ?? parentOf(path);
  const files = useInfiniteQuery(filesQuery(tree, folder));
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = files;
  const items = useMemo(() => sorted(data?.pages.flatMap(page => page.items) ?? []), [data]);
  const isMissing = path !== "" && data !== undefined && !items.some(file => file.path === path);
  // The file that the address names may stand beyond what was listed so far.
  const isSought = isMissing && hasNextPage && !error;
  const pagesSought = isSought ? data.pages.length : 0;
  useEffect(() => {
    if (pagesSought > 0) void fetchNextPage({ cancelRefetch: false });
  }, [pagesSought, fetchNextPage]);
  if (error && !data) return <ErrorNotice error={error} title="The files could not be listed" />;
  if (!data) return <Loading />;
  if (items.length === 0 && folder === "") return empty;
  const to = (next: Record<string, string>) => `?${new URLSearchParams(next)}`;
  const current = items.find(file => file.path === path) ?? (path ? undefined : first?.(items));
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(240px,320px)_minmax(0,1fr)]">
      <Card className="overflow-hidden">
        <Crumbs folder={folder} to={next => to({ folder: next })} />
        <ul className="max-h-[60dvh] overflow-y-auto py-1">
          {items.map(file => (
            <FileRow
              key={file.path}
              file={file}
              isCurrent={file.path === current?.path}
              to={file.kind === "directory" ? to({ folder: file.path }) : to({ folder, path: file.path })}
            />
          ))}
          {items.length === 0 ? <li className="px-3 py-1.5 text-muted">This folder is empty.</li> : null}
        </ul>
        {hasNextPage ? (
          <footer className="flex items-center gap-3 border-t border-line px-3 py-2 text-sm text-muted">
            {`The first ${items.length.toLocaleString()}`}
            <Button size="sm" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
              Show more
            </Button>
          </footer>
        ) : null}
        {current && error ? (
          <div className="border-t border-line p-3">
            <ErrorNotice error={error} title="The other files could not be listed" />
          </div>
        ) : null}
      </Card>
      {current ? (
        <FilePane tree={tree} file={current} />
      ) : (
        <NoFile path={path} isSought={isSought} error={error} />
      )}
    </div>
  );
}
