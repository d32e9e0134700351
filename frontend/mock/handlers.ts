/** The mock's answers: the API over a few arrays, with the refusals that the app has to show. */
import type { Job, Machine, Workspace } from "@cairn/api/types";
import { delay, HttpResponse, http, type PathParams } from "msw";
import { at, gone, list, refuse } from "./answers.ts";
import { contents } from "./contents.ts";
import { datasets } from "./datasets.ts";
import { bump, events } from "./events.ts";
import * as data from "./fixtures.ts";
import * as work from "./jobs.ts";
import { lineage } from "./lineage.ts";
import { machines, machineTypes, runs } from "./machines.ts";

const one = (value: unknown) => String(value);

let signedIn = true;
const findWorkspace = (params: PathParams) => data.workspaces.find(each => each.id === params.id);
const findJob = (params: PathParams) =>
  work.jobs.find(
    each =>
      each.number === Number(params.number) &&
      (each.project === params.project || each.project_id === params.project),
  );

function setState(workspace: Workspace, state: Workspace["state"], phase: string | null = null): void {
  workspace.state = state;
  workspace.phase = phase;
  workspace.started_ms = state === "running" ? Date.now() : null;
  bump("workspace.changed", workspace.project_id, workspace.id);
}

function start(workspace: Workspace): void {
  setState(workspace, "starting", "Fetching the inputs");
  setTimeout(() => setState(workspace, "starting", "Starting JupyterLab"), 1500);
  setTimeout(() => setState(workspace, "running"), 3500);
}

const account = [
  http.get(at("/info"), () =>
    HttpResponse.json({ version: "0.1.0", sign_in: ["link", "password"], signed_in: signedIn }),
  ),
  http.post(at("/session"), async ({ request }) => {
    const body = (await request.json()) as { link?: string; password?: string };
    if (body.link && body.link !== "GOOD")
      return refuse(401, "link_expired", "This link was used or has expired.");
    if (body.password === "wrong") return refuse(401, "wrong_password", "The name or the password is wrong.");
    signedIn = true;
    return HttpResponse.json({ user: data.me });
  }),
  http.delete(at("/session"), () => {
    signedIn = false;
    return new HttpResponse(null, { status: 204 });
  }),
  http.get(at("/me"), () =>
    signedIn ? HttpResponse.json(data.me) : refuse(401, "unauthenticated", "Sign in first."),
  ),
  http.patch(at("/me"), () => HttpResponse.json(data.me)),
  http.get(at("/sessions"), () =>
    list([
      {
        id: "s-1",
        created_ms: data.now - 7_200_000,
        expires_ms: data.now + 9e8,
        last_seen_ms: data.now - 5000,
        user_agent: "Mozilla/5.0 (X11; Linux) Chrome/156.0",
        current: true,
      },
      {
        id: "s-2",
        created_ms: data.now - 9e8,
        expires_ms: data.now + 9e8,
        last_seen_ms: data.now - 86_400_000,
        user_agent: "Mozilla/5.0 (iPhone) Safari/605",
        current: false,
      },
    ]),
  ),
  http.get(at("/tokens"), () =>
    list([
      {
        id: "t-1",
        name: "laptop",
        scopes: ["all"],
        created_ms: data.now - 9e8,
        expires_ms: data.now + 9e8,
        last_used_ms: data.now - 4e6,
      },
    ]),
  ),
  http.post(at("/tokens"), () =>
    HttpResponse.json({ token: "cairn_mock-mock-mock", info: {} }, { status: 201 }),
  ),
  http.get(at("/devices/:code"), ({ params }) =>
    params.code === "WRNG"
      ? gone()
      : HttpResponse.json({
          user_code: params.code,
          name: "laptop",
          created_ms: data.now,
          expires_ms: data.now + 600_000,
        }),
  ),
  http.post(at("/devices/:code/:verdict"), () => new HttpResponse(null, { status: 204 })),
  http.get(at("/users"), () => list(data.users)),
  http.post(at("/users"), () =>
    HttpResponse.json({ user: data.users[2], link: "http://localhost:8000/sign-in#mock" }, { status: 201 }),
  ),
  http.get(at("/audit"), () =>
    list([
      {
        id: "a1",
        created_ms: data.now - 60_000,
        user_id: data.users[0]?.id,
        user: data.users[0]?.name,
        action: "create_user",
        subject: data.users[2]?.name,
        detail: { admin: false },
      },
    ]),
  ),
  http.post(at("/users/:id/link"), () =>
    HttpResponse.json({ link: "http://localhost:8000/sign-in#mock", expires_ms: data.now + 900_000 }),
  ),
];

