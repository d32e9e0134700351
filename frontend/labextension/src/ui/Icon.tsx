/** The icons, drawn on a 16 px grid with one stroke width, as the app draws them. Decorative: the words beside them carry the meaning. */

const SHAPES = {
  check: "M3 8.5l3.25 3.25L13 4.75",
  chevron: "M6 3.5 10.5 8 6 12.5",
  stop: "M4 4h8v8H4z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  clock: "M8 2.25a5.75 5.75 0 1 1 0 11.5 5.75 5.75 0 0 1 0-11.5zM8 4.75V8l2.25 1.5",
  ring: "M8 2.25A5.75 5.75 0 1 1 2.25 8",
  circle: "M8 2.25a5.75 5.75 0 1 1 0 11.5 5.75 5.75 0 0 1 0-11.5z",
  alert: "M8 2.25a5.75 5.75 0 1 1 0 11.5 5.75 5.75 0 0 1 0-11.5zM8 5v3.5M8 10.9v.1",
  external: "M6.5 3.5h-3v9h9v-3M9.5 2.75h3.75V6.5M13 3 7.75 8.25",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  notebook: "M3.75 2.25h8.5v11.5h-8.5zM6 2.25v11.5M8 5.25h2.5M8 7.75h2.5",
  diff: "M2.25 3.25h5v9.5h-5zM8.75 3.25h5v9.5h-5zM4 8h1.5M10.5 8h1.5M11.25 7.25v1.5",
  input: "M8 2.25v6.5M5.25 6 8 8.75 10.75 6M2.5 9.5v4h11v-4",
  plus: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
} as const;

export type IconName = keyof typeof SHAPES;

export function Icon({ name, turning = false }: { name: IconName; turning?: boolean }) {
  return (
    <svg
      className={turning ? "cairn-Icon cairn-mod-turning" : "cairn-Icon"}
      viewBox="0 0 16 16"
      width="14"
      height="14"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={SHAPES[name]} />
    </svg>
  );
}
