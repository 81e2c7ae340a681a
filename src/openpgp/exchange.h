/* SPDX-License-Identifier: ISC */
/* A question to the program facteur-openpgp and its answer: as values, and as octets between the
 * two processes. */
#ifndef OPENPGP_EXCHANGE_H
#define OPENPGP_EXCHANGE_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    OPENPGP_ADDRESSES_MAX = 1000,  /* recipients of a message; addresses of a key */
    OPENPGP_OVERHEAD_MAX = 1 << 20, /* what stands around contents at most */
    /* Of what is opened: twice what a server takes as a message by default. A thousand octets of it
     * can come out of one. */
    OPENPGP_OPENED_MAX = 100 << 20
};

enum openpgp_verb {
    OPENPGP_FIND = 1,     /* is there a key to sign with, and for each recipient one to encrypt? */
    OPENPGP_SIGN,         /* a detached signature over the content */
    OPENPGP_ENCRYPT,      /* the content for the recipients */
    OPENPGP_SIGN_ENCRYPT, /* both in one (RFC 3156 §6.2) */
    OPENPGP_VERIFY,       /* a detached signature; or, without one, text that is signed in itself */
    OPENPGP_OPEN,         /* what is encrypted, and the signature inside */
    OPENPGP_VERBS
};

/* Slices are borrowed. */
struct openpgp_question {
    enum openpgp_verb verb;
    struct slice signer;            /* address of who signs; may be empty */
    const struct slice *recipients; /* addresses to encrypt for */
    size_t recipients_count;
    struct slice content;
    struct slice signature; /* armored or not; may be empty */
};

/* From the best to the worst: with several signatures, the worst is told. */
enum openpgp_verdict {
    OPENPGP_UNSIGNED,
    OPENPGP_GOOD,      /* unchanged, by a key whose addresses are trusted */
    OPENPGP_UNTRUSTED, /* unchanged, but nobody who is trusted vouches for the key */
    OPENPGP_EXPIRED,   /* unchanged, but signature or key are past their time */
    OPENPGP_REVOKED,   /* unchanged, but the key was called back */
    OPENPGP_UNKNOWN,   /* the key is not there: nothing can be said */
    OPENPGP_CHANGED,   /* what was signed is not what is here */
    OPENPGP_BROKEN,    /* no signature that can be understood */
    OPENPGP_VERDICTS
};

/* Strings are as keys have them: whoever shows them makes them printable. */
struct openpgp_answer {
    bool is_done;
    struct slice why; /* a few words: what went wrong */
    struct slice content;
    struct slice digest;         /* of what was signed: "sha256" */
    const struct slice *missing; /* addresses without a key that can be used */
    size_t missing_count;

    enum openpgp_verdict verdict;
    struct slice name;             /* of the signer; may be empty */
    const struct slice *addresses; /* of the key: those that are trusted, where one is */
    size_t addresses_count;
    struct slice fingerprint;
    bool is_encrypted; /* after OPENPGP_OPEN: it was, not signed alone */
};

/* Each appends the octets. */
void openpgp_question_put(const struct openpgp_question *question, struct buffer *out);
void openpgp_answer_put(const struct openpgp_answer *answer, struct buffer *out);

/* False for what is no such thing. Slices borrow from `bytes`, arrays lie in the arena. */
MUST_USE bool openpgp_question_parse(struct slice bytes, struct arena *arena,
                                     struct openpgp_question *ret_question);
MUST_USE bool openpgp_answer_parse(struct slice bytes, struct arena *arena,
                                   struct openpgp_answer *ret_answer);

#endif
