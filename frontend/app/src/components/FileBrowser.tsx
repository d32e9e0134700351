/** The files of a tree: folders, one file with its preview, where one is standing in the address. */
import type { File } from "@cairn/api/types";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { Preview } from "~/files/Preview";
import type { FileTree } from "~/files/tree";
import { cx } from "~/lib/class";
import { bytes } from "~/lib/format";
import { filesQuery } from "~/queries/files";
import { Button, ButtonAnchor } from "~/ui/Button";
import { CopyButton } from "~/ui/Copy";
import { Icon } from "~/ui/Icon";
import { ErrorNotice } from "~/ui/Notice";
import { Card } from "~/ui/Page";
import { Loading } from "~/ui/Skeleton";

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const parentOf = (path: string): string => (path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "");

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

export function FileBrowser({ tree, empty, first }: Props) {
  const [search] = useSearchParams();
  const path = search.get("path") ?? "";
  const folder = search.get("folder") ?? parentOf(path);
  const files = useInfiniteQuery(filesQuery(tree, folder));
  if (files.error) return <ErrorNotice error={files.error} title="The files could not be listed" />;
  if (!files.data) return <Loading />;
  const items = files.data.pages
    .flatMap(page => page.items)
    .sort(
      (a, b) =>
        Number(b.kind === "directory") - Number(a.kind === "directory") ||
        baseName(a.path).localeCompare(baseName(b.path)),
    );
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
        {files.hasNextPage ? (
          <footer className="flex items-center gap-3 border-t border-line px-3 py-2 text-sm text-muted">
            {`The first ${items.length.toLocaleString()}`}
            <Button size="sm" busy={files.isFetchingNextPage} onClick={() => void files.fetchNextPage()}>
              Show more
            </Button>
          </footer>
        ) : null}
      </Card>
      {current ? (
        <FilePane tree={tree} file={current} />
      ) : (
        <p className="p-4 text-muted">Choose a file to look at it.</p>
      )}
    </div>
  );
}