const projects = [
  http.get(at("/projects"), () => list(data.projects)),
  http.get(at("/projects/:project"), ({ params }) => {
    const found = data.projects.find(each => each.name === params.project || each.id === params.project);
    return found ? HttpResponse.json(found) : gone();
  }),
  http.post(at("/projects"), () => refuse(409, "name_taken", "A project with this name exists already.")),
  http.get(at("/projects/:project/members"), () =>
    list(
      data.users.slice(0, 2).map((user, index) => ({
        user_id: user.id,
        name: user.name,
        display_name: user.display_name,
        role: index ? "editor" : "owner",
      })),
    ),
  ),
  http.get(at("/environments"), () => list(data.environments)),
  http.get(at("/environments/:name/log"), () =>
    HttpResponse.json({ text: "Resolved 96 packages in 1.2s\nInstalled 96 packages in 410ms\n", next: 64 }),
  ),
  http.get(at("/machine-types"), () => list(machineTypes)),
  http.get(at("/machines"), () => list(machines)),
  http.post(at("/machines"), async ({ request }) => {
    const { name, labels } = (await request.json()) as { name: string; labels: string[] };
    if (machines.some(each => each.name === name))
      return refuse(409, "name_taken", `A machine called ${name} exists already.`);
    const [first] = machines;
    const made = { ...first, id: `m-${name}`, name, labels, kind: "worker", state: "offline" } as Machine;
    Object.assign(made, { seen_ms: null, runs: [], devices: [], runtimes: [], cpu_millicores: null });
    Object.assign(made, { memory_bytes: null, slots: null });
    machines.push(made);
    return HttpResponse.json({ machine: made, token: "cairn_machine_mock-mock-mock" }, { status: 201 });
  }),
  http.post(at("/machines/:id/token"), () => HttpResponse.json({ token: "cairn_machine_mock-new" })),
  http.patch(at("/machines/:id"), async ({ request, params }) => {
    const { draining } = (await request.json()) as { draining?: boolean };
    const found = machines.find(each => each.id === params.id);
    if (!found) return gone();
    found.state = draining ? "draining" : "online";
    return HttpResponse.json(found);
  }),
  http.delete(at("/machines/:id"), ({ params }) => {
    const at = machines.findIndex(each => each.id === params.id);
    if ((machines[at]?.runs.length ?? 0) > 0)
      return refuse(
        409,
        "machine_busy",
        "Two runs are on it. Drain it and wait until they have ended, or stop them.",
      );
    machines.splice(at, 1);
    return new HttpResponse(null, { status: 204 });
  }),
];

const workspaces = [
  http.get(at("/workspaces"), () => list(data.workspaces)),
  http.get(at("/projects/:project/workspaces"), ({ params }) =>
    list(data.workspaces.filter(each => each.project === params.project)),
  ),
  http.post(at("/projects/:project/workspaces"), async ({ request, params }) => {
    const body = (await request.json()) as { name: string };
    await delay(300);
    if (data.workspaces.some(each => each.name === body.name))
      return refuse(409, "name_taken", `You already have a workspace called ${body.name} here.`);
    const [first] = data.workspaces;
    const made = {
      ...first,
      id: `w-${Date.now()}`,
      name: body.name,
      project: one(params.project),
      state: "stopped",
      inputs: [],
      started_ms: null,
    } as Workspace;
    data.workspaces.push(made);
    return HttpResponse.json(made, { status: 201 });
  }),
  http.get(at("/workspaces/:id"), ({ params }) => {
    const found = findWorkspace(params);
    return found ? HttpResponse.json(found) : gone();
  }),
  http.delete(at("/workspaces/:id"), () => new HttpResponse(null, { status: 204 })),
  http.post(at("/workspaces/:id/open"), () => HttpResponse.json({ url: "about:blank" })),
  http.post(at("/workspaces/:id/:action"), async ({ params, request }) => {
    const found = findWorkspace(params);
    if (!found) return gone();
    const where = (await request.json().catch(() => ({}))) as Record<string, unknown>;
    if (found.name === "leaves" && params.action === "start" && where.accept_snapshot !== "snap-1") {
      return HttpResponse.json(
        {
          code: "home_unreachable",
          message: "The files are on under-the-desk, which cannot be reached.",
          request_id: "01981f3e-mock",
          snapshot_id: "snap-1",
          snapshot_age_ms: 12 * 60_000,
          machine_name: "under-the-desk",
        },
        { status: 409 },
      );
    }
    if (params.action === "stop") {
      setState(found, "stopping");
      setTimeout(() => setState(found, "stopped"), 1200);
    } else start(found);
    return HttpResponse.json(found);
  }),
  http.put(at("/workspaces/:id/inputs/:name"), async ({ request, params }) => {
    const found = findWorkspace(params);
    const { ref } = (await request.json()) as { ref: string };
    if (!found) return gone();
    if (ref.includes("#999")) return refuse(404, "not_found", "There is no job #999 with outputs.");
    found.inputs = [
      ...found.inputs,
      { name: one(params.name), ref, manifest_digest: "00", files: 4, bytes: 1_280_411, left_out: null },
    ];
    return HttpResponse.json(found);
  }),
  http.delete(at("/workspaces/:id/inputs/:name"), ({ params }) => {
    const found = findWorkspace(params);
    if (found) found.inputs = found.inputs.filter(each => each.name !== params.name);
    return new HttpResponse(null, { status: 204 });
  }),
  http.get(at("/workspaces/:id/runs"), ({ params }) => list(params.id === "w-1" ? runs : [])),
  http.get(at("/workspaces/:id/log"), ({ request }) => {
    const isRead = new URL(request.url).searchParams.get("offset") === "240";
    const items = isRead
      ? []
      : [
          "[I ServerApp] jupyterlab | extension was successfully linked.",
          "[I ServerApp] Serving notebooks from local directory: /home/cairn/work",
          "[I ServerApp] Jupyter Server 2.17 is running at:",
        ].map((text, index) => ({
          offset: index * 80,
          ms: data.now,
          stream: "stderr",
          text,
          partial: false,
        }));
    return HttpResponse.json({ items, next: 240, ended: false });
  }),
];

