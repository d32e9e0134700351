/** The search field of a log: Enter goes to the next hit, Shift+Enter to the one before. */
import { useTyped } from "~/hooks/useTyped";
import { cx } from "~/lib/class";
import { IconButton } from "~/ui/Button";
import { control } from "~/ui/Field";

interface Props {
  needle: string;
  onNeedle: (needle: string) => void;
  at: number;
  count: number;
  onStep: (step: number) => void;
}

export function LogSearch({ needle, onNeedle, at, count, onStep }: Props) {
  const [typed, type] = useTyped(needle, onNeedle);
  return (
    <search className="flex min-w-0 items-center gap-1 max-sm:w-full">
      <input
        type="search"
        aria-label="Search the log"
        placeholder="Search the log"
        value={typed}
        onChange={event => type(event.target.value)}
        onKeyDown={event => {
          if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
          if (event.key === "Escape") type("");
        }}
        className={cx(control, "h-7 min-w-0 flex-1 sm:w-56")}
      />
      {needle ? (
        <>
          <span className="min-w-14 text-center text-sm text-muted" role="status">
            {count > 0 ? `${at + 1} of ${count >= 10_000 ? "10,000+" : count}` : "none"}
          </span>
          <IconButton
            label="Previous hit"
            icon="down"
            size="sm"
            className="rotate-180"
            disabled={count === 0}
            onClick={() => onStep(-1)}
          />
          <IconButton
            label="Next hit"
            icon="down"
            size="sm"
            disabled={count === 0}
            onClick={() => onStep(1)}
          />
        </>
      ) : null}
    </search>
  );
}
