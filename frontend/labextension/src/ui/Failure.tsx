/** What went wrong, where the work is. */
export function Failure({ error }: { error: string | null }) {
  return error ? (
    <p className="cairn-Failure" role="alert">
      {error}
    </p>
  ) : null;
}
