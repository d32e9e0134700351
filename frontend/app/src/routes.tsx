/** The places of the app, each a chunk of its own that is fetched when first needed. */
import {
  createBrowserRouter,
  type RouteObject,
  redirect,
  type ShouldRevalidateFunctionArgs,
} from "react-router";
import { ErrorPage } from "./pages/ErrorPage";
import { Frame, loader as frameLoader } from "./pages/Frame";
import { paths } from "./paths";
import { Loading } from "./ui/Skeleton";

const jobTabs: RouteObject[] = [
  { index: true, lazy: () => import("./pages/jobs/OverviewTab") },
  { path: "log", lazy: () => import("./pages/jobs/LogTab") },
  { path: "charts", lazy: () => import("./pages/jobs/ChartsTab") },
  { path: "outputs", lazy: () => import("./pages/jobs/OutputsTab") },
  { path: "code", lazy: () => import("./pages/jobs/CodeTab") },
  { path: "lineage", lazy: () => import("./pages/jobs/LineageTab") },
];

/** A filter or a zoom in the address asks the server for nothing. */
function whenMoved({ currentUrl, nextUrl }: ShouldRevalidateFunctionArgs): boolean {
  return currentUrl.pathname !== nextUrl.pathname || currentUrl.search === nextUrl.search;
}

const places: RouteObject[] = [
  { index: true, lazy: () => import("./pages/start/StartPage") },
  { path: "account", lazy: () => import("./pages/account/AccountPage") },
  { path: "admin", lazy: () => import("./pages/admin/UsersPage") },
  { path: "admin/environments", lazy: () => import("./pages/admin/EnvironmentsPage") },
  { path: "admin/audit", lazy: () => import("./pages/admin/AuditPage") },
  { path: "admin/machines", lazy: () => import("./pages/admin/MachinesPage") },
  { path: "p/:project", lazy: () => import("./pages/ProjectRedirect") },
  { path: "p/:project/workspaces", lazy: () => import("./pages/workspaces/WorkspacesPage") },
  { path: "p/:project/workspaces/:id", lazy: () => import("./pages/workspaces/WorkspacePage") },
  { path: "p/:project/jobs", lazy: () => import("./pages/jobs/JobsPage") },
  { path: "p/:project/jobs/new", lazy: () => import("./pages/jobs/NewJobPage") },
  { path: "p/:project/jobs/:number", lazy: () => import("./pages/jobs/JobPage"), children: jobTabs },
  { path: "p/:project/data", lazy: () => import("./pages/data/DataPage") },
  { path: "p/:project/data/:dataset/:version?", lazy: () => import("./pages/data/DatasetPage") },
  { path: "p/:project/settings", lazy: () => import("./pages/settings/SettingsPage") },
  { path: "*", lazy: () => import("./pages/NotFoundPage") },
];

const inside = places.map(place => ({ ...place, shouldRevalidate: whenMoved }) as RouteObject);

export function makeRouter() {
  return createBrowserRouter([
    {
      HydrateFallback: Loading,
      ErrorBoundary: ErrorPage,
      children: [
        { path: "sign-in", lazy: () => import("./pages/sign-in/SignInPage") },
        { path: "sign-out", lazy: () => import("./pages/sign-in/SignOutPage") },
        { path: "device", lazy: () => import("./pages/sign-in/DevicePage") },
        { path: "open/:id", lazy: () => import("./pages/open/OpenPage") },
        // Where JupyterLab's own menu and its "server unavailable" dialog lead.
        { path: "hub/logout", loader: () => redirect(paths.signOut()) },
        { path: "hub/spawn/:id/*", loader: ({ params }) => redirect(paths.restart(params.id ?? "")) },
        { path: "hub/*", loader: () => redirect(paths.start()) },
        {
          id: "frame",
          loader: frameLoader,
          Component: Frame,
          shouldRevalidate: () => false,
          children: [{ ErrorBoundary: ErrorPage, children: inside }],
        },
      ],
    },
  ]);
}
