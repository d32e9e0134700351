/** How a file can be shown, by its name and size. Pure. */

export type Shape = "notebook" | "image" | "json" | "table" | "markdown" | "text" | "none";

const MOST_BYTES = 4 << 20;
const IMAGES = new Set(["png", "jpg", "jpeg", "gif", "webp", "bmp", "avif"]);
const TEXTS = new Set(
  "txt log py r jl sh bash zsh toml ini cfg conf yaml yml xml html htm css js ts jsx tsx sql rs go java c h cpp hpp cc md rst tex env gitignore dockerfile makefile lock jsonl ndjson svg".split(
    " ",
  ),
);
const BINARY = new Set(
  "npy npz pkl pickle joblib pt pth safetensors onnx h5 hdf5 parquet feather zip gz tgz tar bz2 xz zst whl so dll exe bin pdf mp4 mp3 wav".split(
    " ",
  ),
);

export const extension = (path: string): string => {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  return name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : name;
};

export function shapeOf(path: string, bytes: number): Shape {
  const kind = extension(path);
  if (IMAGES.has(kind)) return "image";
  if (bytes > (kind === "ipynb" ? 32 << 20 : MOST_BYTES) || BINARY.has(kind)) return "none";
  if (kind === "ipynb") return "notebook";
  if (kind === "json") return "json";
  if (kind === "csv" || kind === "tsv") return "table";
  if (kind === "md") return "markdown";
  // Without a telling name a small file is worth a look: a binary one is recognised by its zero bytes.
  return TEXTS.has(kind) || bytes <= 1 << 20 ? "text" : "none";
}

export const looksBinary = (text: string): boolean => text.slice(0, 4096).includes("\u0000");

/** Reads comma- or tab-separated text with quotes as RFC 4180 says; stops after `most` rows. */
export function parseTable(
  text: string,
  separator: string,
  most: number,
): { rows: string[][]; isCut: boolean } {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  const endCell = () => {
    row.push(cell);
    cell = "";
  };
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') cell += text[++i];
      else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === separator) endCell();
    else if (c === "\n" || c === "\r") {
      if (c === "\r" && text[i + 1] === "\n") i += 1;
      endCell();
      if (row.length > 1 || row[0] !== "") rows.push(row);
      row = [];
      if (rows.length >= most) return { rows, isCut: i < text.length - 1 };
    } else cell += c;
  }
  endCell();
  if (row.length > 1 || row[0] !== "") rows.push(row);
  return { rows, isCut: false };
}
