/* SPDX-License-Identifier: ISC */
/* Signatures, certificates, files of keys and envelopes of strangers; the first octet says which,
 * and whether Ann, whose key this is, is an authority. Whatever they are, nothing is good while
 * nobody is trusted; and what is good is what Ann has signed. */
#include "smime/card.h"
#include "smime/smime.h"
#include "smime/tests/ann.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IS_TRUSTED = 0x80, KINDS = 6, ROOM = 4 << 20 };

static const char certificate[] = ANN_CERTIFICATE;
static const char identity[] = ANN_KEY ANN_CERTIFICATE;

static const char signed_text[] = "Content-Type: text/plain\r\n\r\nhello\r\n";

struct play {
    struct slice rest, trust;
    struct wall now;
    struct arena arena;
    struct buffer out, problem;
};

/* `content` is empty for a signature that holds it. */
static void
verify(struct play *play, struct slice content)
{
    struct smime_verdict verdict =
        smime_verify(play->rest, content, play->trust, play->now, &play->arena, &play->out);
    struct smime_card ann;

    if (verdict.kind != SMIME_GOOD)
        return;
    bool is_known = smime_card_read(slice_of_string(certificate), &play->arena, &ann);
    assert(play->trust.len > 0 && is_known);
    assert(slice_equal(verdict.certificate, ann.certificate));
    assert(content.len > 0 || slice_equal(buffer_slice(&play->out), slice_of_string(signed_text)));
}

static void
decrypt(struct play *play)
{
    struct smime_identity *ann = smime_identity_open(slice_of_string(identity), &play->problem);
    assert(ann);
    bool is_open = smime_decrypt(ann, play->rest, &play->out, &play->problem);
    assert(is_open || buffer_len(&play->problem) > 0);
    smime_identity_close(&ann);
}

/* Who has a key that fits can sign with it, and what it signed is unchanged. */
static void
open_identity(struct play *play)
{
    struct smime_identity *found = smime_identity_open(play->rest, &play->problem);
    struct slice content = slice_of_string(signed_text);

    assert(found || buffer_len(&play->problem) > 0);
    if (!found)
        return;
    if (smime_sign(found, content, &play->out, &play->problem)) {
        enum smime_verdict_kind kind = smime_verify(buffer_slice(&play->out), content, play->trust,
                                                    play->now, &play->arena, NULL)
                                           .kind;
        assert(kind != SMIME_CHANGED);
    }
    buffer_clear(&play->out);
    (void)!smime_encrypt(&play->rest, 1, content, &play->out, &play->problem);
    smime_identity_close(&found);
}

static void
read_files(struct play *play, bool is_pkcs12)
{
    struct smime_card card;
    bool is_passphrase;

    if (is_pkcs12)
        assert(!smime_pkcs12_read(play->rest, "", &play->out, &is_passphrase, &play->problem) ||
               buffer_len(&play->out) > 0);
    else
        assert(!smime_card_read(play->rest, &play->arena, &card) || card.certificate.len > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play play = {.now = {(int64_t)1800000000 * 1000000000}};
    uint8_t choice = size > 0 ? data[0] : 0;

    play.rest = slice_skip(slice_of(data, size), 1);
    play.trust = choice & IS_TRUSTED ? slice_of_string(certificate) : SLICE("");
    arena_init(&play.arena, ROOM);
    buffer_init(&play.out, ROOM);
    buffer_init(&play.problem, ROOM);
    switch ((choice & ~IS_TRUSTED) % KINDS) {
    case 0:
        verify(&play, slice_of_string(signed_text));
        break;
    case 1:
        verify(&play, SLICE(""));
        break;
    case 2:
        open_identity(&play);
        break;
    case 3:
        decrypt(&play);
        break;
    default:
        read_files(&play, (choice & ~IS_TRUSTED) % KINDS == 4);
    }
    arena_finish(&play.arena);
    buffer_finish(&play.out);
    buffer_finish(&play.problem);
    return 0;
}
