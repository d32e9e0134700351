/** What the panel shows: this workspace and its project's jobs, kept current by events. Knows the API; knows nothing of Lab. */
import { ApiError } from "@cairn/api/errors";
import { follow } from "@cairn/api/events";
import type { Change, Job, Workspace } from "@cairn/api/types";
import { isOver } from "@cairn/app/lib/job";
import { words } from "../api/client";
import type { Api } from "../api/operations";
import { merge } from "./list";

const PAGE = 20;
/** Without the stream one looks now and then, and only while somebody may see it. */
const POLL_MS = 15_000;
/** When one tries again what could not be read: soon, then ever later up to here. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 15_000;
/** So many changed jobs are read one by one; more by pages. */
const SINGLY = 4;
const LARGE_PAGE = 200;

export interface State {
  workspace: Workspace | null;
  jobs: readonly Job[];
  /** Whether the first page of them was read. */
  isRead: boolean;
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
  #state: State = {
    workspace: null,
    jobs: [],
    isRead: false,
    next: null,
    isLive: false,
    error: null,
    open: null,
  };
  readonly #listeners = new Set<() => void>();
  /** What is to be read: everything, and what changes are about. One after the other, so that an old answer never comes last. */
  #isAllWanted = false;
  #waiting: Change[] = [];
  /** Settles when nothing is left to be read, or something could not be. */
  #reading: Promise<void> | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = FIRST_RETRY_MS;
  #isFollowed = false;
  /** The newest job below which none is missing down to where the next page begins; null before the first page. */
  #gapless: number | null = null;
  readonly #watched = new Set<number>();

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
    this.#isFollowed = true;
    void this.reload();
    const poll = setInterval(() => {
      if (!this.#state.isLive && !document.hidden) void this.reload();
    }, POLL_MS);
    const stop = follow({
      open: since => new EventSource(this.api.client.url(["events"], { since })),
      onChanges: changes => this.#changed(changes),
      onLive: isLive => this.#set({ isLive }),
      onReset: () => void this.reload(),
    });
    return () => {
      this.#isFollowed = false;
      clearTimeout(this.#retry);
      clearInterval(poll);
      stop();
    };
  }

  /** Reads everything, at once where nothing is being read. */
  reload = (): Promise<void> => {
    this.#isAllWanted = true;
    return this.#catchUp();
  };

  /** Rejects where the page cannot be read. */
  more = async (): Promise<void> => {
    const { workspace, next } = this.#state;
    if (!workspace || next === null) return;
    const page = await this.api.jobs(workspace.project, PAGE, next);
    this.#set({ next: page.next });
    this.#take(page.items);
  };

  /** Keeps a job current even where it is older than what the list shows. */
  watch = (number: number): void => void this.#watched.add(number);

  unwatch = (number: number): void => void this.#watched.delete(number);

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

  #changed(changes: readonly Change[]): void {
    const project = this.#state.workspace?.project_id;
    this.#waiting.push(...changes.filter(change => !project || change.project_id === project));
    if (this.#waiting.length > 0 && this.#retry === undefined) void this.#catchUp();
  }

  /** Is called only while something waits to be read. */
  #catchUp(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#reading ??= this.#readWaiting();
    return this.#reading;
  }

  async #readWaiting(): Promise<void> {
    while (this.#isAllWanted || this.#waiting.length > 0) {
      if (!(await this.#readNext())) {
        this.#tryAgain();
        break;
      }
      this.#retryMs = FIRST_RETRY_MS;
    }
    this.#reading = null;
  }

  /** Whether it could be read; else it waits on. */
  async #readNext(): Promise<boolean> {
    const isAll = this.#isAllWanted;
    const changes = isAll ? [] : this.#waiting.splice(0);
    this.#isAllWanted = false;
    const isRead = await this.#try(() => (isAll ? this.#readAll() : this.#read(changes)));
    if (isRead) return true;
    this.#isAllWanted ||= isAll;
    this.#waiting.unshift(...changes);
    return false;
  }

  #tryAgain(): void {
    if (!this.#isFollowed) return;
    this.#retry = setTimeout(() => void this.#catchUp(), this.#retryMs);
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
  }

  async #readAll(): Promise<void> {
    await this.#readWorkspace();
    const { workspace } = this.#state;
    if (workspace) await this.#readJobs(workspace.project, []);
  }

  /** Reads what changes are about. */
  async #read(changes: readonly Change[]): Promise<void> {
    const about = (kind: string) =>
      new Set(changes.filter(change => change.kind.startsWith(kind)).map(change => change.subject));
    if (about("workspace.").has(this.api.workspaceId)) await this.#readWorkspace();
    const { workspace, jobs } = this.#state;
    const subjects = about("job.");
    if (subjects.size === 0 || !workspace) return;
    const numbers = jobs.filter(job => subjects.has(job.id)).map(job => job.number);
    if (numbers.length < subjects.size || numbers.length > SINGLY)
      await this.#readJobs(workspace.project, numbers);
    else this.#take(await this.#readSingly(workspace.project, numbers));
  }

  /** Reads the newest page, and further down what has changed, runs or is watched. */
  async #readJobs(project: string, changed: readonly number[]): Promise<void> {
    const { items, next } = await this.api.jobs(project, PAGE);
    const newest = items[0]?.number ?? 0;
    const oldest = items.at(-1)?.number ?? 0;
    const running = this.#state.jobs.filter(job => !isOver(job.state)).map(job => job.number);
    const followed = new Set([...changed, ...running, ...this.#watched]);
    const further = next === null ? [] : [...followed].filter(number => number < oldest);
    const older = await this.#readFurther(project, further, next);
    // So many are new that some are missing in between: the list begins anew.
    const isTorn = this.#gapless === null || oldest > this.#gapless + 1;
    if (isTorn) this.#set({ jobs: this.#state.jobs.filter(job => job.number > newest), next });
    this.#gapless = newest;
    this.#set({ jobs: merge(this.#state.jobs, [...items, ...older]), isRead: true });
  }

  /** Reads jobs with these numbers, which come on the pages after `cursor`. */
  async #readFurther(project: string, numbers: readonly number[], cursor: string | null): Promise<Job[]> {
    if (numbers.length <= SINGLY) return this.#readSingly(project, numbers);
    const wanted = new Set(numbers);
    const last = Math.min(...numbers);
    const found: Job[] = [];
    for (let next = cursor; next !== null; ) {
      const page = await this.api.jobs(project, LARGE_PAGE, next);
      found.push(...page.items.filter(job => wanted.has(job.number)));
      next = page.items.some(job => job.number <= last) ? null : page.next;
    }
    return found;
  }

  /** Passes over what is no more. */
  async #readSingly(project: string, numbers: readonly number[]): Promise<Job[]> {
    const read = (number: number) =>
      this.api.job(project, number).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      });
    return (await Promise.all(numbers.map(read))).filter(job => job !== null);
  }

  #take(fresh: readonly Job[]): void {
    this.#set({ jobs: merge(this.#state.jobs, fresh) });
  }

  /** Whether it went well. */
  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#set({ error: null });
      return true;
    } catch (error) {
      this.#set({ error: words(error) });
      return false;
    }
  }

  #set(part: Partial<State>): void {
    this.#state = { ...this.#state, ...part };
    for (const listener of this.#listeners) listener();
  }
}
