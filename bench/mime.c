/* SPDX-License-Identifier: ISC */
/* How fast messages are parsed: large ones in GB/s, a typical one of 4 KiB in µs, beside GMime
 * where that is installed. Prints a table; not run in tests. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "mime/record.h"
#ifdef WITH_GMIME
#include <gmime/gmime.h>
#endif

enum { ROUNDS_SMALL = 20000, ROUNDS_LARGE = 5, LARGE_BYTES = 128 * 1024 * 1024 };

/* Time of the processor, so that other work on the machine does not count. */
static double
cpu_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The header of a message that came through four servers, with two signatures: 25 fields. */
static void
put_header(struct buffer *out)
{
    for (unsigned i = 0; i < 4; i++) {
        buffer_put_text(out, "Received: from mx");
        buffer_put_decimal(out, i);
        buffer_put_text(out, ".example.org (mx.example.org [192.0.2.1])\r\n\tby mail.example.net "
                             "(Postfix) with ESMTPS id 4B5C61A2F3\r\n\tfor <jean@jussieu.fr>; "
                             "Fri, 21 Nov 2025 09:55:06 +0100 (CET)\r\n");
    }
    for (unsigned i = 0; i < 2; i++) {
        buffer_put_text(out, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; "
                             "s=mail;\r\n\th=From:To:Subject:Date:Message-ID; bh=47DEQpj8HBSa"
                             "+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=");
        for (unsigned line = 0; line < 4; line++)
            buffer_put_text(out, "dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRN"
                                 "iYzR\r\n\t");
        buffer_put_text(out, "==\r\n");
    }
    buffer_put_text(out,
                    "Return-Path: <paul@uvsq.fr>\r\nDelivered-To: jean@jussieu.fr\r\n"
                    "Authentication-Results: mail.example.net; dkim=pass header.d=example.org\r\n"
                    "From: =?utf-8?Q?Paul_Ochon?= <paul@uvsq.fr>\r\n"
                    "To: Jean Breille <jean@jussieu.fr>, \"Jacques Selere\" <jacques@urec.fr>\r\n"
                    "Cc: liste@example.org\r\nReply-To: Paul <paul@uvsq.fr>\r\n"
                    "Subject: =?utf-8?Q?R=C3=A9union_de_la_commission?= du 3 juin\r\n"
                    "Date: Fri, 21 Nov 2025 09:55:06 +0100\r\nMessage-ID: <1234.abcd@uvsq.fr>\r\n"
                    "In-Reply-To: <1233.abcd@jussieu.fr>\r\nReferences: <1232.abcd@uvsq.fr> "
                    "<1233.abcd@jussieu.fr>\r\nUser-Agent: Mozilla Thunderbird\r\n"
                    "List-Id: <liste.example.org>\r\nX-Spam-Status: No, score=-1.9\r\n"
                    "X-Mailer: none\r\nMIME-Version: 1.0\r\n"
                    "Content-Type: multipart/mixed; boundary=\"------------080402030605\"\r\n\r\n"
                    "This is a multi-part message in MIME format.\r\n");
}

