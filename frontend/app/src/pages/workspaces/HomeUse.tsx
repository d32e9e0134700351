/** What a workspace's home uses, and what it asks of its owner. */
import type { Home, HomeConflict } from "@cairn/api/types";
import { bytes, plural } from "~/lib/format";
import { Notice } from "~/ui/Notice";
import { Meter } from "~/ui/Page";
import { Ago } from "~/ui/Time";

function Came({ conflict }: { conflict: HomeConflict }) {
  return (
    <Notice tone="warn" title={`A copy of this home came back from ${conflict.machine_name}`}>
      <p>
        It is in the home as <code className="break-all">{conflict.name}</code>, since{" "}
        <Ago ms={conflict.created_ms} />: what was changed there while {conflict.machine_name} could not be
        reached. Take from it what you need, then delete the folder.
      </p>
    </Notice>
  );
}

/** What the home asks of its owner: to look at a copy that came back, to make room. */
export function HomeNotices({ home }: { home: Home }) {
  return (
    <>
      {home.conflicts.map(conflict => (
        <Came key={conflict.name} conflict={conflict} />
      ))}
      {home.warning ? (
        <Notice
          tone={isFull(home) ? "bad" : "warn"}
          title={isFull(home) ? "The home is full" : "The home is nearly full"}
        >
          <p>{home.warning}</p>
        </Notice>
      ) : null}
    </>
  );
}

const isFull = (home: Home): boolean => home.quota_bytes !== null && (home.bytes ?? 0) >= home.quota_bytes;

export function HomeUse({ home }: { home: Home }) {
  if (home.bytes === null) return null;
  const files = home.files === null ? "" : `, ${plural(home.files, "file")}`;
  return (
    <div className="grid gap-1 border-t border-line pt-4">
      {home.quota_bytes === null ? (
        <p className="text-sm">
          <span className="text-muted">Home </span>
          {bytes(home.bytes)}
          {files}
        </p>
      ) : (
        <Meter
          label="Home"
          used={home.bytes}
          total={home.quota_bytes}
          warn={home.warning !== null}
          text={`${bytes(home.bytes)} of ${bytes(home.quota_bytes)}${files}`}
        />
      )}
      {home.snapshot_ms === null ? null : (
        <p className="text-sm text-muted">
          Last snapshot <Ago ms={home.snapshot_ms} />, from which it can start on any machine
        </p>
      )}
    </div>
  );
}
