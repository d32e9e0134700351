/** An address that means nothing. */
import { paths } from "~/paths";
import { ButtonLink } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { Page } from "~/ui/Page";

export function Component() {
  return (
    <Page title="Not found" width="narrow">
      <Empty
        icon="search"
        title="No page has this address"
        action={<ButtonLink to={paths.start()}>Go to the start page</ButtonLink>}
      >
        Check the address, or search with Ctrl K.
      </Empty>
    </Page>
  );
}
