/** A project's bare address leads to its workspaces. */
import { type LoaderFunctionArgs, redirect } from "react-router";
import { paths } from "~/paths";

export const loader = ({ params }: LoaderFunctionArgs) => redirect(paths.workspaces(params.project ?? ""));
export const Component = () => null;
