# SPDX-License-Identifier: ISC
"""NSD with zones of a test's own, signed where asked, on a port of its own; below 127.0.0.1."""
import socket
import subprocess
from pathlib import Path

from office import free_port, wait_for

HEAD = """$ORIGIN {}.
$TTL 5
@ IN SOA ns hostmaster 1 3600 600 86400 5
@ IN NS ns
ns IN A 127.0.0.1
"""


class NameServer:
    """Construction writes and signs; `start` serves. `anchors` names the file of the trust anchors."""

    def __init__(self, folder, zones, signed=()):
        """`zones`: the name of each and its records; files are written below `folder`."""
        self.folder, self.port, self.process = Path(folder), free_port(), None
        self.anchors = self.folder / "anchors"
        self._files = {}
        anchors = ""
        for zone, text in zones.items():
            self._files[zone] = self.folder / zone
            self._files[zone].write_text(HEAD.format(zone) + text)
            if zone in signed:
                anchors += self._sign(zone)
        self.anchors.write_text(anchors)

    def _sign(self, zone):
        key = subprocess.run(["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone], cwd=self.folder,
                             check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["ldns-signzone", "-f", f"{zone}.signed", zone, key], cwd=self.folder,
                       check=True, capture_output=True)
        self._files[zone] = self.folder / f"{zone}.signed"
        return (self.folder / f"{key}.key").read_text()

    def file(self, zone):
        """What is served for `zone`."""
        return self._files[zone]

    def start(self):
        zones = "".join(f"zone:\n name: {zone}\n zonefile: {path}\n" for zone, path in self._files.items())
        (self.folder / "nsd.conf").write_text(f"""server:
 ip-address: 127.0.0.1@{self.port}
 zonesdir: {self.folder}
 database: ""
 pidfile: {self.folder}/nsd.pid
 xfrdfile: {self.folder}/xfrd.state
 zonelistfile: {self.folder}/zone.list
 username: ""
 server-count: 1
remote-control:
 control-enable: no
{zones}""")
        with open(self.folder / "nsd.log", "wb") as log:
            self.process = subprocess.Popen(["nsd", "-d", "-c", self.folder / "nsd.conf"], stdout=log,
                                            stderr=log)
        if not wait_for(lambda: self.process.poll() is not None or self._answers()) or not self._answers():
            raise RuntimeError("NSD does not answer: " + (self.folder / "nsd.log").read_text())

    def _answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
