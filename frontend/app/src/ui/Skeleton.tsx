/** What stands in while the first answer is on its way. */
export function Loading({ label = "Loading" }: { label?: string }) {
  return (
    <div role="status" className="relative m-8 h-0.5 max-w-60 overflow-hidden rounded-full bg-hover">
      <span className="sr-only">{label}</span>
      <span className="sweep absolute inset-y-0 left-0 w-1/3 rounded-full bg-accent" />
    </div>
  );
}
