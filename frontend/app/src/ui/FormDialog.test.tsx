// @vitest-environment happy-dom
import { ApiError } from "@cairn/api/errors";
import { useMutation } from "@tanstack/react-query";
import { expect, test, vi } from "vitest";
import { eventually, show } from "~/testing";
import { TextField } from "./Field";
import { FormDialog } from "./FormDialog";

function Form({ send, onClose }: { send: () => Promise<unknown>; onClose: () => void }) {
  const action = useMutation({ mutationFn: send });
  return (
    <FormDialog title="New thing" verb="Make it" action={action} onClose={onClose}>
      <TextField label="Name" />
    </FormDialog>
  );
}

async function open(send: () => Promise<unknown>, onClose = () => undefined) {
  const page = show(<Form send={send} onClose={onClose} />);
  const button = (text: string) =>
    [...page.querySelectorAll("button")].find(each => each.textContent === text) as HTMLButtonElement;
  await eventually(() => expect(page.querySelector("dialog")?.open).toBe(true));
  return { page, button };
}

test("it begins in its first field and is named by its title", async () => {
  const { page } = await open(async () => undefined);
  expect(document.activeElement).toBe(page.querySelector("input"));
  const dialog = page.querySelector("dialog") as HTMLDialogElement;
  const title = document.getElementById(dialog.getAttribute("aria-labelledby") ?? "");
  expect(title?.textContent).toBe("New thing");
});

test("it is sent once, and says with the request's id why that failed", async () => {
  let refuse: (error: Error) => void = () => undefined;
  const send = vi.fn(() => new Promise((_, reject) => (refuse = reject)));
  const { page, button } = await open(send);
  expect(button("Make it").getAttribute("form")).toBe(page.querySelector("form")?.id);
  const form = page.querySelector("form") as HTMLFormElement;
  form.requestSubmit();
  await eventually(() => expect(button("Make it").disabled).toBe(true));
  form.requestSubmit();
  expect(send).toHaveBeenCalledTimes(1);
  refuse(new ApiError(409, "conflict", "There is one already.", "r-1"));
  await eventually(() => expect(page.querySelector("[role=alert]")?.textContent).toContain("r-1"));
  expect(page.textContent).toContain("There is one already.");
  expect(button("Make it").disabled).toBe(false);
});

test("nothing closes it while it is sent, and it says what it waits for", async () => {
  let refuse: (error: Error) => void = () => undefined;
  const onClose = vi.fn(() => undefined);
  const { page, button } = await open(() => new Promise((_, reject) => (refuse = reject)), onClose);
  const status = page.querySelector("[role=status]");
  expect(status?.textContent).toBe("");
  (page.querySelector("form") as HTMLFormElement).requestSubmit();
  await eventually(() => expect(button("Make it").disabled).toBe(true));
  expect(status?.textContent).toContain("Waiting for the answer");
  const close = page.querySelector<HTMLButtonElement>("button[aria-label=Close]");
  expect([button("Cancel").disabled, close?.disabled]).toEqual([true, true]);
  const press = () => new Event("cancel", { cancelable: true });
  const held = press();
  page.querySelector("dialog")?.dispatchEvent(held);
  expect(held.defaultPrevented).toBe(true);
  expect(onClose).not.toHaveBeenCalled();
  refuse(new ApiError(500, "internal", "It broke.", "r-2"));
  await eventually(() => expect(button("Cancel").disabled).toBe(false));
  expect(status?.textContent).toBe("");
  page.querySelector("dialog")?.dispatchEvent(press());
  expect(onClose).toHaveBeenCalledOnce();
});

test("cancel leaves it", async () => {
  const onClose = vi.fn(() => undefined);
  const { button } = await open(async () => undefined, onClose);
  button("Cancel").click();
  expect(onClose).toHaveBeenCalledOnce();
});
