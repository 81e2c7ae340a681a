#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Thunderbird, without a screen, with a person who clicks by script: folders, reading, flagging, moving, deleting,
sending with a copy in Sent, a draft, and news by IDLE, each seen from the other side too."""
import imaplib
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from marionette import Driven
from office import ALICE, BOB, OfficeCase, free_port, main, skip_all, wait_for

# What is common to the scripts: promises out of Thunderbird's listeners.
COMMON = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = () => MailServices.accounts.findServer(USER, "localhost", "imap");
const folder = name => server().rootFolder.getChildNamed(name).QueryInterface(Ci.nsIMsgImapMailFolder);
const listened = start => new Promise((resolve, reject) => {
    const done = (url, code) => code ? reject(new Error("0x" + code.toString(16))) : resolve();
    start({
        OnStartRunningUrl() {}, OnStopRunningUrl: done,
        onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; }, onStopCopy: code => done(null, code),
        onStartSending() {}, onSendProgress() {}, onStatus() {}, onSendNotPerformed() {}, onGetDraftFolderURI() {},
        onTransportSecurityError(id, code) { done(null, code); },
        onStopSending(id, code) { if (code) done(null, code); },
        QueryInterface: ChromeUtils.generateQI(["nsIUrlListener", "nsIMsgCopyServiceListener", "nsIMsgSendListener"]),
    });
});
const look = async name => { await listened(it => folder(name).updateFolderWithListener(null, it)); return folder(name); };
const letters = name => [...folder(name).messages];
const letter = (name, subject) => letters(name).find(one => one.mime2DecodedSubject == subject);
"""

ACCOUNT = """
const [imapPort, smtpPort, password, certificate] = arguments;
const known = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
const x509 = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).constructX509FromBase64(certificate);
for (const port of [imapPort, smtpPort])
    known.rememberValidityOverride("localhost", port, {}, x509, true);
const incoming = MailServices.accounts.createIncomingServer(USER, "localhost", "imap");
incoming.port = imapPort;
incoming.socketType = Ci.nsMsgSocketType.SSL;
incoming.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
incoming.password = password;
const outgoing = MailServices.outgoingServer.createServer("smtp");
outgoing.QueryInterface(Ci.nsISmtpServer);
outgoing.hostname = "localhost";
outgoing.port = smtpPort;
outgoing.username = USER;
outgoing.socketType = Ci.nsMsgSocketType.SSL;
outgoing.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
outgoing.password = password;
const identity = MailServices.accounts.createIdentity();
identity.email = USER;
identity.fullName = "Alice";
identity.smtpServerKey = outgoing.key;
identity.composeHtml = false;
const account = MailServices.accounts.createAccount();
account.addIdentity(identity);
account.incomingServer = incoming;
MailServices.accounts.defaultAccount = account;
"""

FOLDERS = """
await listened(it => MailServices.imap.discoverAllFolders(server().rootFolder, it, null));
return server().rootFolder.subFolders.map(one => one.name);
"""

READ = """
const uri = folder("INBOX").getUriForMsg(letter("INBOX", arguments[0]));
const text = await new Promise((resolve, reject) => {
    let all = "";
    MailServices.messageServiceFromURI(uri).streamMessage(uri, {
        onStartRequest() {},
        onStopRequest(request, code) { code ? reject(new Error(code)) : resolve(all); },
        onDataAvailable(request, stream, offset, count) {
            const reader = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream);
            reader.init(stream);
            all += reader.readBytes(count);
        },
        QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
    }, null, null, false, "", false);
});
return text;
"""

SEND = """
const [to, subject, body, mode] = arguments;
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
const identity = MailServices.accounts.defaultAccount.defaultIdentity;
fields.from = identity.email;
fields.to = to;
fields.subject = subject;
const sender = Cc["@mozilla.org/messengercompose/send;1"].createInstance(Ci.nsIMsgSend);
await listened(it => sender.createAndSendMessage(null, identity, MailServices.accounts.defaultAccount.key, fields, false, false,
    Ci.nsIMsgCompDeliverMode[mode], null, "text/plain", body, null, null, it, "", "", Ci.nsIMsgCompType.New));
"""