/* Text, HTML and an attachment until the message has this many octets. */
static void
put_message(struct buffer *out, size_t octets)
{
    put_header(out);
    buffer_put_text(out, "--------------080402030605\r\nContent-Type: text/plain; charset=utf-8\r\n"
                         "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    for (unsigned i = 0; i < 4; i++)
        buffer_put_text(out, "Bonjour, la r=C3=A9union aura lieu comme pr=C3=A9vu dans la salle "
                             "du conseil.\r\n");
    buffer_put_text(out, "--------------080402030605\r\nContent-Type: application/pdf;\r\n "
                         "name=\"ordre du jour.pdf\"\r\nContent-Transfer-Encoding: base64\r\n"
                         "Content-Disposition: attachment;\r\n filename=\"ordre du jour.pdf\"\r\n"
                         "\r\n");
    while (buffer_len(out) + 112 < octets)
        buffer_put_text(out, "JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlci9G"
                             "bGF0ZURl\r\n");
    buffer_put_text(out, "--------------080402030605--\r\n");
}

/* Plain text of short lines: the most line ends per octet. */
static void
put_text_message(struct buffer *out, size_t octets)
{
    buffer_put_text(out, "Subject: text\r\n\r\n");
    while (buffer_len(out) < octets)
        buffer_put_text(out, "Une ligne de texte, ni longue ni courte.\r\n-- \r\nEt une autre, "
                             "qui est un peu plus longue que la premiere, pas de beaucoup.\r\n");
}

static double
time_parse(struct slice message, unsigned rounds, struct arena *arena, struct buffer *record)
{
    double start = cpu_s();

    for (unsigned i = 0; i < rounds; i++) {
        struct mime_tree tree;
        arena_reset(arena);
        mime_tree_parse(message, arena, &tree);
        if (record) {
            buffer_clear(record);
            mime_record_put(record, &tree, arena);
        }
    }
    return (cpu_s() - start) / rounds;
}

static double
time_open(struct slice record, size_t body_len, unsigned rounds)
{
    double start = cpu_s();
    uint64_t sum = 0;

    for (unsigned i = 0; i < rounds; i++) {
        struct mime_record view;
        struct mime_record_message message;
        struct mime_record_part part;
        if (!mime_record_open(record, body_len, &view))
            abort();
        mime_record_message(&view, 0, &message);
        for (uint32_t p = 0; p < view.parts_count; p++) {
            mime_record_part(&view, p, &part);
            sum += part.body_end;
        }
        sum += message.subject.len;
    }
    double spent = (cpu_s() - start) / rounds;
    if (sum == 0)
        abort();
    return spent;
}

#ifdef WITH_GMIME
static double
time_gmime(struct slice message, unsigned rounds)
{
    double start = cpu_s();

    for (unsigned i = 0; i < rounds; i++) {
        GMimeStream *stream =
            g_mime_stream_mem_new_with_buffer((const char *)message.at, message.len);
        GMimeParser *parser = g_mime_parser_new_with_stream(stream);
        GMimeMessage *parsed = g_mime_parser_construct_message(parser, NULL);
        if (!parsed)
            abort();
        g_object_unref(parsed);
        g_object_unref(parser);
        g_object_unref(stream);
    }
    return (cpu_s() - start) / rounds;
}
#endif

static void
print_small(struct slice message, struct arena *arena)
{
    struct buffer record;

    buffer_init(&record, MIME_RECORD_MAX);
    double tree = time_parse(message, ROUNDS_SMALL, arena, NULL);
    double whole = time_parse(message, ROUNDS_SMALL, arena, &record);
    double open = time_open(buffer_slice(&record), message.len, ROUNDS_SMALL);
    printf("a message of %zu octets, 25 fields, 2 parts; its record has %zu octets\n", message.len,
           buffer_len(&record));
    printf("  part tree                          %8.2f us\n", tree * 1e6);
    printf("  part tree and parse record         %8.2f us\n", whole * 1e6);
    printf("  open a record and read its parts   %8.2f us\n", open * 1e6);
#ifdef WITH_GMIME
    double gmime = time_gmime(message, ROUNDS_SMALL / 10);
    printf("  GMime: message object              %8.2f us   (%.1f times the tree, %.1f times "
           "tree and record)\n", gmime * 1e6, gmime / tree, gmime / whole);
#endif
    buffer_finish(&record);
}

static void
print_large(const char *name, struct slice message, struct arena *arena)
{
    double tree = time_parse(message, ROUNDS_LARGE, arena, NULL);

    printf("%s of %zu MiB\n", name, message.len >> 20);
    printf("  part tree                          %8.2f GB/s\n", (double)message.len / tree / 1e9);
#ifdef WITH_GMIME
    double gmime = time_gmime(message, 1);
    printf("  GMime: message object              %8.2f GB/s\n", (double)message.len / gmime / 1e9);
#endif
}

int
main(void)
{
    struct arena arena;
    struct buffer message;

#ifdef WITH_GMIME
    g_mime_init();
#endif
    arena_init(&arena, 64 * 1024 * 1024);
    buffer_init(&message, LARGE_BYTES + 1024 * 1024);
    put_message(&message, 4096);
    print_small(buffer_slice(&message), &arena);
    buffer_clear(&message);
    put_message(&message, LARGE_BYTES);
    print_large("an attachment", buffer_slice(&message), &arena);
    buffer_clear(&message);
    put_text_message(&message, LARGE_BYTES);
    print_large("text in short lines", buffer_slice(&message), &arena);
    buffer_finish(&message);
    arena_finish(&arena);
    return 0;
}
