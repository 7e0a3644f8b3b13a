"""The engine's program is found wherever the training runs, and nothing runs in the place of one that was named."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from small import need

need("pydantic", "yaml")

from algospace_train import executable  # noqa: E402
from algospace_train.settings import SettingsError, WalkForwardSettings  # noqa: E402


class Executable(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        self.enterContext(mock.patch.object(executable, "REPOSITORY", self.folder / "repository"))
        self.enterContext(mock.patch.dict(os.environ, {"PATH": str(self.folder / "nowhere")}, clear=True))
        before = Path.cwd()
        self.addCleanup(os.chdir, before)
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        os.chdir(elsewhere)

    def make(self, place: str) -> str:
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return str(path)

    def test_it_is_found_beside_the_package_from_every_folder(self) -> None:
        built = self.make("repository/target/release/algospace-hft")
        self.assertEqual(executable.find_program(WalkForwardSettings().program), built)

    def test_the_setting_comes_before_the_environment_and_that_before_the_package(self) -> None:
        self.make("repository/target/release/algospace-hft")
        named, given = self.make("named"), self.make("given")
        os.environ["ALGOSPACE_HFT"] = named
        self.assertEqual(executable.find_program(""), named)
        self.assertEqual(executable.find_program(given), given)

    def test_what_is_named_and_not_there_is_refused_by_name(self) -> None:
        self.make("repository/target/release/algospace-hft")
        with self.assertRaisesRegex(SettingsError, "program: /no/such: there is no such program"):
            executable.find_program("/no/such")
        os.environ["ALGOSPACE_HFT"] = "/no/such"
        with self.assertRaisesRegex(SettingsError, "ALGOSPACE_HFT: /no/such"):
            executable.find_program("")

    def test_where_none_is_it_says_where_it_looked(self) -> None:
        os.environ["CARGO_TARGET_DIR"] = "/somewhere"
        places = (
            f"/somewhere/release/algospace-hft, {self.folder}/repository/target/release/algospace-hft, nor on the PATH"
        )
        with self.assertRaisesRegex(SettingsError, places):
            executable.find_program("")


if __name__ == "__main__":
    unittest.main()