class Thunderbird(OfficeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = Path(tempfile.mkdtemp(prefix="ft-", dir="/tmp"))
        (cls.home / "profile").mkdir()
        cls.program = Driven(["thunderbird"], cls.home / "profile", free_port(), dict(os.environ, HOME=str(cls.home)))
        done = subprocess.run(["openssl", "x509", "-in", cls.office.folder / "tls/chain.pem", "-outform", "PEM"],
                              check=True, capture_output=True, text=True)
        certificate = "".join(done.stdout.split("\n")[1:-2])
        cls.say(ACCOUNT, cls.office.base + 993, cls.office.base + 465, cls.office.people[ALICE], certificate)

    @classmethod
    def tearDownClass(cls):
        cls.program.close()
        shutil.rmtree(cls.home, ignore_errors=True)

    @classmethod
    def say(cls, script, *arguments):
        return cls.program.run(f'const USER = "{ALICE}";' + COMMON + script, *arguments)

    def imap(self, mailbox):
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context, timeout=60)
        self.addCleanup(client.logout)
        client.login(ALICE, self.office.people[ALICE])
        client.select(mailbox)
        return client

    def numbers(self, mailbox, *keys):
        return self.imap(mailbox).search(None, *keys)[1][0].split()

    def test_a_day_with_thunderbird(self):
        self.assertLessEqual({"INBOX", "Drafts", "Sent", "Trash"}, set(self.say(FOLDERS)))
        for subject in ("one", "two", "three"):
            self.office.send(subject, body=b"Body of %s.\r\n" % subject.encode())
        self.assertTrue(wait_for(lambda: self.say('return (await look("INBOX")) && letters("INBOX").length >= 3')))
        self.assertIn("Body of two.", self.say(READ, "two"))

        self.say('folder("INBOX").markMessagesFlagged([letter("INBOX", "one")], true)')
        self.assertTrue(wait_for(lambda: self.numbers("INBOX", "FLAGGED", "SUBJECT", "one")))
        self.say('await listened(it => MailServices.copy.copyMessages(folder("INBOX"), [letter("INBOX", "two")], '
                 'folder("Archive"), true, it, null, false))')
        self.assertTrue(wait_for(lambda: self.numbers("Archive", "SUBJECT", "two")))
        self.assertEqual(self.numbers("INBOX", "UNDELETED", "SUBJECT", "two"), [])
        self.say('await listened(it => folder("INBOX").deleteMessages([letter("INBOX", "three")], null, false, false, it, false))')
        self.assertTrue(wait_for(lambda: self.numbers("Trash", "SUBJECT", "three")))

        self.say(SEND, BOB, "sent by it", "Hello, Bob.", "Now")
        self.assertTrue(wait_for(lambda: any(b"Hello, Bob." in text for text in self.office.messages(BOB))))
        self.assertTrue(wait_for(lambda: self.numbers("Sent", "SUBJECT", '"sent by it"')))
        self.say(SEND, BOB, "not yet", "Perhaps.", "SaveAsDraft")
        self.assertTrue(wait_for(lambda: self.numbers("Drafts", "DRAFT", "SUBJECT", '"not yet"')))

        self.office.send("news")  # heard of, not asked for
        self.assertTrue(wait_for(lambda: self.say('return !!letter("INBOX", "news")')))
        self.hear_while_busy()

    def hear_while_busy(self):
        """Letters that come while it stores flags: it is told of them with the answer to STORE, and passes over that."""
        for number in range(3):
            sender = threading.Thread(target=self.office.send, args=[f"meanwhile {number}"])
            sender.start()
            while sender.is_alive():
                self.say('folder("INBOX").markMessagesFlagged([letter("INBOX", "one")], arguments[0])', number % 2 == 0)
            self.say('folder("INBOX").markMessagesFlagged([letter("INBOX", "one")], arguments[0])', number % 2 == 1)
            self.assertTrue(wait_for(lambda shown=number: self.say(f'return !!letter("INBOX", "meanwhile {shown}")')), number)


if __name__ == "__main__":
    if not shutil.which("thunderbird"):
        skip_all("thunderbird is not installed")
    main()
