/* SPDX-License-Identifier: ISC */
/* The client engine, with somebody who asks for things and writes down what is sent and told. */
#ifndef POP3_TESTS_CLIENT_SCENE_H
#define POP3_TESTS_CLIENT_SCENE_H

#include "base/buffer.h"
#include "pop3/client.h"

enum { TOLD_MAX = 1 << 20 };

/* mrose, "secret", no TLS, clear passwords allowed. */
extern const struct pop3_client_options defaults;

/* A session: what the client sends, what its caller is told, and what the caller asks for. */
struct scene {
    struct pop3_client *client;
    struct pop3_client_options options;
    struct buffer sent, told, trace;
    const char *asks; /* letters: s l u r t d n z q; big ones for message 1 */
    bool gives_up;
    struct instant now;
};

/* Opened with a connection; to be closed. */
void scene_open(struct scene *scene, const struct pop3_client_options *options, const char *asks);
void scene_close(struct scene *scene);

/* Does what an event asks for; all events, and takes what is to be sent. */
void handle(struct scene *scene, const struct pop3_client_event *event);
void work(struct scene *scene);
void feed(struct scene *scene, struct slice input);

/* Plays what the server says, fed whole, octet by octet and split at every position; the scene is
 * left as the last of them left it. */
void play(struct scene *scene, const struct pop3_client_options *options, const char *asks,
          struct slice server, bool gives_up);

/* Fails the test unless that is all there is. */
void expect_text(struct buffer *buffer, const char *wanted);

/* Plays it, and fails the test unless this was sent and this was told. */
void expect(const struct pop3_client_options *options, const char *asks, const char *server,
            const char *sent, const char *told);

#endif
