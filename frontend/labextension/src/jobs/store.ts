/** What the panel shows: this workspace and its project's jobs, kept current by events. Knows the API; knows nothing of Lab. */
import type { Change, Job, Workspace } from "@cairn/api/types";
import { words } from "../api/client";
import type { Api } from "../api/operations";
import { follow } from "../live/events";
import { isOver, merge } from "./list";

const PAGE = 20;
/** Without the stream one looks now and then, and only while somebody may see it. */
const POLL_MS = 15_000;
/** So many changed jobs are read one by one; more as a page. */
const SINGLY = 4;

export interface State {
  workspace: Workspace | null;
  jobs: readonly Job[];
  /** Where the next page begins; null at the end. */
  next: string | null;
  isLive: boolean;
  /** What went wrong last; null when all is well. */
  error: string | null;
  /** The number of the job that is unfolded. */
  open: number | null;
}

export class JobStore {
  readonly api: Api;
  #state: State = { workspace: null, jobs: [], next: null, isLive: false, error: null, open: null };
  readonly #listeners = new Set<() => void>();
  /** Changes that came while earlier ones are being read: one after the other, so that an old answer never comes last. */
  #waiting: Change[] = [];
  #isReading = false;

  constructor(api: Api) {
    this.api = api;
  }

  readonly get = (): State => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Reads everything and follows it until the returned function is called. */
  start(): () => void {
    void this.reload();
    const poll = setInterval(() => {
      if (!this.#state.isLive && !document.hidden) void this.reload();
    }, POLL_MS);
    const stop = follow({
      open: since => new EventSource(this.api.client.url(["events"], { since })),
      onChanges: changes => void this.#catchUp(changes),
      onLive: isLive => this.#set({ isLive }),
      onReset: () => void this.reload(),
    });
    return () => {
      clearInterval(poll);
      stop();
    };
  }

  reload = (): Promise<void> =>
    this.#try(async () => {
      const workspace = await this.api.workspace();
      const { items, next } = await this.api.jobs(workspace.project, PAGE);
      const isFirst = this.#state.jobs.length === 0;
      this.#set({ workspace, ...(isFirst ? { next } : {}) });
      this.#take(items);
    });

  more = (): Promise<void> =>
    this.#try(async () => {
      const { workspace, next } = this.#state;
      if (!workspace || next === null) return;
      const page = await this.api.jobs(workspace.project, PAGE, next);
      this.#set({ next: page.next });
      this.#take(page.items);
    });

  /** Puts in what is known of jobs, from an answer to something else. */
  learn = (...jobs: Job[]): void => this.#take(jobs);

  unfold = (number: number | null): void => this.#set({ open: number });

  attach = async (name: string, ref: string): Promise<void> => {
    await this.api.attach(name, ref);
    await this.#readWorkspace();
  };

  detach = async (name: string): Promise<void> => {
    await this.api.detach(name);
    await this.#readWorkspace();
  };

  stop = async (job: Job): Promise<void> => this.learn(await this.api.stop(job.project, job.number));

  async #readWorkspace(): Promise<void> {
    this.#set({ workspace: await this.api.workspace() });
  }

  async #catchUp(changes: readonly Change[]): Promise<void> {
    this.#waiting.push(...changes);
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#waiting.length > 0) {
      const now = this.#waiting.splice(0);
      await this.#try(() => this.#read(now));
    }
    this.#isReading = false;
  }

  /** Reads what changes are about. */
  async #read(changes: readonly Change[]): Promise<void> {
    const about = (kind: string) =>
      new Set(changes.filter(change => change.kind.startsWith(kind)).map(change => change.subject));
    if (about("workspace.").has(this.api.workspaceId)) await this.#readWorkspace();
    const subjects = about("job.");
    if (subjects.size === 0) return;
    const known = this.#state.jobs.filter(job => subjects.has(job.id));
    if (known.length < subjects.size || known.length > SINGLY) await this.#readNewest();
    else this.#take(await Promise.all(known.map(({ project, number }) => this.api.job(project, number))));
  }

  /** The newest page, and those further down that still run. */
  async #readNewest(): Promise<void> {
    const { workspace, jobs } = this.#state;
    if (!workspace) return;
    const { items } = await this.api.jobs(workspace.project, PAGE);
    const oldest = items.at(-1)?.number ?? 0;
    const running = jobs.filter(job => job.number < oldest && !isOver(job.state));
    this.#take([
      ...items,
      ...(await Promise.all(running.map(({ project, number }) => this.api.job(project, number)))),
    ]);
  }

  #take(fresh: readonly Job[]): void {
    this.#set({ jobs: merge(this.#state.jobs, fresh) });
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#set({ error: null });
    } catch (error) {
      this.#set({ error: words(error) });
    }
  }

  #set(part: Partial<State>): void {
    this.#state = { ...this.#state, ...part };
    for (const listener of this.#listeners) listener();
  }
}
