"""Serves a made-up run without a network: `python made_run.py PORT FOLDER`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "dashboard")]


def main() -> None:
    import uvicorn
    from fakes import FakePredictor
    from synthetic import write_results

    from dashboard.server import configure, create_app
    from dashboard.settings import Settings

    folder = Path(sys.argv[2])
    site = folder / "site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("<!doctype html><title>the report</title>", encoding="utf-8")
    settings = Settings(port=int(sys.argv[1]))
    config = configure(create_app(write_results(folder / "run").folder, site, FakePredictor(), settings), settings)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
