/** Words for datasets and their versions. Pure. */
import type { Dataset, Version, Visibility } from "@cairn/api/types";

export const VISIBILITY: Record<Visibility, { label: string; about: string }> = {
  project: { label: "Project", about: "only members of the project" },
  organisation: { label: "Organisation", about: "everybody who is signed in" },
  public: { label: "Public", about: "everybody who is signed in" },
};

export const ORIGIN: Record<Version["origin"], string> = {
  upload: "uploaded",
  job: "left by a job",
  derived: "made of others",
  adopted: "kept elsewhere",
  workspace: "from a workspace",
};

const DAMAGE: Partial<Record<Version["integrity"], string>> = {
  partial: "Files of it are missing or not what they were",
  broken: "Its list of files is missing or not what it was",
};

/** What a check found wrong with a version; null where it found nothing. Nothing new can use a damaged version. */
export const damageOf = ({ integrity }: Pick<Version, "integrity">): string | null =>
  DAMAGE[integrity] ?? null;

/** Tags as they are typed: separated by commas, each once. */
export const toTags = (text: string): string[] => [
  ...new Set(
    text
      .split(",")
      .map(tag => tag.trim())
      .filter(Boolean),
  ),
];

/** Those that hold every word in what is said of them. */
export function filterDatasets(datasets: Dataset[], words: string): Dataset[] {
  const needles = words.toLowerCase().split(/\s+/).filter(Boolean);
  return datasets.filter(({ name, description, tags, user, latest, aliases }) => {
    const hay = [name, description, ...tags, user, latest?.user, ...aliases.map(alias => alias.name)];
    const text = hay.join("\n").toLowerCase();
    return needles.every(needle => text.includes(needle));
  });
}

export const aliasesOf = (dataset: Dataset, number: number): string[] =>
  dataset.aliases.filter(alias => alias.number === number).map(alias => alias.name);
