/** Makes a version of files from this machine: choose or drop, say what is new, watch it go. */
import * as api from "@cairn/api/operations";
import type { Dataset, Version } from "@cairn/api/types";
import { useEffect, useId, useRef, useState } from "react";
import { useBlocker } from "react-router";
import { useDraft } from "~/hooks/useDraft";
import { bytes, duration, plural } from "~/lib/format";
import { toLabels } from "~/lib/host";
import { paths } from "~/paths";
import { Button, IconButton } from "~/ui/Button";
import { Confirm } from "~/ui/Confirm";
import { TextArea, TextField } from "~/ui/Field";
import { Icon } from "~/ui/Icon";
import { ErrorNotice, Notice } from "~/ui/Notice";
import { Card, Meter } from "~/ui/Page";
import { makeHasher } from "~/upload/hasher";
import { ofChooser } from "~/upload/pick";
import { type Picked, type Plan, plan } from "~/upload/plan";
import { Rate } from "~/upload/rate";
import { makeTransport } from "~/upload/transport";
import { type Progress, Upload } from "~/upload/upload";

const SHOWN = 8;
const EVERY_MS = 150;

interface State {
  progress: Progress | null;
  rate: number | null;
  isRunning: boolean;
  error: unknown;
}
const IDLE: State = { progress: null, rate: null, isRunning: false, error: null };

/** One upload of a page: it is told of at most a few times a second, and ends with the page. */
function useUpload(project: string) {
  const [state, setState] = useState<State>(IDLE);
  const upload = useRef<Upload | null>(null);
  const rate = useRef(new Rate());
  const shown = useRef<{ ms: number; progress: Progress | null }>({ ms: 0, progress: null });
  const show = (progress: Progress) => {
    const now = performance.now();
    rate.current.add(now, progress.bytes);
    const { ms, progress: before } = shown.current;
    const isNews = progress.phase !== before?.phase || progress.isBroken !== before.isBroken;
    if (!isNews && now - ms < EVERY_MS) return;
    shown.current = { ms: now, progress };
    setState(current => ({ ...current, progress, rate: rate.current.perSecond }));
  };
  const cancel = () => {
    void upload.current?.cancel();
    upload.current = null;
    setState(IDLE);
  };
  useEffect(() => () => void upload.current?.cancel(), []);
  /** Sends the files, or goes on where it failed; `finish` gets the upload and the id under which it has everything. */
  const run = async (files: Picked[], finish: (mine: Upload, id: string) => Promise<void>) => {
    setState(current => ({ ...current, isRunning: true, error: null }));
    upload.current ??= new Upload(files, {
      transport: makeTransport(project),
      hasher: makeHasher(),
      onProgress: show,
    });
    const mine = upload.current;
    try {
      const id = await mine.run();
      if (mine.isCancelled) return;
      await finish(mine, id);
      if (upload.current !== mine) return;
      upload.current = null;
      setState(IDLE);
    } catch (error) {
      if (!mine.isCancelled) setState(current => ({ ...current, isRunning: false, error }));
    }
  };
  return { ...state, run, cancel, hasBegun: state.isRunning || state.error !== null };
}

/** React does not know it as an attribute. */
const FOLDERS = { webkitdirectory: "" } as object;

function Choosers({ onPick }: { onPick: (picked: Picked[]) => void }) {
  const folder = useRef<HTMLInputElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const pick = (event: React.ChangeEvent<HTMLInputElement>) => {
    onPick(ofChooser(event.target.files ?? []));
    event.target.value = "";
  };
  const input = { type: "file", multiple: true, hidden: true, onChange: pick } as const;
  return (
    <>
      <input {...input} ref={folder} {...FOLDERS} aria-label="A folder to upload" />
      <input {...input} ref={files} aria-label="Files to upload" />
      <Button icon="folder" onClick={() => folder.current?.click()}>
        Choose a folder
      </Button>
      <Button icon="file" onClick={() => files.current?.click()}>
        Choose files
      </Button>
    </>
  );
}

