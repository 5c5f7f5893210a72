"""The code of docs/guides/estimators.md, run as it stands."""

import re
import shutil
from pathlib import Path

from trialwise.prices.reader import embedded_prices

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "estimators.md"


def test_the_guides_code_runs(tmp_path, capsys):
    shutil.copy(embedded_prices("AAPL"), tmp_path / "AAPL.csv")
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    assert len(blocks) == 4
    names = {}
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"{GUIDE.name}, block {number}", "exec"), names)
    assert names["classifier"].score(names["X_test"], names["y_test"]) > 0.5
    assert "{'epochs': 3}" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} - {"cache"} == {
        "AAPL.csv",
        "aapl-forecaster",
        "digits-classifier",
    }
