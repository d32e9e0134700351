/** Where "Log Out" in JupyterLab leads. It asks first: an address alone, which any page can open, signs nobody out. */
import * as api from "@cairn/api/operations";
import { useMutation } from "@tanstack/react-query";
import { type LoaderFunctionArgs, useNavigate } from "react-router";
import { Plain } from "~/components/Plain";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { Button } from "~/ui/Button";
import { ErrorNotice } from "~/ui/Notice";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  return null;
}

export function Component() {
  const navigate = useNavigate();
  const leave = useMutation({
    mutationFn: api.deleteSession,
    // A new page, so that nothing of the person is left in memory.
    onSuccess: () => window.location.assign(paths.signIn()),
  });
  return (
    <Plain title="Sign out" about="Workspaces that this browser opened close with it. What runs goes on.">
      <ErrorNotice error={leave.error} />
      <div className="grid grid-cols-2 gap-2">
        <Button onClick={() => void navigate(paths.start())}>Stay</Button>
        <Button look="primary" busy={leave.isPending} onClick={() => leave.mutate()}>
          Sign out
        </Button>
      </div>
    </Plain>
  );
}
