#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Makes the corpus of messages: make_messages.py FOLDER

The same messages on every machine (no clock, no other randomness than a seed). Run it after a change
and commit what it made. Groups, by the beginning of the name:

    rfc-      examples of RFC 5322, 2045-2049, 2231, 2183
    case-     the D cases: D1 to D7
    charset-  text in every charset that Python writes, in each transfer encoding
    header-   encoded words and parameters, good and bad
    tree-     random trees of parts
    broken-   malformed boundaries, headers, encodings, line ends
    limit-    nesting and sizes at the limits
"""

import base64
import pathlib
import quopri
import random
import sys
import textwrap

MESSAGES = {}


def add(name, data):
    if isinstance(data, str):
        data = data.encode("utf-8")
    if name in MESSAGES:
        raise SystemExit("two messages called " + name)
    MESSAGES[name] = data


def crlf(text):
    """A text block of this script as message octets: dedented, CRLF."""
    return textwrap.dedent(text).lstrip("\n").replace("\n", "\r\n").encode("utf-8")


HEAD = (b"From: Jean Breille <jean@jussieu.fr>\r\nTo: Paul Ochon <paul@uvsq.fr>\r\n"
        b"Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1234@local.machine.example>\r\n"
        b"MIME-Version: 1.0\r\n")


# ---- examples of the standards ------------------------------------------------------------------


def rfc_5322():
    """Appendix A."""
    a11 = """
        From: John Doe <jdoe@machine.example>
        To: Mary Smith <mary@example.net>
        Subject: Saying Hello
        Date: Fri, 21 Nov 1997 09:55:06 -0600
        Message-ID: <1234@local.machine.example>

        This is a message just to say hello.
        So, "Hello".
        """
    add("rfc-5322-a11", crlf(a11))
    add("rfc-5322-a11-sender", crlf(a11).replace(
        b"To:", b"Sender: Michael Jones <mjones@machine.example>\r\nTo:"))
    add("rfc-5322-a12-addresses", crlf("""
        From: "Joe Q. Public" <john.q.public@example.com>
        To: Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>
        Cc: <boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>
        Date: Tue, 1 Jul 2003 10:52:37 +0200
        Message-ID: <5678.21-Nov-1997@example.com>

        Hi everyone.
        """))
    add("rfc-5322-a13-groups", crlf("""
        From: Pete <pete@silly.example>
        To: A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;
        Cc: Undisclosed recipients:;
        Date: Thu, 13 Feb 1969 23:32:54 -0330
        Message-ID: <testabcd.1234@silly.example>

        Testing.
        """))
    add("rfc-5322-a2-reply", crlf("""
        From: Mary Smith <mary@example.net>
        To: John Doe <jdoe@machine.example>
        Reply-To: "Mary Smith: Personal Account" <smith@home.example>
        Subject: Re: Saying Hello
        Date: Fri, 21 Nov 1997 10:01:10 -0600
        Message-ID: <3456@example.net>
        In-Reply-To: <1234@local.machine.example>
        References: <1234@local.machine.example>

        This is a reply to your hello.
        """))
    add("rfc-5322-a3-resent", crlf("""
        Resent-From: Mary Smith <mary@example.net>
        Resent-To: Jane Brown <j-brown@other.example>
        Resent-Date: Mon, 24 Nov 1997 14:22:01 -0800
        Resent-Message-ID: <78910@example.net>
        """) + crlf(a11))
    add("rfc-5322-a4-trace", crlf("""
        Received: from x.y.test
           by example.net
           via TCP
           with ESMTP
           id ABC12345
           for <mary@example.net>;  21 Nov 1997 10:05:43 -0600
        Received: from node.example by x.y.test; 21 Nov 1997 10:01:22 -0600
        """) + crlf(a11))
    add("rfc-5322-a5-white-space", crlf("""
        From: Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>
        To:A Group(Some people)
             :Chris Jones <c@(Chris's host.)public.example>,
                 joe@example.org,
          John <jdoe@one.test> (my dear friend); (the end of the group)
        Cc:(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;
        Date: Thu,
              13
                Feb
                  1969
              23:32
                       -0330 (Newfoundland Time)
        Message-ID:              <testabcd.1234@silly.test>

        Testing.
        """))
    add("rfc-5322-a61-obsolete-addresses", crlf("""
        From: Joe Q. Public <john.q.public@example.com>
        To: Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example
        Date: Tue, 1 Jul 2003 10:52:37 +0200
        Message-ID: <5678.21-Nov-1997@example.com>

        Hi everyone.
        """))
    add("rfc-5322-a62-obsolete-date", crlf(a11).replace(
        b"Fri, 21 Nov 1997 09:55:06 -0600", b"21 Nov 97 09:55:06 GMT"))
    add("rfc-5322-a63-obsolete-white-space", crlf("""
        From  : John Doe <jdoe@machine(comment).  example>
        To    : Mary Smith
        @@
                  <mary@example.net>
        Subject     : Saying Hello
        Date  : Fri, 21 Nov 1997 09(comment):   55  :  06 -0600
        Message-ID  : <1234   @   local(blah)  .machine .example>

        This is a message just to say hello.
        So, "Hello".
        """).replace(b"@@", b"  "))


def rfc_mime():
    add("rfc-2046-511-simple", crlf("""
        From: Nathaniel Borenstein <nsb@bellcore.com>
        To: Ned Freed <ned@innosoft.com>
        Date: Sun, 21 Mar 1993 23:56:48 -0800 (PST)
        Subject: Sample message
        MIME-Version: 1.0
        Content-type: multipart/mixed; boundary="simple boundary"

        This is the preamble.  It is to be ignored, though it
        is a handy place for composition agents to include an
        explanatory note to non-MIME conformant readers.

        --simple boundary

        This is implicitly typed plain US-ASCII text.
        It does NOT end with a linebreak.
        --simple boundary
        Content-type: text/plain; charset=us-ascii

        This is explicitly typed plain US-ASCII text.
        It DOES end with a linebreak.

        --simple boundary--

        This is the epilogue.  It is also to be ignored.
        """))
    add("rfc-2046-514-alternative", crlf("""
        From: Nathaniel Borenstein <nsb@bellcore.com>
        To: Ned Freed <ned@innosoft.com>
        Date: Mon, 22 Mar 1993 09:41:09 -0800 (PST)
        Subject: Formatted text mail
        MIME-Version: 1.0
        Content-Type: multipart/alternative; boundary=boundary42

        --boundary42
        Content-Type: text/plain; charset=us-ascii

          ... plain text version of message goes here ...

        --boundary42
        Content-Type: text/enriched

          ... RFC 1896 text/enriched version of same message
              goes here ...

        --boundary42
        Content-Type: application/x-whatever

          ... fanciest version of same message goes here ...

        --boundary42--
        """))
    digest = crlf("""
        From: Moderator-Address
        To: Recipient-List
        Date: Mon, 22 Mar 1994 13:34:51 +0000
        Subject: Internet Digest, volume 42
        MIME-Version: 1.0
        Content-Type: multipart/mixed;
                      boundary="---- main boundary ----"

        ------ main boundary ----

          ...Introductory text or table of contents...

        ------ main boundary ----
        Content-Type: multipart/digest;
                      boundary="---- next message ----"

        ------ next message ----

        From: someone-else
        Date: Fri, 26 Mar 1993 11:13:32 +0200
        Subject: my opinion

          ...body goes here ...

        ------ next message ----

        From: someone-else-again
        Date: Fri, 26 Mar 1993 10:07:13 -0500
        Subject: my different opinion

          ... another body goes here ...

        ------ next message ------

        ------ main boundary ------
        """)
    add("rfc-2046-515-digest", digest)
    add("rfc-2046-512-outer-boundary-ends-inner", digest.replace(b"------ next message ------\r\n", b""))
    add("rfc-2046-522-partial", crlf("""
        X-Weird-Header-1: Foo
        From: Bill@host.com
        To: joe@otherhost.com
        Date: Fri, 26 Mar 1993 12:59:38 -0500 (EST)
        Subject: Audio mail (part 1 of 2)
        Message-ID: <id1@host.com>
        MIME-Version: 1.0
        Content-type: message/partial; id="ABC@host.com";
                      number=1; total=2

        X-Weird-Header-1: Bar
        X-Weird-Header-2: Hello
        Message-ID: <anotherid@foo.com>
        Subject: Audio mail
        MIME-Version: 1.0
        Content-type: audio/basic
        Content-transfer-encoding: base64

        AAECAwQF
        """))
    add("rfc-2046-523-external-body", crlf("""
        From: Whomever
        To: Someone
        Date: Whenever
        Subject: whatever
        MIME-Version: 1.0
        Message-ID: <id1@host.com>
        Content-Type: multipart/alternative; boundary=42
        Content-ID: <id001@guppylake.bellcore.com>

        --42
        Content-Type: message/external-body; name="BodyFormats.ps";
                      site="thumper.bellcore.com"; mode="image";
                      access-type=ANON-FTP; directory="pub";
                      expiration="Fri, 14 Jun 1991 19:13:14 -0400 (EDT)"

        Content-type: application/postscript
        Content-ID: <id42@guppylake.bellcore.com>

        --42
        Content-Type: message/external-body; access-type=mail-server
                      server="listserv@bogus.bitnet";
                      expiration="Fri, 14 Jun 1991 19:13:14 -0400 (EDT)"

        Content-type: application/postscript
        Content-ID: <id42@guppylake.bellcore.com>

        get RFC-MIME.DOC

        --42--
        """))
    add("rfc-2049-a-complex", crlf("""
        MIME-Version: 1.0
        From: Nathaniel Borenstein <nsb@nsb.fv.com>
        To: Ned Freed <ned@innosoft.com>
        Date: Fri, 07 Oct 1994 16:15:05 -0700 (PDT)
        Subject: A multipart example
        Content-Type: multipart/mixed;
                      boundary=unique-boundary-1

        This is the preamble area of a multipart message.
        Mail readers that understand multipart format
        should ignore this preamble.

        If you are reading this text, you might want to
        consider changing to a mail reader that understands
        how to properly display multipart messages.

        --unique-boundary-1

          ... Some text appears here ...

        --unique-boundary-1
        Content-type: text/plain; charset=US-ASCII

        This could have been part of the previous part, but
        illustrates explicit versus implicit typing of body
        parts.

        --unique-boundary-1
        Content-Type: multipart/parallel; boundary=unique-boundary-2

        --unique-boundary-2
        Content-Type: audio/basic
        Content-Transfer-Encoding: base64

        AAECAwQFBgcICQ==

        --unique-boundary-2
        Content-Type: image/jpeg
        Content-Transfer-Encoding: base64

        /9j/4AAQSkZJRg==

        --unique-boundary-2--

        --unique-boundary-1
        Content-type: text/enriched

        This is <bold><italic>enriched.</italic></bold>
        <smaller>as defined in RFC 1896</smaller>

        Isn't it
        <bigger><bigger>cool?</bigger></bigger>

        --unique-boundary-1
        Content-Type: message/rfc822

        From: (mailbox in US-ASCII)
        To: (address in US-ASCII)
        Subject: (subject in US-ASCII)
        Content-Type: Text/plain; charset=ISO-8859-1
        Content-Transfer-Encoding: Quoted-printable

          ... Additional text in ISO-8859-1 goes here ... =E9

        --unique-boundary-1--
        """))
    add("rfc-2045-comments-in-type", HEAD + crlf("""
        Content-Type: text/plain; charset=us-ascii (Plain text)
        Content-Transfer-Encoding: (nothing) 7bit (at all)

        Text.
        """))
    add("rfc-2047-8-headers", crlf("""
        From: =?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>
        To: =?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>
        CC: =?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>
        Subject: =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=
         =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=

        Text.
        """))
    for number, words in enumerate([
            "(=?ISO-8859-1?Q?a?=)", "(=?ISO-8859-1?Q?a?= b)",
            "(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)",
            "(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(=?ISO-8859-1?Q?a_b?=)",
            "(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)"]):
        add(f"rfc-2047-8-words-{number}", b"Subject: " + words.encode() + b"\r\n" + HEAD + b"\r\nx\r\n")
    for number, field in enumerate([
            'message/external-body; access-type=URL;\r\n URL*0="ftp://";\r\n'
            ' URL*1="cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"',
            "application/x-stuff;\r\n title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            "application/x-stuff;\r\n title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n"
            ' title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2="isn\'t it!"',
            "application/x-stuff; title*2=\"isn't it!\"; title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n"
            " title*0*=us-ascii'en'This%20is%20even%20more%20"]):
        add(f"rfc-2231-{number}", HEAD + b"Content-Type: " + field.encode() + b"\r\n\r\nx\r\n")
    add("rfc-2183-attachment", HEAD + crlf("""
        Content-Type: image/jpeg
        Content-Disposition: attachment; filename=genome.jpeg;
          modification-date="Wed, 12 Feb 1997 16:29:51 -0500";
        Content-Description: a complete map of the human genome
        Content-Transfer-Encoding: base64

        /9j/4AAQSkZJRg==
        """))
    add("rfc-3676-flowed", HEAD + crlf("""
        Content-Type: text/plain; charset=us-ascii; format=flowed; delsp=yes

        `Take some more tea,' the March Hare said to Alice, very \n        earnestly.

        > quoted
        """))


def cases():
    add("case-d1", crlf("""
        Return-Path: <paul@uvsq.fr>
        Received: from soleil.uvsq.fr by shiva.jussieu.fr; Fri, 21 Nov 1997 09:55:06 +0100
        From: paul@uvsq.fr (Paul Ochon)
        To: jean@jussieu.fr (Jean Breille), "Jacques Selere" <jacques @ urec.fr>
        Cc: liste:un@a.fr,deux@b.fr;
        Bcc: secret@c.fr
        Sender: secretaire@uvsq.fr
        Reply-To: reponse@uvsq.fr
        Subject: un sujet
          sur deux lignes
        Date: Fri, 21 Nov 1997 09:55:06 +0100
        Message-Id: <199711210855.JAA01@soleil.uvsq.fr>
        In-Reply-To: <avant@jussieu.fr>
        References: <premier@jussieu.fr>
         <avant@jussieu.fr>
        Resent-From: autre@d.fr
        Resent-Date: Sat, 22 Nov 1997 09:55:06 +0100

        Bonjour.
        """))
    for encoding in ("7bit", "8bit", "binary", "quoted-printable", "base64"):
        body = "caf\u00e9 =\r\n" if encoding in ("8bit", "binary") else "cafe =\r\n"
        data = body.encode()
        if encoding == "base64":
            data = base64.encodebytes(data).replace(b"\n", b"\r\n")
        elif encoding == "quoted-printable":
            data = quopri.encodestring(data)
        add(f"case-d2-{encoding}", HEAD + crlf(f"""
            Content-Type: text/plain (un commentaire); charset=utf-8 (un autre)
            Content-Transfer-Encoding: {encoding}
            Content-ID: <d2@uvsq.fr>
            Content-Description: une description
            Content-Disposition: inline

            """) + data)
    for subtype in ("mixed", "alternative", "parallel", "digest", "related", "signed", "encrypted"):
        add(f"case-d2-multipart-{subtype}", HEAD + crlf(f"""
            Content-Type: multipart/{subtype}; boundary=b

            --b

            Subject: one

            first
            --b
            Content-Type: application/octet-stream

            second
            --b--
            """))
    for kind in ("image/gif", "audio/basic", "video/mpeg", "application/postscript", "model/vrml",
                 "font/ttf", "chemical/x-pdb", "text/html", "text/enriched"):
        add("case-d2-" + kind.replace("/", "-"), HEAD + f"Content-Type: {kind}\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\nR0lGODlhAQABAIAAAAUEBA==\r\n".encode())
    add("case-d3", crlf("""
        From: Nathaniel Borenstein <nsb@bellcore.com>
        To: Ned Freed <ned@innosoft.com>
        Subject: exemple
        MIME-Version: 1.0
        Content-type: multipart/mixed; boundary="une simple limite"

        Ceci est le prologue : a ignorer.
        --une simple limite

        Texte US-ASCII implicite.
        Il ne se termine PAS par un saut de ligne.
        --une simple limite
        Content-type: text/plain; charset=us-ascii

        Texte US-ASCII explicite.
        Il se termine par un saut de ligne.

        --une simple limite--
        Ceci est l'epilogue : a ignorer aussi.
        """))
    add("case-d4", HEAD + crlf("""
        Content-Type: text/plain
        Content-Transfer-Encoding: quoted-printable

        Now's the time =
        for all folk to come=
         to the aid of their country.
        """))
    add("case-d5", HEAD + crlf("""
        Content-Type: application/octet-stream
        Content-Transfer-Encoding: base64

        I1yR
        """))
    add("case-d6", crlf("""
        From: Gerard Florin <florin@cnam.fr>
        To: paul@uvsq.fr
        Subject: publication
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary="----=_NextPart_000_0001"

        This is a multi-part message in MIME format.

        ------=_NextPart_000_0001
        Content-Type: text/plain; charset="iso-8859-1"
        Content-Transfer-Encoding: quoted-printable

        Ci-joint la publication.
        G=E9rard Florin

        ------=_NextPart_000_0001
        Content-Type: application/msword; name="publi.doc"
        Content-Transfer-Encoding: base64
        Content-Disposition: attachment; filename="publi.doc"

        0M8R4KGxGuEAAAAAAAAAAAAAAAAAAAAAPgADAP7/CQAGAAAAAAAAAAAAAAABAAAAKQAAAAAA
        AAAAEAAAKwAAAAEAAAD+////AAAAACgAAAD/////

        ------=_NextPart_000_0001--
        """))
    add("case-d7", crlf("""
        From: =?iso-8859-1?Q?G=E9rard_Florin?= <florin@cnam.fr>
        To: =?utf-8?B?UGF1bCDDiXRpZW5uZQ==?= <paul@uvsq.fr>
        Subject: =?utf-8?Q?R=C3=A9union_d?= =?utf-8?Q?'=C3=A9t?= =?utf-8?Q?=C3=A9?=
        MIME-Version: 1.0
        Content-Type: application/pdf; name*=iso-8859-1''compte%20rendu%20de%20r%E9union.pdf
        Content-Disposition: attachment;
         filename*0*=utf-8'fr'compte%20rendu%20de%20;
         filename*1*=r%C3%A9union;
         filename*2=".pdf"

        x
        """))


# ---- charsets ------------------------------------------------------------------------------------

LATIN = "Un \u00e9t\u00e9 \u00e0 No\u00ebl, na\u00efve gar\u00e7on: \u00fcber \u00d8re."
TEXTS = {
    "us-ascii": ("ascii", "Plain as it can be."),
    "utf-8": ("utf-8", "\u00e9 \u4e2d\u6587 \U0001f600 \u05d0\u05d1 \u20ac"),
    "iso-8859-1": ("iso8859-1", LATIN), "iso-8859-15": ("iso8859-15", LATIN + " \u20ac \u0153"),
    "windows-1252": ("cp1252", LATIN + " \u201cquoted\u201d \u20ac"),
    "macintosh": ("mac-roman", LATIN), "ibm850": ("cp850", LATIN), "ibm437": ("cp437", "\u00e9\u00e0"),
    "iso-8859-2": ("iso8859-2", "Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144"),
    "windows-1250": ("cp1250", "P\u0159\u00edli\u0161 \u017elu\u0165ou\u010dk\u00fd k\u016f\u0148"),
    "iso-8859-3": ("iso8859-3", "\u0109e\u011do\u0135a\u016d"),
    "iso-8859-4": ("iso8859-4", "\u0101\u010d\u0113\u0123\u012b"),
    "iso-8859-10": ("iso8859-10", "\u0101\u010d\u0113\u0123\u012b"),
    "iso-8859-13": ("iso8859-13", "\u0101\u010d\u0113\u0123\u012b"),
    "windows-1257": ("cp1257", "\u0101\u010d\u0113\u0123\u012b"),
    "iso-8859-14": ("iso8859-14", "\u0175 \u0177 \u1e03"),
    "iso-8859-16": ("iso8859-16", "\u0219 \u021b \u0103"),
    "iso-8859-5": ("iso8859-5", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440"),
    "koi8-r": ("koi8-r", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440"),
    "koi8-u": ("koi8-u", "\u041f\u0440\u0438\u0432\u0456\u0442 \u0491"),
    "windows-1251": ("cp1251", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440"),
    "ibm866": ("cp866", "\u041f\u0440\u0438\u0432\u0435\u0442"),
    "iso-8859-6": ("iso8859-6", "\u0645\u0631\u062d\u0628\u0627"),
    "windows-1256": ("cp1256", "\u0645\u0631\u062d\u0628\u0627"),
    "iso-8859-7": ("iso8859-7", "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1"),
    "windows-1253": ("cp1253", "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1"),
    "iso-8859-8": ("iso8859-8", "\u05e9\u05dc\u05d5\u05dd"),
    "windows-1255": ("cp1255", "\u05e9\u05dc\u05d5\u05dd"),
    "iso-8859-9": ("iso8859-9", "\u0130stanbul \u011f\u0131\u015f"),
    "windows-1254": ("cp1254", "\u0130stanbul \u011f\u0131\u015f"),
    "windows-1258": ("cp1258", "\u0110\u01b0\u01a1"),
    "tis-620": ("tis-620", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35"),
    "iso-2022-jp": ("iso2022-jp", "\u3053\u3093\u306b\u3061\u306f \u4e16\u754c"),
    "shift_jis": ("shift_jis", "\u3053\u3093\u306b\u3061\u306f \u4e16\u754c"),
    "euc-jp": ("euc-jp", "\u3053\u3093\u306b\u3061\u306f \u4e16\u754c"),
    "iso-2022-kr": ("iso2022-kr", "\uc548\ub155"), "euc-kr": ("euc-kr", "\uc548\ub155 \uc138\uacc4"),
    "gb2312": ("gb2312", "\u4f60\u597d \u4e16\u754c"), "gbk": ("gbk", "\u4f60\u597d \u4e16\u754c"),
    "gb18030": ("gb18030", "\u4f60\u597d \U00020000"), "big5": ("big5", "\u4f60\u597d \u4e16\u754c"),
    "utf-7": ("utf-7", "\u00e9 \u4e2d"), "utf-16": ("utf-16", "\u00e9 \u4e2d"),
    "utf-16be": ("utf-16-be", "\u00e9 \u4e2d"), "utf-16le": ("utf-16-le", "\u00e9 \u4e2d"),
}


def charsets():
    for name, (codec, text) in TEXTS.items():
        octets = (text + "\r\nsecond line\r\n").encode(codec)
        head = HEAD + b"Subject: " + encoded_word(name, text.encode(codec), "B") + b"\r\n"
        forms = {"base64": base64.encodebytes(octets).replace(b"\n", b"\r\n"),
                 "quoted-printable": quopri.encodestring(octets)}
        if not name.startswith("utf-16"):
            forms["8bit"] = octets
        for encoding, body in forms.items():
            add(f"charset-{name}-{encoding}", head + (
                f"Content-Type: text/plain; charset={name}\r\n"
                f"Content-Transfer-Encoding: {encoding}\r\n\r\n").encode() + body)
    add("charset-unknown", HEAD + b"Content-Type: text/plain; charset=x-martian\r\n\r\n\xe9\xff\r\n")
    add("charset-none-8bit", HEAD + b"\r\ncaf\xe9\r\n")
    add("charset-utf-8-broken", HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xc3(\xff\r\n")


def encoded_word(charset, octets, form):
    if form == "B":
        text = base64.b64encode(octets)
    else:
        text = b"".join(b"_" if c == 32 else bytes([c]) if chr(c).isalnum() and c < 128
                        else b"=%02X" % c for c in octets)
    return b"=?" + charset.encode() + b"?" + form.encode() + b"?" + text + b"?="


def headers():
    subjects = [
        "plain", "", "=?utf-8?Q??=", "=?utf-8?B??=", "=?utf-8?q?=c3=a9?=", "=?UTF-8?b?w6k=?=",
        "=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "=?utf-8?B?w6?= =?utf-8?B?k=?=", "=?utf-8?Q?a?=b",
        "a=?utf-8?Q?b?=", "=?utf-8?Q?a?= b =?utf-8?Q?c?=", "=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=",
        "=?utf-8?Q?a b?=", "=?utf-8?X?a?=", "=?utf-8?Q?a", "=?utf-8?Q", "=?=?=?", "=?x-none?Q?a?=",
        "=?utf-8*en?Q?lang?=", "=?utf-8?Q?=0D=0AInjected:_x?=", "=?utf-8?Q?=00?=", "=?utf-8?Q?=G1?=",
        "=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=", "caf\u00e9 brut", "=?utf-8?B?!!!!?=",
        "=?utf-8?Q?" + "a" * 200 + "?=", "=?iso-8859-1?Q?=E9?= =?utf-8?Q?=C3=A9?=",
        "Re: Fwd: [liste] =?utf-8?Q?R=C3=A9union?= (fwd)", "=?windows-1252?Q?=93quoted=94?=",
    ]
    for number, subject in enumerate(subjects):
        add(f"header-subject-{number:02}", HEAD + b"Subject: " + subject.encode() + b"\r\n\r\nx\r\n")
    add("header-subject-latin1", HEAD + b"Subject: caf\xe9 brut\r\n\r\nx\r\n")
    parameters = [
        'name="a b.txt"', "name=a b.txt", 'name="a\\"b\\\\c.txt"', "name=a.txt;", "name=", 'name=""',
        'name="never closed', "name=a.txt junk; x=y", 'name="a"b.txt', "; ;name=x;;", "name = x",
        "NAME=x", "name=x; name=y", "name*=utf-8''%C3%A9", "name*=iso-8859-1'fr'%E9",
        "name*=x-none''%E9", "name*=%E9", "name*=utf-8''%C3%", "name*0=a; name*1=b",
        "name*1=b; name*0=a", "name*0=a; name*2=c", "name*0*=utf-8''%C3; name*1*=%A9",
        "name*0*=utf-8''a; name*1=%41", "name=plain; name*=utf-8''better",
        'name="=?utf-8?Q?=C3=A9.txt?="', 'name="=?utf-8?B?w6k=?=\r\n =?utf-8?B?w6k=?="',
        "name=caf\u00e9.txt", "charset=utf-8 name=x", "name=(comment)x(comment)",
        'name="folded\r\n value"', "name*0*=''a", "name**=x", "*=x", "=x", "name*00=a",
        "name*99999999999=x", "'=x", "a@b=c", 'x="' + "y" * 3000 + '"',
    ]
    for number, parameter in enumerate(parameters):
        add(f"header-parameter-{number:02}", HEAD + b"Content-Type: text/plain; " +
            parameter.encode() + b"\r\nContent-Disposition: attachment; file" + parameter.encode() +
            b"\r\n\r\nx\r\n")
    types = ["", "text", "text/", "/plain", "text plain", "text/plain/extra", "TEXT/PLAIN", "multipart",
             "multipart/", "text/plain charset=utf-8", ";charset=utf-8", "t\u00e9xt/plain", "text/pl ain",
             "(c)text(c)/(c)plain(c);(c)charset(c)=(c)utf-8(c)", '"text/plain"', "text/plain,",
             "application/x-very-long-" + "n" * 300, "text\r\n /plain"]
    for number, kind in enumerate(types):
        add(f"header-type-{number:02}", HEAD + b"Content-Type: " + kind.encode() + b"\r\n\r\nx\r\n")
    encodings = ["", "7BIT", '"base64"', "base64 (yes)", "(yes) base64", "8-bit", "x-uuencode", "base-64",
                 "quoted-printable; x=y", "qp", "utf-8", "base64\r\n "]
    for number, encoding in enumerate(encodings):
        add(f"header-encoding-{number:02}", HEAD + b"Content-Transfer-Encoding: " +
            encoding.encode() + b"\r\n\r\naGVsbG8=\r\n")
    add("header-uuencode", HEAD + b"Content-Transfer-Encoding: x-uuencode\r\n\r\n"
        b"begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n")
    add("header-twice", HEAD + b"Content-Type: text/html\r\nContent-Type: text/plain\r\n"
        b"Content-ID: <a@b>\r\nContent-ID: <c@d>\r\nSubject: one\r\nSubject: two\r\n\r\nx\r\n")
    add("header-all-content-fields", HEAD + b"Content-Type: text/plain\r\nContent-ID: <a@b>\r\n"
        b"Content-Description: d\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\nContent-Language: fr, en\r\n"
        b"Content-Location: http://example.org/\r\nContent-Disposition: inline; filename=x\r\n"
        b"Content-Features: x\r\nContent-Duration: 5\r\n\r\nx\r\n")


# ---- trees ---------------------------------------------------------------------------------------

WORDS = ("le facteur sonne toujours deux fois lettre timbre enveloppe adresse code postal tri sac "
         "route nuit matin porte jardin chien \u00e9t\u00e9 no\u00ebl").split()


class Tree:
    """Random trees: every choice from one seeded source."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0

    def text(self, most=40):
        words = [self.random.choice(WORDS) for _ in range(self.random.randint(0, most))]
        return "\n".join(textwrap.wrap(" ".join(words), 72)) + "\n"

    def leaf(self):
        choice = self.random.randrange(6)
        self.count += 1
        if choice == 0:
            return b"\r\n" + self.text().encode("ascii", "ignore").replace(b"\n", b"\r\n")
        if choice < 3:
            subtype = self.random.choice(("plain", "html", "calendar"))
            charset = self.random.choice(("utf-8", "iso-8859-1"))
            body = self.text().encode(charset)
            encoding = self.random.choice(("8bit", "quoted-printable", "base64"))
            if encoding == "base64":
                body = base64.encodebytes(body)
            elif encoding == "quoted-printable":
                body = quopri.encodestring(body)
            return (f"Content-Type: text/{subtype}; charset={charset}\r\n"
                    f"Content-Transfer-Encoding: {encoding}\r\n\r\n").encode() + body.replace(
                        b"\r\n", b"\n").replace(b"\n", b"\r\n")
        data = self.random.randbytes(self.random.randint(0, 600))
        return (f"Content-Type: application/octet-stream; name=f{self.count}.bin\r\n"
                f"Content-Disposition: attachment; filename=f{self.count}.bin\r\n"
                f"Content-ID: <{self.count}@example.org>\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n").encode() + base64.encodebytes(
                    data).replace(b"\n", b"\r\n")

    def part(self, depth):
        choice = self.random.randrange(10)
        if depth == 0 or choice < 5:
            return self.leaf()
        if choice == 5:
            return b"Content-Type: message/rfc822\r\n\r\n" + self.message(depth - 1)
        self.count += 1
        boundary = self.random.choice(("b", "=_", "----=_Part_", "x y ")) + str(self.count)
        subtype = self.random.choice(("mixed", "alternative", "related", "digest", "signed"))
        out = (f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n').encode()
        if self.random.randrange(3) == 0:
            out += b"Preamble.\r\n"
        for _ in range(self.random.randint(1, 4)):
            out += b"\r\n--" + boundary.encode() + b"\r\n" + self.part(depth - 1)
        out += b"\r\n--" + boundary.encode() + b"--\r\n"
        if self.random.randrange(3) == 0:
            out += b"Epilogue.\r\n"
        return out

    def message(self, depth):
        subject = self.text(6).strip().replace("\n", " ")
        return (b"From: " + self.random.choice((
            b"a@example.org", b"\"A. B\" <a@example.org>", b"a@example.org (A B)")) +
            b"\r\nTo: b@example.org, C D <c@example.org>\r\nSubject: " +
            (subject.encode() if subject.isascii() else encoded_word("utf-8", subject.encode(), "Q")) +
            b"\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMIME-Version: 1.0\r\n" + self.part(depth))


def trees():
    for seed in range(60):
        add(f"tree-{seed:03}", Tree(seed).message(5))
    for seed in range(60, 70):
        add(f"tree-{seed:03}-lf", Tree(seed).message(5).replace(b"\r\n", b"\n"))


# ---- broken --------------------------------------------------------------------------------------


def multipart(body, boundary="b", extra="", subtype="mixed"):
    return HEAD + (f'Content-Type: multipart/{subtype}; boundary="{boundary}"{extra}\r\n\r\n').encode() + (
        body.encode("utf-8") if isinstance(body, str) else body).replace(b"\n", b"\r\n")


def broken_boundaries():
    good = "--b\n\none\n--b\n\ntwo\n--b--\n"
    add("broken-boundary-no-close", multipart("--b\n\none\n--b\n\ntwo\n"))
    add("broken-boundary-no-close-no-end", multipart("--b\n\none\n--b\n\ntwo"))
    add("broken-boundary-never", multipart("one\ntwo\n"))
    add("broken-boundary-only-close", multipart("one\n--b--\ntwo\n"))
    add("broken-boundary-immediately-closed", multipart("--b--\n"))
    add("broken-boundary-empty-body", multipart(""))
    add("broken-boundary-empty", multipart(good, ""))
    add("broken-boundary-blank", multipart("-- \n\none\n-- --\n", " "))
    add("broken-boundary-missing", HEAD + b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\none\r\n--b--\r\n")
    add("broken-boundary-trailing-blanks", multipart("--b  \t\n\none\n--b \n\ntwo\n--b-- \t\n"))
    add("broken-boundary-trailing-junk", multipart("--b junk\n\none\n--bjunk\n\ntwo\n--b--junk\n"))
    add("broken-boundary-trailing-blank-in-parameter", multipart(good, "b "))
    long_one = "x" * 70
    add("broken-boundary-70", multipart(good.replace("b", long_one), long_one))
    add("broken-boundary-71", multipart(good.replace("b", long_one + "y"), long_one + "y"))
    add("broken-boundary-900", multipart(good.replace("b", "z" * 900), "z" * 900))
    add("broken-boundary-8bit", multipart(good.replace("b", "\u00e9"), "\u00e9"))
    add("broken-boundary-dashes", multipart("-----\n\none\n-----\n\ntwo\n-------\n", "---"))
    add("broken-boundary-same-nested", multipart(
        '--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ninner\n--b--\n\n--b\n\nouter\n--b--\n'))
    add("broken-boundary-outer-prefix-of-inner", multipart(
        '--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\ninner\n--bb--\n\n--b\n\nouter\n--b--\n'))
    add("broken-boundary-inner-prefix-of-outer", multipart(
        '--bb\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ninner\n--b--\n\n--bb\n\nouter\n--bb--\n',
        "bb"))
    add("broken-boundary-inner-unclosed", multipart(
        '--b\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\ninner\n--b\n\nouter\n--b--\n'))
    add("broken-boundary-inner-after-close", multipart(
        '--b\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\none\n--i--\n--i\n\nno part\n--b\n\nouter\n--b--\n'))
    add("broken-boundary-after-close", multipart(good + "--b\n\nthree\n--b--\n"))
    add("broken-boundary-in-header", multipart("--b\nContent-Type: text/html\n--b\n\ntwo\n--b--\n"))
    add("broken-boundary-no-blank-line", multipart("--b\nno header, no empty line\nmore\n--b--\n"))
    add("broken-boundary-double-line-ends", multipart("\n\n--b\n\n\n\none\n\n\n--b--\n\n\n"))
    add("broken-boundary-2231", HEAD + b"Content-Type: multipart/mixed; boundary*0=ab; boundary*1=cd\r\n\r\n"
        b"--abcd\r\n\r\none\r\n--abcd--\r\n")
    add("broken-boundary-quoted-pair", HEAD + b'Content-Type: multipart/mixed; boundary="a\\"b"\r\n\r\n'
        b'--a"b\r\n\r\none\r\n--a"b--\r\n')
    add("broken-boundary-unquoted", HEAD + b"Content-Type: multipart/mixed; boundary=a/b:c?d\r\n\r\n"
        b"--a/b:c?d\r\n\r\none\r\n--a/b:c?d--\r\n")
    add("broken-boundary-twice", HEAD + b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n"
        b"--a\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--a--\r\n")
    add("broken-boundary-bare-cr", multipart(good).replace(b"\r\n--b", b"\r--b"))
    add("broken-boundary-indented", multipart(" --b\n\none\n --b--\n"))
    add("broken-boundary-at-start-of-body", multipart("--b\n\none\n--b--"))
    add("broken-composite-base64", HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\none\r\n--b--\r\n")
    add("broken-message-base64", HEAD + b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64"
        b"\r\n\r\n" + base64.encodebytes(b"Subject: x\r\n\r\nbody\r\n"))
    add("broken-message-empty", HEAD + b"Content-Type: message/rfc822\r\n\r\n")
    add("broken-message-no-header", HEAD + b"Content-Type: message/rfc822\r\n\r\n\r\nbody\r\n")
    add("broken-message-cut-in-header", multipart(
        "--b\nContent-Type: message/rfc822\n\nSubject: x\n--b\n\ntwo\n--b--\n"))
    for cut in range(20, 360, 20):
        whole = multipart("--b\nContent-Type: multipart/mixed; boundary=i\n\n--i\nContent-Type: text/html\n\n"
                          "<p>inner</p>\n--i--\n--b\nContent-Type: message/rfc822\n\nSubject: x\n\nouter\n--b--\n")
        add(f"broken-cut-{cut:03}", whole[:cut + 100])


def broken_rest():
    add("broken-empty", b"")
    add("broken-one-line-end", b"\r\n")
    add("broken-lf-only", b"\n")
    add("broken-header-only", b"Subject: x\r\n")
    add("broken-header-no-end", b"Subject: x")
    add("broken-body-only", b"\r\njust a body\r\n")
    add("broken-no-header", b"just a body\r\nof two lines\r\n")
    add("broken-nul", HEAD + b"Subject: a\0b\r\n\r\nc\0d\r\n")
    add("broken-cr-only", HEAD.replace(b"\r\n", b"\r") + b"\rbody\r")
    add("broken-mixed-line-ends", b"From: a@b\nTo: c@d\r\nSubject: x\n\r\nbody\nbody\r\nbody\rbody\n")
    add("broken-mbox-from", b"From a@b Fri Nov 21 09:55:06 1997\r\n" + HEAD + b"\r\nx\r\n")
    add("broken-fold-first", b" folded\r\nSubject: x\r\n\r\nx\r\n")
    add("broken-colon-missing", b"From: a@b\r\nno colon here\r\nSubject: x\r\n\r\nx\r\n")
    add("broken-blank-before-colon", b"From : a@b\r\nSubject\t: x\r\n\r\nx\r\n")
    add("broken-line-of-blanks", b"From: a@b\r\nSubject: x\r\n \t \r\n y\r\n\r\nx\r\n")
    add("broken-long-line", b"Subject: " + b"long " * 3000 + b"\r\n\r\n" + b"x" * 5000 + b"\r\n")
    add("broken-many-fields", b"".join(b"X-%d: y\r\n" % i for i in range(3000)) + b"\r\nx\r\n")
    add("broken-many-recipients", b"To: " + b",\r\n ".join(b"u%d@example.org" % i for i in range(3000)) +
        b"\r\n\r\nx\r\n")
    add("broken-many-parameters", HEAD + b"Content-Type: text/plain" +
        b"".join(b";\r\n p%d=v" % i for i in range(200)) + b"\r\n\r\nx\r\n")
    add("broken-many-sections", HEAD + b"Content-Type: text/plain" +
        b"".join(b";\r\n n*%d=v" % i for i in range(200)) + b"\r\n\r\nx\r\n")
    for number, body in enumerate((b"aGVsbG8", b"aGVs bG8=", b"aGVsbG8=\r\naGVsbG8=", b"====", b"a", b"a*b*c*",
                                   b"aGVsbG8=\r\n-- \r\nlist footer\r\n", b"\xff\xfe\r\n")):
        add(f"broken-base64-{number}", HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + body)
    for number, body in enumerate((b"a=", b"a=\r\n", b"a=4", b"a=XYb", b"a=e9", b"a  \r\nb", b"a=20 \r\n", b"=\n=\n",
                                   b"\xe9=E9", b"a= \t\r\nb")):
        add(f"broken-qp-{number}", HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + body)
    add("broken-comment-open", HEAD + b"Content-Type: text/plain; (never closed charset=utf-8\r\n\r\nx\r\n")
    add("broken-comments-deep", HEAD + b"Content-Type: text/plain; " + b"(" * 5000 + b"\r\n\r\nx\r\n")
    add("broken-quotes", b'From: "never closed <a@b>\r\nTo: "a" "b" <c@d>, <<e@f>>, g@h@i, @, <>\r\n\r\nx\r\n')
    add("broken-header-8bit", b"Subject: \xe9\xff\r\nFrom: Ren\xe9 <a@b>\r\nX-\xc3\xa9: y\r\n\r\nx\r\n")
    add("broken-smime", HEAD + b"Content-Type: multipart/signed; boundary=s; protocol=\"application/pkcs7-signature\""
        b"; micalg=sha-256\r\n\r\n--s\r\n\r\nsigned  \r\n--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s"
        b"\r\nContent-Transfer-Encoding: base64\r\n\r\nMIAGCSqGSIb3DQEHAqCA\r\n--s--\r\n")


def nested(depth, inner=b"\r\ndeepest\r\n", close=True):
    out = b""
    for level in range(depth):
        out += b'Content-Type: multipart/mixed; boundary="n%d."\r\n\r\n--n%d.\r\n' % (level, level)
    out += inner
    if close:
        for level in reversed(range(depth)):
            out += b"\r\n--n%d.--\r\n" % level
    return HEAD + out


def limits():
    add("limit-depth-10", nested(10))
    add("limit-depth-99", nested(99))
    add("limit-depth-100", nested(100))
    add("limit-depth-101", nested(101))
    add("limit-depth-300", nested(300))
    add("limit-depth-100-unclosed", nested(100, close=False))
    for depth in (99, 100, 101, 200):
        add(f"limit-depth-messages-{depth}",
            b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: deepest\r\n\r\nx\r\n")
    add("limit-parts-500", multipart("".join(f"--b\n\n{i}\n" for i in range(500)) + "--b--\n"))
    add("limit-dashes", multipart("--b\n\n" + "-- \n--\n---\n--c\n" * 500 + "--b--\n"))


def main():
    folder = pathlib.Path(sys.argv[1])
    for make in (rfc_5322, rfc_mime, cases, charsets, headers, trees, broken_boundaries, broken_rest, limits):
        make()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.eml"):
        old.unlink()
    for name, data in sorted(MESSAGES.items()):
        (folder / (name + ".eml")).write_bytes(data)
    print(len(MESSAGES), "messages,", sum(map(len, MESSAGES.values())), "octets")


main()
