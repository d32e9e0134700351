/** What the mock's files hold. */

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC";

const code = (count: number, source: string, outputs: unknown[] = [], tags: string[] = []) => ({
  cell_type: "code",
  execution_count: count,
  metadata: { tags },
  source,
  outputs,
});

const notebook = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { language_info: { name: "python" } },
  cells: [
    {
      cell_type: "markdown",
      metadata: {},
      source:
        "# Digits\n\nA small classifier on *scikit-learn's own* data. See `metrics.json`.\n\n| set | images |\n|---|---|\n| train | 1437 |\n| test | 360 |",
    },
    code(1, "epochs = 20\nlearning_rate = 0.01", [], ["parameters"]),
    code(2, "epochs = 200\nlearning_rate = 0.05", [], ["injected-parameters"]),
    code(
      3,
      'import json\n\nfor step in range(epochs):\n    loss = train(step)  # one pass over the data\n    print(json.dumps({"step": step, "loss": loss}))',
      [
        {
          output_type: "stream",
          name: "stdout",
          text: ['{"step": 0, "loss": 2.31}\n', '{"step": 1, "loss": 2.18}\n'],
        },
      ],
    ),
    code(4, "report.head()", [
      {
        output_type: "execute_result",
        data: {
          "text/html":
            "<style>x{}</style><script>alert(1)</script><table border=1 onclick='alert(2)'><thead><tr><th></th><th>precision</th><th>recall</th></tr></thead><tbody><tr><th>0</th><td>0.99</td><td>1.00</td></tr><tr><th>1</th><td>0.97</td><td>0.98</td></tr></tbody></table>",
        },
      },
    ]),
    code(5, "show(confusion)", [
      { output_type: "display_data", data: { "image/png": PIXEL, "text/plain": "<Figure>" } },
    ]),
    code(6, "float('n/a')", [
      {
        output_type: "error",
        ename: "ValueError",
        evalue: "could not convert",
        traceback: ["\u001b[0;31mValueError\u001b[0m: could not convert string to float: 'n/a'"],
      },
    ]),
  ],
};

export const contents: Record<string, string> = {
  "digits.ipynb": JSON.stringify(notebook),
  "use-model.ipynb": JSON.stringify({ ...notebook, cells: notebook.cells.slice(0, 2) }),
  "metrics.json": JSON.stringify(
    {
      accuracy: 0.9778,
      loss: 0.0713,
      per_class: Array.from({ length: 10 }, (_, i) => ({ digit: i, f1: 0.97 + (i % 3) / 100 })),
    },
    null,
    2,
  ),
  "confusion.csv": 'digit,0,1,2,3\n0,36,0,0,0\n1,0,35,1,0\n2,0,0,35,0\n"3, sometimes",0,0,1,36\n',
  "train.py":
    'import json\n\n\ndef main(epochs: int = 10) -> None:\n    """Trains for a while."""\n    for step in range(epochs):\n        print(json.dumps({"step": step}))\n\n\nmain()\n',
  "README.md": "# Examples\n\nRun `digits.ipynb` from top to bottom, then run it **as a job**.\n",
};
