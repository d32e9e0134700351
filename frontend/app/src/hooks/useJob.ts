/** The job of the address. */
import type { Job } from "@cairn/api/types";
import { useParams } from "react-router";
import { usePrefetched } from "~/lib/query";
import { jobQuery } from "~/queries/jobs";

export function useJob(): Job {
  const { project = "", number = "0" } = useParams();
  return usePrefetched(jobQuery(project, Number(number)));
}
