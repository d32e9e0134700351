/** The aliases of a dataset: where they are, where they have been, and how they are moved. */
import * as api from "@cairn/api/operations";
import type { Dataset } from "@cairn/api/types";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { NameField } from "~/components/NameField";
import { aliasMovesQuery, datasetQuery } from "~/queries/datasets";
import { Button } from "~/ui/Button";
import { Chip } from "~/ui/Chip";
import { Dialog } from "~/ui/Dialog";
import { ErrorNotice } from "~/ui/Notice";
import { Loading } from "~/ui/Skeleton";
import { Ago } from "~/ui/Time";

function History({ dataset }: { dataset: Dataset }) {
  const moves = useInfiniteQuery(aliasMovesQuery(dataset.project, dataset.name));
  if (moves.error) return <ErrorNotice error={moves.error} title="The history could not be read" />;
  if (!moves.data) return <Loading />;
  const items = moves.data.pages.flatMap(page => page.items);
  if (items.length === 0) return <p className="text-muted">No alias was given yet.</p>;
  return (
    <>
      <ul className="divide-y divide-line rounded border border-line text-sm">
        {items.map(move => (
          <li
            key={`${move.name} ${move.moved_ms} ${move.number}`}
            className="flex items-center gap-2 px-3 py-1.5"
          >
            <span className="min-w-0 flex-1 truncate">
              <span className="font-medium">{move.name}</span>{" "}
              {move.number === null ? "was taken away" : `went to version ${move.number}`}
            </span>
            <span className="shrink-0 text-muted">
              {move.user}, <Ago ms={move.moved_ms} />
            </span>
          </li>
        ))}
      </ul>
      {moves.hasNextPage ? (
        <Button
          size="sm"
          className="justify-self-start"
          busy={moves.isFetchingNextPage}
          onClick={() => void moves.fetchNextPage()}
        >
          Show more
        </Button>
      ) : null}
    </>
  );
}

interface Props {
  dataset: Dataset;
  /** The version that a new alias is to name; null where one only looks. */
  number: number | null;
  onClose: () => void;
}

export function Aliases({ dataset, number, onClose }: Props) {
  const [name, setName] = useState("");
  const client = useQueryClient();
  const refresh = async () => {
    await client.invalidateQueries({ queryKey: datasetQuery(dataset.project, dataset.name).queryKey });
    await client.invalidateQueries({ queryKey: aliasMovesQuery(dataset.project, dataset.name).queryKey });
  };
  const now = dataset.aliases.find(alias => alias.name === name);
  const give = useMutation({
    mutationFn: () =>
      api.putAlias(dataset.project, dataset.name, name, { number: number ?? 0, from: now?.number ?? 0 }),
    onSuccess: async () => {
      setName("");
      await refresh();
    },
    onError: refresh,
  });
  const remove = useMutation({
    mutationFn: (alias: string) => api.deleteAlias(dataset.project, dataset.name, alias),
    onSuccess: refresh,
  });
  return (
    <Dialog title={`Aliases of ${dataset.name}`} onClose={onClose}>
      <div className="grid gap-5">
        {number === null ? null : (
          <form
            className="grid gap-2 sm:grid-cols-[1fr_auto] sm:items-end"
            onSubmit={event => {
              event.preventDefault();
              give.mutate();
            }}
          >
            <NameField
              label={`Alias for version ${number}`}
              hint={null}
              placeholder="prod"
              value={name}
              onChange={event => setName(event.target.value)}
            />
            <Button type="submit" look="primary" busy={give.isPending}>
              {now && now.number !== number ? "Move alias" : "Give alias"}
            </Button>
            <p className="text-sm text-muted sm:col-span-2">
              {now
                ? now.number === number
                  ? `${name} names this version already.`
                  : `${name} names version ${now.number} now; it moves to version ${number}. What uses it already keeps what it has.`
                : `A name that people move, as in ${dataset.name}:prod. "latest" is always the newest version.`}
            </p>
          </form>
        )}
        <ErrorNotice error={give.error ?? remove.error} />
        {dataset.aliases.length > 0 ? (
          <section className="grid gap-2">
            <h3 className="text-sm font-medium">Now</h3>
            <ul className="divide-y divide-line rounded border border-line">
              {dataset.aliases.map(alias => (
                <li key={alias.name} className="flex items-center gap-2 py-1 pr-1 pl-3">
                  <span className="flex min-w-0 flex-1 items-center gap-2">
                    <Chip strong>{alias.name}</Chip>
                    <span className="text-sm text-muted">version {alias.number}</span>
                  </span>
                  {number === null ? null : (
                    <Button
                      look="quiet"
                      size="sm"
                      aria-label={`Take away ${alias.name}`}
                      busy={remove.isPending && remove.variables === alias.name}
                      onClick={() => remove.mutate(alias.name)}
                    >
                      Take away
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          </section>
        ) : null}
        <section className="grid gap-2">
          <h3 className="text-sm font-medium">History</h3>
          <History dataset={dataset} />
        </section>
      </div>
    </Dialog>
  );
}
