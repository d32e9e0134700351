/** Where attached outputs are, with what one does with that next. */
import { Clipboard } from "@jupyterlab/apputils";
import { useState } from "react";
import type { Desk } from "../lab/desk";
import { Icon } from "../ui/Icon";

/** A cell that makes the folder ready to use. */
export const inputsCell = (name: string): string =>
  `from pathlib import Path\n\ninputs = Path(${JSON.stringify(`/cairn/inputs/${name}`)})\nsorted(inputs.iterdir())`;

export function AttachedPath({ name, desk }: { name: string; desk: Desk }) {
  const [said, setSaid] = useState("");
  const path = `/cairn/inputs/${name}`;
  const copy = () => {
    Clipboard.copyToSystem(path);
    setSaid("Copied");
  };
  const insert = () =>
    setSaid(desk.insertCell(inputsCell(name)) ? "Inserted below" : "Open a notebook first");
  return (
    <div className="cairn-Path">
      <code title={path}>{path}</code>
      <button type="button" className="cairn-IconButton" title="Copy path" onClick={copy}>
        <Icon name="copy" />
        <span className="cairn-mod-hidden">Copy path of {name}</span>
      </button>
      <button type="button" className="cairn-IconButton" title="Insert a cell" onClick={insert}>
        <Icon name="plus" />
        <span className="cairn-mod-hidden">Insert a cell that uses {name}</span>
      </button>
      <span className="cairn-mod-muted" role="status">
        {said}
      </span>
    </div>
  );
}
