/** A notice in the corner. Lab's own is fetched from the server when first used, and it is needed while the server is away. */

interface Action {
  label: string;
  run: () => void;
}

export class Notice {
  #element: HTMLElement | null = null;

  say(message: string, action?: Action): void {
    this.hush();
    const box = document.createElement("div");
    box.setAttribute("role", "status");
    box.className = "cairn-Notice";
    box.textContent = message;
    if (action) {
      const button = document.createElement("button");
      button.textContent = action.label;
      button.className = "jp-mod-styled jp-mod-accept";
      button.addEventListener("click", action.run);
      box.append(button);
    }
    document.body.append(box);
    this.#element = box;
  }

  hush(): void {
    this.#element?.remove();
    this.#element = null;
  }
}
