/* SPDX-License-Identifier: ISC */
/* The tokenizer that FTS5 is given: private to the room. A document is `ACCOUNT \x01 body key \x02
 * head key`; its tokens are `ACCOUNT:gram` and `ACCOUNT,word` for the body's, `ACCOUNT;gram` and
 * `ACCOUNT.word` for the head's, so that postings of accounts, and of heads and bodies, are apart.
 * A query's phrase is one token. */
#ifndef SEARCH_TOKENS_H
#define SEARCH_TOKENS_H

#include "base/buffer.h"
#include "search/gram.h"

enum { TOKEN_BODY_MARK = 1, TOKEN_HEAD_MARK = 2, TOKEN_PREFIX_MAX = 18 };

/* Makes the tokenizer `grams` known to this connection. A code of SQLite. */
struct sqlite3;
MUST_USE int tokens_register(struct sqlite3 *database);

/* Puts the document. */
void tokens_put_document(struct buffer *buffer, uint64_t account, struct slice head_key,
                         struct slice body_key);

/* Puts the expression (FTS5's syntax) that all documents match in which the key may stand: in the
 * body, or, with_head, in the head or the body. The key is not empty. *ret_is_exact: in all that
 * match it does stand. */
void tokens_put_query(struct buffer *buffer, const struct gram_counts *counts, uint64_t account,
                      struct slice key, bool with_head, bool *ret_is_exact);

/* Puts the expression that documents match in which the key does stand, though not in all: where it
 * begins a word. False, and nothing is put, when it can begin none. */
MUST_USE bool tokens_put_words(struct buffer *buffer, uint64_t account, struct slice key,
                               bool with_head);

#endif
