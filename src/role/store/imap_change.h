/* SPDX-License-Identifier: ISC */
/* A change that an IMAP session asks for: a job of the next turn. Private to this folder. */
#ifndef ROLE_STORE_IMAP_CHANGE_H
#define ROLE_STORE_IMAP_CHANGE_H

#include "role/store/reach.h"

/* A request, kept until its turn is durable. */
struct imap_change {
    struct access_store_note note; /* its slices and lists lie in the arena */
    struct arena arena;
    struct slice user; /* who asks; job->account is whose mailbox it is */
    uint64_t modseq_first, modseq_last; /* COPY: of the mailbox, before and then */
    uint32_t number; /* messages that went; uid of the first copy */
    uint32_t uid_validity;
    struct buffer told;  /* struct access_store_uid_range: modified, or sources */
    struct buffer raced; /* the same: of flags that others changed before */
    /* How far a command has come that is done in parts. */
    size_t range_at;   /* the first range that is not done */
    uint32_t uid_from; /* in that range */
};

/* imap_edit.c */
extern const struct job_kind imap_welcome_kind, imap_edit_kind, imap_annotations_kind,
    imap_acl_kind, imap_url_sign_kind, imap_url_reset_kind;
void imap_done_answer(struct job *job, enum store_result result);

/* imap_job.c */
struct reach imap_reach_for(const struct job *job);
enum access_store_result imap_result_of(enum store_result result);

#endif
