/** A form in a dialog: its fields, what went wrong below them, and a way out beside the button that sends it. */
import { type ReactNode, useId } from "react";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { ErrorNotice } from "./Notice";

interface FormDialogProps {
  title: string;
  /** What sending it does. */
  verb: string;
  action: { mutate: () => void; isPending: boolean; error: unknown };
  onClose: () => void;
  children: ReactNode;
}

/** What went wrong may lie below the part of a long form that one sees. */
const reveal = (element: HTMLElement | null) => element?.scrollIntoView({ block: "nearest" });

/** While it is sent nothing closes it: the answer may be shown this once. */
export function FormDialog({ title, verb, action, onClose, children }: FormDialogProps) {
  const id = useId();
  return (
    <Dialog
      title={title}
      onClose={onClose}
      held={action.isPending}
      footer={
        <>
          <p role="status" className="mr-auto self-center text-sm text-muted">
            {action.isPending ? "Waiting for the answer; it cannot be closed meanwhile." : null}
          </p>
          <Button onClick={onClose} disabled={action.isPending}>
            Cancel
          </Button>
          <Button look="primary" type="submit" form={id} busy={action.isPending}>
            {verb}
          </Button>
        </>
      }
    >
      <form
        id={id}
        className="grid gap-4"
        onSubmit={event => {
          event.preventDefault();
          if (!action.isPending) action.mutate();
        }}
      >
        {children}
        {action.error ? (
          <div ref={reveal}>
            <ErrorNotice error={action.error} />
          </div>
        ) : null}
      </form>
    </Dialog>
  );
}
