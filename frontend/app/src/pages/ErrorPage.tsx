/** A page that could not be shown: what happened, and the ways on. */
import { ApiError, isStatus } from "@cairn/api/errors";
import { isRouteErrorResponse, useRevalidator, useRouteError } from "react-router";
import { paths } from "~/paths";
import { Button, ButtonLink } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { ErrorNotice } from "~/ui/Notice";
import { Page } from "~/ui/Page";

export function ErrorPage() {
  const error = useRouteError();
  const revalidator = useRevalidator();
  if (isStatus(error, 404) || (isRouteErrorResponse(error) && error.status === 404)) {
    return (
      <Page title="Not found" width="narrow">
        <Empty
          icon="search"
          title="This is not here"
          action={<ButtonLink to={paths.start()}>Go to the start page</ButtonLink>}
        >
          It may have been deleted, or it belongs to a project that you are not a member of.
        </Empty>
      </Page>
    );
  }
  const isOurs = error instanceof ApiError;
  return (
    <Page title="This page could not be shown" width="narrow">
      <ErrorNotice
        error={isOurs ? error : new Error("Something in the app went wrong. Reloading usually helps.")}
      />
      <div className="flex gap-2">
        <Button
          look="primary"
          icon="restart"
          busy={revalidator.state !== "idle"}
          onClick={() => (isOurs ? void revalidator.revalidate() : location.reload())}
        >
          Try again
        </Button>
        <ButtonLink to={paths.start()}>Start page</ButtonLink>
      </div>
      {isOurs ? null : (
        <details className="text-sm text-muted">
          <summary>Details</summary>
          <pre className="mt-2 overflow-x-auto">
            {error instanceof Error ? (error.stack ?? error.message) : String(error)}
          </pre>
        </details>
      )}
    </Page>
  );
}
