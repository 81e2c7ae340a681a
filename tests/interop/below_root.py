#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A data folder below one that only root may pass (like /root): every role works there under its own user, the text index among them."""
import os
import shutil
import tempfile
import unittest
from pathlib import Path

from office import ALICE, Lines, Office, main, skip_all, wait_for


class BelowRoot(unittest.TestCase):
    def test_mail_is_kept_indexed_and_found(self):
        above = Path(tempfile.mkdtemp(prefix="fr-", dir="/tmp"))  # 0700
        self.addCleanup(shutil.rmtree, above)
        folder = above / "office"
        folder.mkdir()
        office = Office(folder)
        self.addCleanup(office.close)
        office.send("below", body=b"A needle.\r\n")
        index = folder / "data/index/index.db"
        self.assertTrue(wait_for(index.exists), office.log_text()[-2000:])
        with Lines(office.base + 143) as client:
            client.line()
            for words in (f'a LOGIN {ALICE} "{office.people[ALICE]}"', "a SELECT INBOX", "a SEARCH BODY needle"):
                client.put(words.encode() + b"\r\n")
                said = []
                while not said or not said[-1].startswith("a "):
                    said.append(client.line())
                self.assertTrue(said[-1].startswith("a OK"), said)
            self.assertRegex(said[0], r"^\* SEARCH \d+$")
        self.assertNotIn("index_not_opened", office.log_text())
        office.tool("check")


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip_all("only root has users to give to roles")
    main()
