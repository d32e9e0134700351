/** Queries of the signed-in person and their ways in. */
import * as api from "@cairn/api/operations";
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

export const infoQuery = queryOptions({ queryKey: ["info"], queryFn: ({ signal }) => api.getInfo(signal) });
export const meQuery = queryOptions({ queryKey: ["me"], queryFn: ({ signal }) => api.getMe(signal) });
export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: ({ signal }) => api.listSessions(signal),
});
export const tokensQuery = queryOptions({
  queryKey: ["tokens"],
  queryFn: ({ signal }) => api.listTokens(signal),
});
export const usersQuery = queryOptions({
  queryKey: ["users"],
  queryFn: ({ signal }) => api.listUsers(signal),
});
export const auditQuery = infiniteQueryOptions({
  queryKey: ["audit"],
  queryFn: ({ pageParam, signal }) => api.listAudit(pageParam, signal),
  initialPageParam: null as string | null,
  getNextPageParam: page => page.next,
});
export const deviceQuery = (code: string) =>
  queryOptions({
    queryKey: ["device", code],
    queryFn: ({ signal }) => api.getDevice(code, signal),
    retry: false,
  });
