"""Runs a `meanface` command as the command line does, with a network that trains in seconds.

``python small_command.py train demo --epochs 2``.
"""

import functools
import sys


def main() -> None:
    if sys.argv[1] == "train":
        from model.training import train
        from model.training.architecture import Architecture

        small = Architecture(height=40, width=40, filters=(4, 8), blocks=(1, 1))
        train.Training = functools.partial(train.Training, architecture=small, sizes=(1.0,))  # type: ignore[misc]
    from meanface import main as command

    command()


if __name__ == "__main__":
    main()
