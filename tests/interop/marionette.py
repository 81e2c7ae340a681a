# SPDX-License-Identifier: ISC
"""Drives a program of Mozilla's by Marionette: JSON over TCP, each message behind its length and a colon."""
import json
import os
import signal
import socket
import subprocess
import time

START_S = 120


class Driven:
    """A program that runs without a screen, and scripts in it that may do what the program may."""

    def __init__(self, words, profile, port, env, answer_s=60):
        self.answer_s = answer_s
        self.number = 0
        (profile / "user.js").write_text(f'user_pref("marionette.port", {port});\n' + self.settings())
        self.log = open(profile / "log", "wb")
        self.process = subprocess.Popen([*words, "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(profile)],
                                        env=env, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            self.connect(port)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def settings():
        """Nothing is fetched, asked or shown that nobody asked for."""
        values = {"app.update.enabled": False, "browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
                  "mailnews.start_page.enabled": False, "mail.provider.suppress_dialog_on_startup": True, "mail.rights.version": 1,
                  "mail.shell.checkDefaultClient": False, "mail.spotlight.firstRunDone": True, "network.captive-portal-service.enabled": False,
                  "network.connectivity-service.enabled": False, "services.settings.server": "", "extensions.update.enabled": False,
                  "mailnews.auto_config_url": "", "toolkit.telemetry.enabled": False, "app.donation.eoy.version.viewed": 999}
        return "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in values.items())

    def connect(self, port):
        late = time.monotonic() + START_S
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=self.answer_s)
                break
            except OSError as error:
                if time.monotonic() > late or self.process.poll() is not None:
                    raise AssertionError("it cannot be driven: " + self.said()) from error
                time.sleep(0.1)
        self.file = self.socket.makefile("rb")
        self.read()
        self.ask("WebDriver:NewSession", {"capabilities": {}})
        self.ask("Marionette:SetContext", {"value": "chrome"})
        self.ask("WebDriver:SetTimeouts", {"script": self.answer_s * 1000})

    def said(self):
        with open(self.log.name, "rb") as log:
            return log.read()[-2000:].decode(errors="replace")

    def read(self):
        size = b""
        while not size.endswith(b":"):
            byte = self.file.read(1)
            if not byte:
                raise AssertionError("it has ended: " + self.said())
            size += byte
        return json.loads(self.file.read(int(size[:-1])))

    def ask(self, command, parameters):
        self.number += 1
        text = json.dumps([0, self.number, command, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        while True:
            answer = self.read()
            if answer[0] == 1 and answer[1] == self.number:
                if answer[2]:
                    raise AssertionError(f"{command}: {answer[2].get('message')}")
                return answer[3]

    def run(self, script, *arguments):
        """What the body of an async function returns."""
        return self.ask("WebDriver:ExecuteScript", {
            "script": f"return (async () => {{ {script} }})();", "args": list(arguments), "sandbox": "system", "newSandbox": False})["value"]

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()
