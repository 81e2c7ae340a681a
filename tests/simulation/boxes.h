/* SPDX-License-Identifier: ISC */
/* The reference model of mailboxes that several IMAP clients share: a dictionary, which does not
 * know in what order the server does what is asked for at the same time. So it keeps of each
 * message what may be: of each flag, whether it can be set and whether it can be clear; of the
 * message, whether it can be gone. What is asked for widens that when it is sent; what is answered
 * narrows it; what was never answered (the connection ended, the server said NO) may have been
 * done, whole, or not at all (STORE and EXPUNGE also of some of their messages).
 *
 * Between the rounds of a run nobody asks for anything. Then boxes_settle compares with what is
 * really there, and from then on the model knows it exactly. */
#ifndef TESTS_SIMULATION_BOXES_H
#define TESTS_SIMULATION_BOXES_H

#include "base/buffer.h"

enum {
    BOXES = 3, /* INBOX, Archive, Trash */
    BOXES_FLAGS = 7,
    BOXES_MESSAGES_MAX = 1000,
    BOXES_LETTER_MAX = 80 * 1024,
    BOXES_DELETED = 1U << 3 /* \Deleted in a mask of flags */
};

/* By bit; and the names of the mailboxes: the first, and what RENAME gives them, by turns. */
enum { BOXES_NAMES = 2 };
extern const char *const boxes_flag_names[BOXES_FLAGS];
extern const char *const boxes_names[BOXES];
extern const char *const boxes_all_names[BOXES][BOXES_NAMES];

/* "(\Seen $Work)" */
void boxes_put_flags(struct buffer *output, uint8_t flags);

struct boxes;
struct boxes_op; /* a command on its way */

/* The mailboxes are empty. */
struct boxes *boxes_open(void);
void boxes_close(struct boxes **boxes);
/* Long commands are done in parts: what was never answered may have been done so far as a part. */
void boxes_allow_parts(struct boxes *boxes);

/* True when something impossible was seen; the first such thing in words. */
bool boxes_has_failed(const struct boxes *boxes);
const char *boxes_reason(const struct boxes *boxes);
void boxes_fail(struct boxes *boxes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a mailbox is called now; a guess, while a RENAME is on its way or was never answered. */
const char *boxes_name(const struct boxes *boxes, unsigned box);
/* It is to be called otherwise: so. One at a time. */
const char *boxes_begin_rename(struct boxes *boxes, unsigned box);
/* What became of that; when it was not done, nobody knows whether it was. */
void boxes_end_rename(struct boxes *boxes, bool is_done);
/* The server says that there is no mailbox of that name: another guess, where it is one. */
void boxes_guess_name(struct boxes *boxes, unsigned box);
/* The same, when nothing is on its way: it must be a guess. */
void boxes_saw_no_name(struct boxes *boxes, unsigned box);

/* Messages are told apart by their number; the same number is always the same octets. */
unsigned boxes_new_letters(struct boxes *boxes, unsigned count);
void boxes_put_letter(unsigned letter, struct buffer *buffer);

/* ---- commands -------------------------------------------------------------------------------- */

/* What a command is about: messages by rising uid, which its client knows. */
struct boxes_targets {
    unsigned box;
    const uint32_t *uids;
    size_t count;
};

/* Each is sent now. The model owns it and forgets it when it is done or has settled. */
struct boxes_op *boxes_begin_store(struct boxes *boxes, const struct boxes_targets *targets,
                                   uint8_t ones, uint8_t zeros);
struct boxes_op *boxes_begin_expunge(struct boxes *boxes, const struct boxes_targets *targets);
struct boxes_op *boxes_begin_copy(struct boxes *boxes, const struct boxes_targets *targets,
                                  unsigned dest, bool is_move);
struct boxes_op *boxes_begin_append(struct boxes *boxes, unsigned dest, uint8_t flags,
                                    unsigned letter_first, unsigned count);

/* REPLACE (RFC 8508): one message goes, another comes, both or neither. */
struct boxes_op *boxes_begin_replace(struct boxes *boxes, const struct boxes_targets *target,
                                     unsigned dest, uint8_t flags, unsigned letter);

/* By POP3: whatever flags they have. */
struct boxes_op *boxes_begin_removal(struct boxes *boxes, const struct boxes_targets *targets);

/* STORE, EXPUNGE or a removal was answered with OK. */
void boxes_done(struct boxes *boxes, struct boxes_op *op);
/* A conditional STORE was, but of these (rising) nothing was changed (RFC 7162 MODIFIED). */
void boxes_done_but(struct boxes *boxes, struct boxes_op *op, const uint32_t *uids, size_t count);
/* COPY or MOVE: what COPYUID says. */
void boxes_copied(struct boxes *boxes, struct boxes_op *op, const uint32_t *sources,
                  const uint32_t *uids, size_t count);
/* APPEND or REPLACE: what APPENDUID says. */
void boxes_appended(struct boxes *boxes, struct boxes_op *op, const uint32_t *uids, size_t count);
/* By SMTP, begun as APPEND: it is there, and nobody has said as which UID. */
void boxes_delivered(struct boxes *boxes, struct boxes_op *op);
/* Nobody knows what became of it. */
void boxes_lost(struct boxes_op *op);

/* ---- what clients are shown ------------------------------------------------------------------ */

void boxes_saw(struct boxes *boxes, unsigned box, uint32_t uid);
/* Of the flags in `mask` these are set. */
void boxes_saw_flags(struct boxes *boxes, unsigned box, uint32_t uid, uint8_t flags, uint8_t mask);
void boxes_saw_gone(struct boxes *boxes, unsigned box, uint32_t uid);
/* Nothing that was sent can have removed it. */
bool boxes_is_sure(struct boxes *boxes, unsigned box, uint32_t uid);

/* ---- between the rounds ---------------------------------------------------------------------- */

struct boxes_row {
    uint32_t uid;
    uint8_t flags;
    unsigned letter;
};

struct boxes_truth {
    struct boxes_row rows[BOXES_MESSAGES_MAX];
    size_t count;
    uint32_t validity;
    uint64_t modseq;
};

/* Nothing is on its way any more, and this is there. */
void boxes_settle(struct boxes *boxes, const struct boxes_truth truth[BOXES]);
/* What is there since; until the next command. */
const struct boxes_truth *boxes_settled(const struct boxes *boxes, unsigned box);

/* Counts, for the totals: commands done, and lost ones of which something came to be. */
uint64_t boxes_done_count(const struct boxes *boxes);
uint64_t boxes_late_count(const struct boxes *boxes);

#endif
