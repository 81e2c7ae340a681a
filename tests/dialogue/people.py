# SPDX-License-Identifier: ISC
"""The people whom the dialogues speak of, and the settings that they want."""

# How the settings of dialogues are called in facteur.conf; others are for engines.
SETTINGS = {
    ("vrfy", "everybody"): "vrfy = all",
    ("expn", "everybody"): "expn = all",
    ("obsolete_commands", "on"): "obsolete_commands = yes",
    ("pop3_apop", "on"): "pop3_apop = yes",
    ("login_delay", "60"): "pop3_login_delay = 60s",
    ("expire", "30"): "pop3_expire = 30",
}
# What the demo's configuration says otherwise.
BASE = ["vrfy = cannot_tell", "expn = refuse"]

PEOPLE = {
    "jean@jussieu.fr": "Jean Breille",
    "jones@foo.com": "Jones",
    "brown@foo.com": "Brown",
    "Admin.MRC@foo.com": "Mark Crispin",
    "jsmith@foo.com": "Joe Smith",
    "hsmith@foo.com": "Harry Smith",
    "mrose@foo.com": "Marshall Rose",
}
LINES = """\
moved moved@foo.com to=moved@bar.com
moved older@foo.com to=brown@foo.com
domain catch.foo.com
alias @catch.foo.com to=jones@foo.com
alias known@catch.foo.com to=brown@foo.com
list exemple-email-list@foo.com to=jones@foo.com,brown@foo.com,jsmith@foo.com
"""
PASSWORD = "a password for dialogues"
# Who may use APOP.
WITH_APOP = {"mrose@foo.com"}


def config_lines(dialogue):
    """The lines for it, or the reason why there are none."""
    lines = list(BASE)
    for setting in dialogue.settings().items():
        if setting not in SETTINGS:
            return None, f"daemons have no setting for {' '.join(setting)}"
        lines.append(SETTINGS[setting])
    return lines, None
