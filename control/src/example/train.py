"""Train the digits classifier from the command line: `cairn run -- python train.py --learning-rate 0.1`."""

import argparse
import json
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()

    images, labels = load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images / 16.0, labels, test_size=0.25, random_state=7, stratify=labels
    )
    model = MLPClassifier(
        hidden_layer_sizes=(32,), solver="sgd", learning_rate_init=arguments.learning_rate, momentum=0.9, random_state=7
    )
    batches = np.random.default_rng(7)
    for epoch in range(1, arguments.epochs + 1):
        order = batches.permutation(len(train_images))
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            model.partial_fit(train_images[batch], train_labels[batch], classes=np.unique(labels))
        accuracy = float(model.score(test_images, test_labels))
        print(json.dumps({"epoch": epoch, "loss": float(model.loss_), "accuracy": accuracy}), flush=True)

    outputs = Path(os.environ.get("CAIRN_OUTPUTS", "outputs"))
    outputs.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, outputs / "model.joblib")


if __name__ == "__main__":
    main()
