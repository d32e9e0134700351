/** The filter of a job list, with completion of keys, states and people. */
import { useId, useState } from "react";
import { complete, suggest } from "~/filter/filter";
import { useTyped } from "~/hooks/useTyped";
import { cx } from "~/lib/class";
import { IconButton } from "~/ui/Button";
import { Icon } from "~/ui/Icon";

interface Props {
  value: string;
  onChange: (value: string) => void;
  keys: string[];
  users: string[];
  inputRef: React.RefObject<HTMLInputElement | null>;
}

export function FilterBar({ value: shown, onChange: show, keys, users, inputRef }: Props) {
  const [value, onChange] = useTyped(shown, show);
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const id = useId();
  const options = isOpen ? suggest(value, keys, users) : [];
  const take = (token: string) => {
    onChange(complete(value, token));
    setChosen(-1);
    inputRef.current?.focus();
  };
  return (
    <div
      className="relative min-w-0 flex-1 basis-60"
      onBlur={event => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen(false);
      }}
    >
      <Icon name="filter" className="pointer-events-none absolute top-2 left-2.5 text-faint" />
      <input
        ref={inputRef}
        type="text"
        role="combobox"
        aria-label="Filter jobs"
        aria-expanded={options.length > 0}
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={chosen >= 0 ? `${id}-${chosen}` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder="state:started  user:ada  metadata.accuracy>0.9"
        value={value}
        onFocus={() => setOpen(true)}
        onChange={event => {
          onChange(event.target.value);
          setOpen(true);
          setChosen(-1);
        }}
        onKeyDown={event => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (step && options.length > 0) {
            event.preventDefault();
            setChosen((chosen + step + options.length) % options.length);
          } else if ((event.key === "Enter" || event.key === "Tab") && options[chosen]) {
            event.preventDefault();
            take(options[chosen]);
          } else if (event.key === "Escape" || event.key === "Enter") {
            setOpen(false);
            event.currentTarget.blur();
          }
        }}
        className="h-8 w-full rounded border border-line-strong bg-surface pr-8 pl-8 hover:border-faint"
      />
      {value ? (
        <IconButton
          label="Clear the filter"
          icon="close"
          size="sm"
          className="absolute top-0.5 right-0.5"
          onClick={() => onChange("")}
        />
      ) : (
        <kbd className="pointer-events-none absolute top-2 right-3 text-xs text-faint max-sm:hidden">/</kbd>
      )}
      {options.length > 0 ? (
        <div
          id={id}
          role="listbox"
          aria-label="Completions"
          className="rise absolute top-full left-0 z-30 mt-1 w-full max-w-100 rounded-lg border border-line bg-surface p-1 shadow-[0_8px_28px_var(--shadow)]"
        >
          {options.map((option, index) => (
            <div
              key={option}
              id={`${id}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === chosen}
              onMouseDown={event => {
                event.preventDefault();
                take(option);
              }}
              className={cx(
                "truncate rounded px-2 py-1 font-mono text-sm",
                index === chosen ? "bg-hover" : "hover:bg-hover",
              )}
            >
              {option}
            </div>
          ))}
        </div>
      ) : null}
    </div>
  );
}
