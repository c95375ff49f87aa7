"""What the long tests of reliability found, as a table and a sentence."""

import pandas as pd

from analysis.results.records import ReliabilityRecord


def reliability_table(found: ReliabilityRecord) -> pd.DataFrame:
    """What was tried and what came of it, as text.

    Parameters
    ----------
    found
        Figures of ``make torture``.

    Returns
    -------
    pandas.DataFrame
        One row per test, with its ``Result``.
    """
    kills = ", ".join(f"{command} {times}" for command, times in found.kills.items())
    rows = {
        "Broken photos of every kind, searched for faces in one process": f"{found.inputs:,}",
        "Broken photos and requests sent to a server": f"{found.requests:,}",
        "Answered with the status 500": f"{found.failures:,}",
        "Not answered in time": f"{found.hangs:,}",
        "Most memory for one photo of any kind": f"{found.photo_memory:,} MB",
        "Most memory of a server to which 32 clients send the largest photos": f"{found.server_memory:,} MB",
        "Time of one small photo over HTTP, beside the predictor alone": f"{found.photo_ratio:.2f} times",
        "Photos a second at 32 clients, beside the predictor alone": f"{found.throughput_ratio:.2f} times",
        "Longest wait (99 %) of what is accepted at 200 clients, beside the median at 32": (
            f"{found.crowded_ratio:.1f} times"
        ),
        "Kills (-9) after which the same command gave the same result": kills,
    }
    return pd.DataFrame({"Result": rows}).rename_axis("Test")


def reliability_reading(found: ReliabilityRecord) -> str:
    """The finding in a sentence."""
    failed = found.failures + found.hangs
    broken = "none failed or hung" if failed == 0 else f"{failed:,} failed or hung"
    return (
        f"Of {found.inputs + found.requests:,} broken photos and requests, {broken}; after each of "
        f"{sum(found.kills.values())} kills, the same command gave the same result."
    )
