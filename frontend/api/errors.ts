/** The one error that a call to the API can end with. */

export interface Envelope {
  code: string;
  message: string;
  request_id: string;
}

/** A refused or failed call. `status` is 0 when the server could not be reached at all. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string | null,
    /** What the envelope says beside that: some refusals carry figures. */
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

function isEnvelope(value: unknown): value is Envelope {
  return typeof value === "object" && value !== null && "message" in value && "code" in value;
}

/** Makes an `ApiError` of a response's status and parsed body; says something useful also when the body is not ours. */
export function toApiError(response: Response, body: unknown): ApiError {
  const fallbackId = response.headers.get("x-request-id");
  if (isEnvelope(body)) {
    const { code, message, request_id, ...details } = body;
    return new ApiError(response.status, code, message, request_id ?? fallbackId, details);
  }
  const text =
    response.status >= 500 ? "The server failed to answer." : `The server answered ${response.status}.`;
  return new ApiError(response.status, "unexpected", text, fallbackId);
}

export function unreachable(cause: unknown): ApiError {
  const error = new ApiError(0, "unreachable", "The server cannot be reached. Check that it runs.", null);
  error.cause = cause;
  return error;
}

export function isStatus(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status;
}