function Listed({ plan: { files, bytes: size, leftOut } }: { plan: Plan }) {
  return (
    <div className="grid gap-2">
      <div className="rounded border border-line bg-sunken px-3 py-2">
        <p className="font-medium">
          {plural(files.length, "file")}, {bytes(size)}
        </p>
        <ul className="mt-1 text-sm text-muted">
          {files.slice(0, SHOWN).map(({ path, file }) => (
            <li key={path} className="flex justify-between gap-4">
              <span className="min-w-0 truncate" title={path}>
                {path}
              </span>
              <span className="shrink-0">{bytes(file.size)}</span>
            </li>
          ))}
          {files.length > SHOWN ? <li>and {plural(files.length - SHOWN, "other")}</li> : null}
        </ul>
      </div>
      {leftOut.length > 0 ? (
        <Notice tone="warn" title={`${plural(leftOut.length, "file")} left out`}>
          <ul className="text-sm">
            {leftOut.slice(0, SHOWN).map(each => (
              <li key={`${each.why} ${each.path}`} className="wrap-anywhere">
                {each.path.slice(0, 200)}: {each.why}
              </li>
            ))}
            {leftOut.length > SHOWN ? <li>and {leftOut.length - SHOWN} more</li> : null}
          </ul>
        </Notice>
      ) : null}
    </div>
  );
}

const PHASES = {
  hashing: { now: "Reading, to find out what the project has already", done: "Read" },
  sending: { now: "Sending what the project does not have yet", done: "Sent" },
  sent: { now: "Making the version", done: "Sent" },
};

/** Told to a screen reader too, once for each change: it stands in the page before there is anything to tell. */
function Now({ progress }: { progress: Progress | null }) {
  return (
    <output className={progress ? "flex flex-wrap justify-between gap-x-4 gap-y-1" : "sr-only"}>
      {progress ? <span className="font-medium">{PHASES[progress.phase].now}</span> : null}
      {progress?.isBroken ? (
        <span className="flex items-center gap-1.5 text-sm text-warn">
          <Icon name="ring" turning /> The connection broke; trying again
        </span>
      ) : null}
    </output>
  );
}

function Going({ progress, rate }: { progress: Progress; rate: number | null }) {
  const { phase, files, allFiles, bytes: done, allBytes, isBroken, path } = progress;
  const left = rate && rate > 0 ? ((allBytes - done) / rate) * 1000 : null;
  return (
    <div className="grid gap-2">
      <Meter
        label={PHASES[phase].done}
        used={phase === "sent" ? 1 : done}
        total={phase === "sent" ? 1 : allBytes}
        text={
          phase === "sent"
            ? "everything"
            : `${files.toLocaleString("en-US")} of ${plural(allFiles, "file")}, ${bytes(done)} of ${bytes(allBytes)}`
        }
      />
      <p className="flex min-h-5 flex-wrap justify-between gap-x-4 text-sm text-muted">
        <span className="min-w-0 flex-1 basis-40 truncate">{phase === "sent" ? "" : path}</span>
        {rate !== null && phase !== "sent" && !isBroken ? (
          <span>
            {bytes(rate)}/s{left !== null && left > 2000 ? `, about ${duration(left)} left` : ""}
          </span>
        ) : null}
      </p>
    </div>
  );
}

interface Props {
  dataset: Dataset;
  /** What was dropped onto the page. */
  dropped: Picked[] | null;
  /** The number of the newest version; 0 before the first. */
  newest: number;
  /** A version was made, whoever still waits for it. */
  onMade: () => Promise<void>;
  onDone: (version: Version, isNew: boolean) => Promise<void>;
  /** Null where it cannot be put away. */
  onClose: (() => void) | null;
  onStage: (stage: Stage) => void;
}

/** Whether there is something to lose. */
export type Stage = "idle" | "chosen" | "running";

