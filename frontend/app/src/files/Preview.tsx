/** A file to look at, in the way that suits it. */
import { toApiError } from "@cairn/api/errors";
import type { File } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { bytes } from "~/lib/format";
import { ErrorNotice } from "~/ui/Notice";
import { Loading } from "~/ui/Skeleton";
import { Code } from "./Code";
import { JsonView } from "./JsonView";
import { extension, looksBinary, type Shape, shapeOf } from "./preview";
import { TableView } from "./TableView";

const NotebookView = lazy(() => import("./NotebookView").then(module => ({ default: module.NotebookView })));
const Markdown = lazy(() => import("./Markdown").then(module => ({ default: module.Markdown })));

interface Props {
  /** Where its bytes are served from. */
  url: string;
  file: File;
}

function useText(url: string, hash: string | null, enabled: boolean) {
  return useQuery({
    queryKey: ["content", url, hash],
    enabled,
    gcTime: 60_000,
    queryFn: async ({ signal }) => {
      const response = await fetch(url, { signal });
      if (!response.ok) throw toApiError(response, await response.json().catch(() => null));
      return response.text();
    },
  });
}

function Shown({ shape, text, path }: { shape: Shape; text: string; path: string }) {
  if (looksBinary(text)) return <Nothing>This file is not text. Download it to use it.</Nothing>;
  if (text === "") return <Nothing>The file is empty.</Nothing>;
  switch (shape) {
    case "notebook":
      return <NotebookView text={text} />;
    case "json":
      return <JsonView text={text} />;
    case "table":
      return <TableView text={text} separator={extension(path) === "tsv" ? "\t" : ","} />;
    case "markdown":
      return (
        <div className="p-4">
          <Markdown text={text} />
        </div>
      );
    default:
      return <Code text={text} colored={extension(path) === "py"} />;
  }
}

function Nothing({ children }: { children: React.ReactNode }) {
  return <p className="px-4 py-10 text-center text-muted">{children}</p>;
}

export function Preview({ url, file }: Props) {
  const shape = file.kind === "file" ? shapeOf(file.path, file.bytes) : "none";
  const text = useText(url, file.hash, shape !== "none" && shape !== "image");
  if (shape === "image")
    return <img src={url} alt={file.path} className="mx-auto max-h-[70dvh] max-w-full object-contain p-3" />;
  if (shape === "none")
    return <Nothing>{bytes(file.bytes)}. No preview for this kind of file; download it to use it.</Nothing>;
  if (text.error) {
    return (
      <div className="p-3">
        <ErrorNotice error={text.error} title="The file could not be read" />
      </div>
    );
  }
  if (text.data === undefined) return <Loading />;
  return (
    <Suspense fallback={<Loading />}>
      <Shown shape={shape} text={text.data} path={file.path} />
    </Suspense>
  );
}
