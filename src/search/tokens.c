/* SPDX-License-Identifier: ISC */
#include "search/tokens.h"

#include "search/gram.h"

#include <sqlite3.h>
#include <stdlib.h>

/* Of a long text the rarest grams leave few candidates; more would cost more than they spare. */
enum { QUERY_GRAMS_MAX = 5 };

/* Between the account and what is its. */
enum { GRAM_OF_BODY = ':', GRAM_OF_HEAD = ';', WORD_OF_BODY = ',', WORD_OF_HEAD = '.' };
static_assert((int)WORD_LEN_MAX >= (int)GRAM_LEN_MAX);

static void
put_account(struct buffer *buffer, uint64_t account)
{
    uint8_t digits[16];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (uint8_t) "0123456789abcdef"[account & 15];
        account >>= 4;
    } while (account);
    buffer_put(buffer, slice_of(digits + at, sizeof(digits) - at));
}

void
tokens_put_document(struct buffer *buffer, uint64_t account, struct slice head_key,
                    struct slice body_key)
{
    put_account(buffer, account);
    buffer_put_byte(buffer, TOKEN_BODY_MARK);
    buffer_put(buffer, body_key);
    buffer_put_byte(buffer, TOKEN_HEAD_MARK);
    buffer_put(buffer, head_key);
}

/* ---- the expression -------------------------------------------------------------------------- */

static void
put_term(struct buffer *buffer, uint64_t account, uint8_t kind, struct slice gram, bool is_prefix)
{
    buffer_put_byte(buffer, '"');
    put_account(buffer, account);
    buffer_put_byte(buffer, kind);
    for (size_t i = 0; i < gram.len; i++) {
        if (gram.at[i] == '"')
            buffer_put_byte(buffer, '"');
        buffer_put_byte(buffer, gram.at[i]);
    }
    buffer_put_text(buffer, is_prefix ? "\" *" : "\"");
}

/* What has no more than three characters is a gram or the beginning of one: no text need be looked
 * through. */
static void
put_grams(struct buffer *buffer, const struct gram_counts *counts, uint64_t account, uint8_t kind,
          struct slice key)
{
    struct slice grams[QUERY_GRAMS_MAX];

    if (gram_characters(key, GRAM_CHARACTERS + 1) <= GRAM_CHARACTERS) {
        put_term(buffer, account, kind, key,
                 gram_characters(key, GRAM_CHARACTERS) < GRAM_CHARACTERS);
        return;
    }
    size_t count = gram_choose(counts, key, grams, QUERY_GRAMS_MAX);
    for (size_t i = 0; i < count; i++) {
        buffer_put_text(buffer, i ? " AND " : "");
        put_term(buffer, account, kind, grams[i], false);
    }
}

void
tokens_put_query(struct buffer *buffer, const struct gram_counts *counts, uint64_t account,
                 struct slice key, bool with_head, bool *ret_is_exact)
{
    if (with_head)
        buffer_put_byte(buffer, '(');
    put_grams(buffer, counts, account, GRAM_OF_BODY, key);
    if (with_head) {
        buffer_put_text(buffer, ") OR (");
        put_grams(buffer, counts, account, GRAM_OF_HEAD, key);
        buffer_put_byte(buffer, ')');
    }
    *ret_is_exact = gram_characters(key, GRAM_CHARACTERS + 1) <= GRAM_CHARACTERS;
}

bool
tokens_put_words(struct buffer *buffer, uint64_t account, struct slice key, bool with_head)
{
    if (!word_is_beginning(key))
        return false;
    put_term(buffer, account, WORD_OF_BODY, key, true);
    if (with_head) {
        buffer_put_text(buffer, " OR ");
        put_term(buffer, account, WORD_OF_HEAD, key, true);
    }
    return true;
}

/* ---- what FTS5 calls ------------------------------------------------------------------------- */

typedef int (*token_fn)(void *context, int flags, const char *token, int len, int start, int end);

struct tokenizer {
    struct gram_set set;
};

static int
create(void *context, const char **words, int count, Fts5Tokenizer **ret_tokenizer)
{
    struct tokenizer *tokenizer = malloc(sizeof(*tokenizer));

    (void)context;
    (void)words;
    (void)count;
    if (!tokenizer)
        abort();
    gram_set_init(&tokenizer->set);
    *ret_tokenizer = (Fts5Tokenizer *)(void *)tokenizer;
    return SQLITE_OK;
}

static void
finish(Fts5Tokenizer *pointer)
{
    struct tokenizer *tokenizer = (struct tokenizer *)(void *)pointer;

    gram_set_finish(&tokenizer->set);
    free(tokenizer);
}

/* Grams or words. */
static int
give(struct tokenizer *tokenizer, struct slice account, uint8_t kind, struct slice text,
     token_fn fn, void *context)
{
    bool (*next)(struct gram_walk *, struct gram_set *, struct slice *) =
        kind == GRAM_OF_BODY || kind == GRAM_OF_HEAD ? gram_next : word_next;
    struct gram_walk walk = {.text = text};
    char token[TOKEN_PREFIX_MAX + WORD_LEN_MAX];
    size_t prefix_len = account.len + 1;
    struct slice gram;

    memcpy(token, account.at, account.len);
    token[account.len] = (char)kind;
    gram_set_clear(&tokenizer->set);
    while (next(&walk, &tokenizer->set, &gram)) {
        memcpy(token + prefix_len, gram.at, gram.len);
        int code = fn(context, 0, token, (int)(prefix_len + gram.len), 0, 0);
        if (code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK;
}

static int
tokenize(Fts5Tokenizer *pointer, void *context, int flags, const char *at, int len, token_fn fn)
{
    struct tokenizer *tokenizer = (struct tokenizer *)(void *)pointer;
    struct slice text = slice_of(at, (size_t)len);

    if (flags & FTS5_TOKENIZE_QUERY)
        return fn(context, 0, at, len, 0, len);
    size_t mark = slice_find_byte(text, TOKEN_BODY_MARK);
    struct slice account = slice_first(text, mark), rest = slice_skip(text, mark + 1);
    size_t body_len = slice_find_byte(rest, TOKEN_HEAD_MARK);
    if (account.len >= TOKEN_PREFIX_MAX)
        return SQLITE_ERROR;
    struct slice body = slice_first(rest, body_len), head = slice_skip(rest, body_len + 1);
    int code = give(tokenizer, account, GRAM_OF_BODY, body, fn, context);
    if (code == SQLITE_OK)
        code = give(tokenizer, account, GRAM_OF_HEAD, head, fn, context);
    if (code == SQLITE_OK)
        code = give(tokenizer, account, WORD_OF_BODY, body, fn, context);
    return code == SQLITE_OK ? give(tokenizer, account, WORD_OF_HEAD, head, fn, context) : code;
}

int
tokens_register(struct sqlite3 *database)
{
    static fts5_tokenizer tokenizer = {create, finish, tokenize};
    fts5_api *api = NULL;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database, "SELECT fts5(?1)", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_bind_pointer(statement, 1, &api, "fts5_api_ptr", NULL);
    if (code == SQLITE_OK)
        (void)sqlite3_step(statement);
    sqlite3_finalize(statement);
    if (code == SQLITE_OK && !api)
        code = SQLITE_ERROR;
    return code == SQLITE_OK ? api->xCreateTokenizer(api, "grams", NULL, &tokenizer, NULL) : code;
}
