/** Asks before something is lost, says exactly what, and shows the failure where the button was. */
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { ErrorNotice } from "./Notice";

interface ConfirmProps {
  title: string;
  children: ReactNode;
  verb: string;
  danger?: boolean;
  run: () => Promise<unknown>;
  onDone: () => void;
  onClose: () => void;
}

export function Confirm({ title, children, verb, danger, run, onDone, onClose }: ConfirmProps) {
  const action = useMutation({ mutationFn: run, onSuccess: onDone });
  return (
    <Dialog
      title={title}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep</Button>
          <Button
            look={danger ? "danger" : "primary"}
            busy={action.isPending}
            onClick={() => action.mutate()}
          >
            {verb}
          </Button>
        </>
      }
    >
      <div className="grid gap-3">
        {children}
        <ErrorNotice error={action.error} />
      </div>
    </Dialog>
  );
}
