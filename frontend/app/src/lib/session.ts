/** Loaders for people who are signed in: anyone else is sent to sign in and comes back afterwards. */
import { isStatus } from "@cairn/api/errors";
import type { User } from "@cairn/api/types";
import { redirect } from "react-router";
import { paths } from "~/paths";
import { meQuery } from "~/queries/account";
import { prefetch } from "./query";

export async function requireUser(request: Request): Promise<User> {
  try {
    return await prefetch(meQuery);
  } catch (error) {
    if (!isStatus(error, 401)) throw error;
    const url = new URL(request.url);
    throw redirect(paths.signIn(url.pathname + url.search));
  }
}
