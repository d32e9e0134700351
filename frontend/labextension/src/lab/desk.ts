/** What the panel asks of Lab. The panel itself knows React and the API only. */
import type { Job } from "@cairn/api/types";

export interface Desk {
  /** Fetches a job's executed notebook into the workspace, opens it and returns its path. Nothing is written over. */
  openNotebook: (job: Job) => Promise<string>;
  /** Shows what differs between a job's notebook and the one in the workspace. */
  compare: (job: Job) => Promise<void>;
  /** Inserts a cell below the active one of the notebook that is in front; false where none is. */
  insertCell: (source: string) => boolean;
  restart: () => void;
  jobUrl: (job: Job) => string;
}
