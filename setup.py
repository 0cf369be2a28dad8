"""The one thing about the wheel that pyproject.toml cannot say: a file beside the packages, for Python's start."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HOOK = "paribus_ray.pth"


class WithHook(build_py):
    """The packages, and what has the command `ray` find its token (platform/paribus/host/ray_command.py)."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # `make env` copies it there
            self.copy_file(f"platform/{HOOK}", str(Path(self.build_lib, HOOK)))


setup(cmdclass={"build_py": WithHook})
