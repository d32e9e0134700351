/** The signed-in part of the app: finds who is here and which project, and keeps everything live. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import {
  type LoaderFunctionArgs,
  Outlet,
  useLocation,
  useNavigate,
  useNavigation,
  useParams,
} from "react-router";
import { Shell } from "~/components/Shell";
import { trail } from "~/components/trail";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { useLive } from "~/live/useLive";
import { paths } from "~/paths";
import { meQuery } from "~/queries/account";
import { projectsQuery, workspaceQuery } from "~/queries/projects";

const LAST = "cairn.project";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await Promise.all([requireUser(request), prefetch(projectsQuery).catch(() => undefined)]);
  return null;
}

/** The project of the address, else the one that was looked at last. */
function useProject() {
  const named = useParams().project;
  const projects = usePrefetched(projectsQuery).items;
  if (named) localStorage.setItem(LAST, named);
  const wanted = named ?? localStorage.getItem(LAST);
  return (
    projects.find(each => each.name === wanted || each.id === wanted) ??
    (named ? null : (projects[0] ?? null))
  );
}

export function Frame() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const params = useParams();
  const isMoving = useNavigation().state !== "idle";
  const me = usePrefetched(meQuery);
  const project = useProject();
  const workspace = useQuery({ ...workspaceQuery(params.id ?? ""), enabled: false }).data;
  const onRefused = useCallback(() => {
    client.clear();
    void navigate(paths.signIn(location.pathname + location.search));
  }, [client, navigate]);
  useLive(client, onRefused);
  return (
    <Shell me={me} project={project} path={trail(pathname, workspace?.name)}>
      {isMoving ? (
        <div className="pointer-events-none fixed inset-x-0 top-0 z-40 h-0.5 overflow-hidden">
          <div className="sweep h-full w-1/3 bg-accent" />
        </div>
      ) : null}
      <Outlet />
    </Shell>
  );
}
