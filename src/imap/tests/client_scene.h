/* SPDX-License-Identifier: ISC */
/* A written server against the client engine: what it says is fed whole, octet by octet and split
 * at every position; the client must send and tell the same each time. */
#ifndef IMAP_TESTS_CLIENT_SCENE_H
#define IMAP_TESTS_CLIENT_SCENE_H

#include "imap/client.h"

enum { SCENE_QUESTIONS_MAX = 8 };

/* One session. The questions are asked in turn. */
struct scene {
    struct imap_client *client;
    struct imap_client_options options;
    struct imap_client_question questions[SCENE_QUESTIONS_MAX];
    size_t questions_count, asked_count;
    struct slice message; /* what is appended */
    bool gives_up, is_done_with_idle;
    struct instant now;
    struct buffer sent, told, trace;
};

/* mrose, password secret, in the clear, no TLS, no mechanisms. PLAIN is answered for ann. */
extern const struct imap_client_options scene_defaults;

/* Copies options, questions, message and choices of `like`, and begins. */
void scene_open(struct scene *scene, const struct scene *like);
void scene_close(struct scene *scene);

/* Feeds it, deals with all events, takes the output. */
void scene_feed(struct scene *scene, struct slice input);

/* Plays in all ways and compares what was sent and told. */
void scene_expect(const struct scene *like, const char *server, const char *sent, const char *told);

/* The buffer holds this text. */
void scene_expect_text(struct buffer *buffer, const char *wanted);

#endif
