/** The places of administration, side by side. */
import { NavLink } from "react-router";
import { cx } from "~/lib/class";
import { paths } from "~/paths";

const TABS = [
  { to: paths.admin(), label: "Users" },
  { to: paths.admin("environments"), label: "Environments" },
  { to: paths.admin("machines"), label: "Machines" },
  { to: paths.admin("audit"), label: "Audit" },
];

export function AdminTabs() {
  return (
    <nav aria-label="Administration" className="flex border-b border-line">
      {TABS.map(({ to, label }) => (
        <NavLink
          key={to}
          to={to}
          end
          className={({ isActive }) =>
            cx(
              "-mb-px border-b-2 px-3 py-2 -outline-offset-2",
              isActive ? "border-accent font-medium" : "border-transparent text-muted hover:text-text",
            )
          }
        >
          {label}
        </NavLink>
      ))}
    </nav>
  );
}
