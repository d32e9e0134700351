/** The plugins, as JupyterLab's loader wants them. What they look like goes into the page once, as they are loaded. */
import { connection } from "./connection/plugin";
import { jobs } from "./jobs/plugin";
import { restart } from "./restart/plugin";
import css from "./style.css?inline";

const style = document.createElement("style");
style.textContent = css;
document.head.append(style);

export default [connection, restart, jobs];