const series = (job: Job, key: string) => {
  const last = Number(job.metadata.step ?? 40);
  const points = Array.from({ length: last }, (_, step) => {
    const loss = 2.3 * Math.exp(-step / 18) + 0.05 + Math.sin(step * 78.233) * 0.06 * Math.exp(-step / 40);
    return [
      step,
      key.includes("accuracy") ? 1 - loss / 2.6 : key.startsWith("val") ? loss * 1.12 : loss,
      (job.started_ms ?? 0) + step * 900,
    ];
  });
  return { key, points, total: points.length };
};

function stream(request: Request): Response {
  const from = Number(new URL(request.url).searchParams.get("offset") ?? 0) / 96;
  const encoder = new TextEncoder();
  let index = from;
  const body = new ReadableStream({
    start(controller) {
      const timer = setInterval(() => {
        const line = data.logLine(index);
        index += 1;
        try {
          controller.enqueue(encoder.encode(`id: ${index * 96}\ndata: ${JSON.stringify(line)}\n\n`));
        } catch {
          clearInterval(timer);
        }
      }, 600);
    },
  });
  return new HttpResponse(body, { headers: { "content-type": "text/event-stream" } });
}

const jobs = [
  http.get(at("/jobs"), () => list(work.jobs.slice(0, 8))),
  http.get(at("/projects/:project/jobs"), ({ params }) =>
    list(params.project === "examples" || params.project === "p-1" ? work.jobs : []),
  ),
  http.post(at("/projects/:project/jobs"), () =>
    refuse(400, "invalid", "There is no notebook train.ipynb in the project folder of lab."),
  ),
  http.get(at("/projects/:project/jobs/:number"), ({ params }) => {
    const job = findJob(params);
    return job ? HttpResponse.json(job) : gone();
  }),
  http.post(at("/projects/:project/jobs/:number/stop"), ({ params }) => {
    const job = findJob(params);
    if (!job) return gone();
    job.state = "stopping";
    bump("job.changed", job.project_id, job.id);
    return HttpResponse.json(job);
  }),
  http.post(at("/projects/:project/jobs/:number/resume"), ({ params }) => {
    const job = findJob(params);
    if (!job?.hold) return refuse(409, "conflict", "The job is not held.");
    job.hold = null;
    bump("job.changed", job.project_id, job.id);
    return HttpResponse.json(job);
  }),
  http.post(at("/projects/:project/jobs/:number/rerun"), ({ params }) =>
    HttpResponse.json(findJob(params), { status: 201 }),
  ),
  http.get(at("/projects/:project/jobs/:number/log"), ({ params, request }) => {
    const job = findJob(params);
    const from = Number(new URL(request.url).searchParams.get("offset") ?? 0) / 96;
    const count = job?.state === "started" ? 61 : 160;
    const items = Array.from({ length: Math.max(0, count - from) }, (_, index) => data.logLine(from + index));
    return HttpResponse.json({ items, next: Math.max(from, count) * 96, ended: job?.state !== "started" });
  }),
  http.get(at("/projects/:project/jobs/:number/log/stream"), ({ request }) => stream(request)),
  http.get(at("/projects/:project/jobs/:number/series"), ({ params, request }) => {
    const job = findJob(params);
    return job ? list([series(job, new URL(request.url).searchParams.get("key") ?? "loss")]) : gone();
  }),
  http.get(at("/projects/:project/jobs/:number/:tree/content"), ({ request }) => {
    const path = new URL(request.url).searchParams.get("path") ?? "";
    const text = contents[path];
    return text === undefined ? gone() : new HttpResponse(text);
  }),
  http.get(at("/projects/:project/jobs/:number/outputs"), ({ request }) =>
    list(data.outputs[new URL(request.url).searchParams.get("path") ?? ""] ?? []),
  ),
  http.get(at("/projects/:project/jobs/:number/files"), ({ request }) =>
    list(data.code[new URL(request.url).searchParams.get("path") ?? ""] ?? []),
  ),
];

export const handlers = [
  ...account,
  ...projects,
  ...workspaces,
  ...jobs,
  ...datasets,
  ...lineage,
  http.get(at("/events"), () => events()),
];
