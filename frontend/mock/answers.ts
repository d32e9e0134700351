/** The shapes of the mock's answers. */
import { HttpResponse } from "msw";

export const at = (path: string) => `/api/v1${path}`;
export const list = <T>(items: T[]) => HttpResponse.json({ items, next: null });
export const refuse = (status: number, code: string, message: string) =>
  HttpResponse.json({ code, message, request_id: "01981f3e-mock" }, { status });
export const gone = () => refuse(404, "not_found", "There is no such thing, or you may not see it.");
export const done = () => new HttpResponse(null, { status: 204 });