export function UploadPanel({ dataset, dropped, newest, onMade, onDone, onClose, onStage }: Props) {
  const { project, name } = dataset;
  const title = useId();
  const draft = useDraft(`version:${project}/${name}`, { message: "", aliases: "" });
  const [picked, setPicked] = useState<{ from: Picked[] | null; plan: Plan | null }>({
    from: null,
    plan: null,
  });
  const [isEmpty, setIsEmpty] = useState(false);
  const upload = useUpload(project);
  const { hasBegun, isRunning, progress } = upload;
  if (dropped && picked.from !== dropped && !hasBegun) setPicked({ from: dropped, plan: plan(dropped) });
  const isMaking = isRunning && progress?.phase === "sent";
  const stage = hasBegun ? "running" : picked.plan ? "chosen" : "idle";
  useEffect(() => onStage(stage), [onStage, stage]);
  // What had the focus is gone with the stage that it belonged to.
  const heading = useRef<HTMLHeadingElement>(null);
  const step = hasBegun && !isRunning ? "stopped" : stage;
  const stepBefore = useRef("idle");
  useEffect(() => {
    if (step !== stepBefore.current) heading.current?.focus();
    stepBefore.current = step;
  }, [step]);
  useEffect(() => {
    if (!hasBegun) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [hasBegun]);
  const home = paths.dataset(project, name);
  const isLeaving = ({ pathname }: { pathname: string }) =>
    pathname !== home && !pathname.startsWith(`${home}/`);
  const blocker = useBlocker(({ nextLocation }) => hasBegun && isLeaving(nextLocation));
  const going = picked.plan;
  const start = () => {
    if (!going) return;
    void upload.run(going.files, async (mine, id) => {
      const version = await api.createVersion(project, name, {
        upload_id: id,
        message: draft.value.message,
        aliases: toLabels(draft.value.aliases),
      });
      mine.complete();
      await onMade();
      // Whoever left meanwhile is not brought back.
      if (mine.isCancelled) return;
      draft.clear();
      await onDone(version, version.number > newest);
      setPicked({ from: dropped, plan: null });
    });
  };
  return (
    <Card>
      <section aria-labelledby={title} className="grid grid-cols-[minmax(0,1fr)] gap-4 p-4 *:max-w-200">
        <header className="flex min-h-7 max-w-none! items-center justify-between gap-3">
          <h2 id={title} ref={heading} tabIndex={-1} className="rounded font-semibold">
            {newest === 0 ? "Upload the first version" : "Upload a new version"}
          </h2>
          {onClose && !hasBegun ? (
            <IconButton label="Close" icon="close" size="sm" onClick={onClose} />
          ) : null}
        </header>
        {going ? (
          <Listed plan={going} />
        ) : (
          <div className="grid max-w-none! justify-items-center gap-3 rounded-lg border border-dashed border-line-strong px-4 py-7 text-center">
            <Icon name="upload" className="size-5 text-accent" />
            <p className="max-w-100">
              Drop a folder or files anywhere on this page.
              <span className="block text-sm text-muted">
                A version is everything that you choose, not only what is new; only what the project does not
                have yet is sent. A folder’s own name is no part of the paths.
              </span>
            </p>
            <div className="flex flex-wrap justify-center gap-2">
              <Choosers
                onPick={files => {
                  setIsEmpty(files.length === 0);
                  if (files.length > 0) setPicked({ from: dropped, plan: plan(files) });
                }}
              />
            </div>
            <output className={isEmpty ? "text-sm text-warn" : "sr-only"}>
              {isEmpty ? "Nothing to upload in it: that folder holds no files." : ""}
            </output>
          </div>
        )}
        <ErrorNotice error={upload.error} title="The upload stopped" />
        {going && !isRunning ? (
          <form
            className="grid gap-4"
            onSubmit={event => {
              event.preventDefault();
              start();
            }}
          >
            <TextArea
              label="What is new in it"
              optional
              rows={2}
              value={draft.value.message}
              onChange={event => draft.change({ message: event.target.value })}
            />
            <TextField
              label="Aliases that move to it"
              optional
              placeholder="prod"
              value={draft.value.aliases}
              onChange={event => draft.change({ aliases: event.target.value })}
            />
            <div className="flex flex-wrap gap-2">
              {hasBegun ? (
                <>
                  <Button type="submit" look="primary" icon="play">
                    Go on
                  </Button>
                  <Button icon="close" onClick={upload.cancel}>
                    Cancel the upload
                  </Button>
                </>
              ) : (
                <>
                  <Button type="submit" look="primary" icon="upload" disabled={going.files.length === 0}>
                    Upload {plural(going.files.length, "file")}
                  </Button>
                  <Button onClick={() => setPicked({ from: dropped, plan: null })}>Choose others</Button>
                </>
              )}
            </div>
          </form>
        ) : null}
        <Now progress={isRunning ? progress : null} />
        {isRunning && progress ? (
          <>
            <Going progress={progress} rate={upload.rate} />
            {isMaking ? null : (
              <div>
                <Button icon="close" onClick={upload.cancel}>
                  Cancel the upload
                </Button>
              </div>
            )}
          </>
        ) : null}
        {blocker.state === "blocked" ? (
          <Confirm
            title={isMaking ? "Leave while the version is made?" : "Leave and give up the upload?"}
            verb="Leave"
            danger
            run={async () => upload.cancel()}
            onDone={() => blocker.proceed()}
            onClose={() => blocker.reset()}
          >
            <p>
              {isMaking
                ? "Everything was sent, and the server makes the version of it: it may still be made."
                : "It goes on only while this page is open. What was sent so far would have to be sent again."}
            </p>
          </Confirm>
        ) : null}
      </section>
    </Card>
  );
}
