"""What starts every command stays light."""

import subprocess
import sys


def test_analysis_starts_without_plotly_pandas_or_rich() -> None:
    heavy = ("plotly", "pandas", "rich", "torch", "ray", "mlflow", "scipy.stats")
    code = (
        f"import sys, paribus.analysis, paribus.report.drawing.tables; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
