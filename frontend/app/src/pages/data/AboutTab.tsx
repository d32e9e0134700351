/** What a version is: what its maker says of it, what it was made of, and how to check that it is what it was. */
import type { Dataset, VersionDetails } from "@cairn/api/types";
import { Link } from "react-router";
import { JsonView } from "~/files/JsonView";
import { ORIGIN } from "~/lib/dataset";
import { parseReference, referencePath } from "~/lib/reference";
import { Command, CopyButton } from "~/ui/Copy";
import { Card, Facts, Section } from "~/ui/Page";
import { Ago } from "~/ui/Time";

const CHECK = "find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -r0 b3sum | b3sum --no-names";

function Digest({ label, about, digest }: { label: string; about: string; digest: string }) {
  return (
    <div className="grid gap-0.5 px-4 py-2.5">
      <dt className="text-sm">
        {label} <span className="text-muted">{about}</span>
      </dt>
      <dd className="flex items-center gap-1">
        <code className="min-w-0 wrap-anywhere">{digest}</code>
        <CopyButton text={digest} label={`Copy the ${label.toLowerCase()}`} />
      </dd>
    </div>
  );
}

export function AboutTab({ dataset, details }: { dataset: Dataset; details: VersionDetails }) {
  const { version, sources } = details;
  const hasMetadata = Object.keys(version.metadata).length > 0;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      <Card className="grid gap-4 p-4">
        <p className={version.message ? "whitespace-pre-wrap wrap-anywhere" : "text-muted"}>
          {version.message || "Nobody said what is new in it."}
        </p>
        <Facts
          facts={[
            ["By", version.user],
            ["When", <Ago key="when" ms={version.created_ms} />],
            ["Origin", ORIGIN[version.origin]],
          ]}
        />
      </Card>
      {sources.length > 0 ? (
        <Section title="Made of">
          <Card>
            <ul className="divide-y divide-line">
              {sources.map(source => {
                const reference = parseReference(source.ref, dataset.project);
                return (
                  <li
                    key={`${source.ref} ${source.manifest_digest}`}
                    className="flex flex-wrap items-center gap-x-3 px-4 py-2"
                  >
                    {reference ? (
                      <Link
                        className="rounded underline decoration-line-strong underline-offset-2 hover:decoration-current"
                        to={referencePath(reference)}
                      >
                        {source.ref}
                      </Link>
                    ) : (
                      <span>{source.ref}</span>
                    )}
                    <code className="text-sm text-muted" title={source.manifest_digest}>
                      {source.manifest_digest.slice(0, 12)}
                    </code>
                  </li>
                );
              })}
            </ul>
          </Card>
        </Section>
      ) : null}
      {hasMetadata ? (
        <Section title="Metadata">
          <Card>
            <JsonView text={JSON.stringify(version.metadata)} />
          </Card>
        </Section>
      ) : null}
      <Section title="Digests">
        <Card>
          <dl className="divide-y divide-line">
            <Digest
              label="Content digest"
              about="is what the command below prints for the same files"
              digest={version.content_digest}
            />
            <Digest
              label="Manifest digest"
              about="is what the version is by"
              digest={version.manifest_digest}
            />
          </dl>
        </Card>
      </Section>
      <Section
        title="Check it yourself"
        about="In a folder with the files, as pulled or as mounted: it prints the content digest, or something has changed."
      >
        <div>
          <Command text={CHECK} />
        </div>
      </Section>
    </div>
  );
}
