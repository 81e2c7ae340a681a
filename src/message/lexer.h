/* SPDX-License-Identifier: ISC */
/* The lexical rules of structured header fields: RFC 5322 §3.2 and §4.1, with RFC 6532's UTF-8.
 * Shared by addresses, Message-IDs, trace fields and (in room mime) Content-* fields. */
#ifndef MESSAGE_LEXER_H
#define MESSAGE_LEXER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"

/* Comments inside comments: deeper parentheses are text of the comment. */
enum { LEXER_COMMENT_DEPTH_MAX = 100 };

/* atext (§3.2.3), and every octet above 127 (RFC 6532 §3.2). */
extern byte_set lexer_atext;

/* Space, tab, CR and LF: what stands between words of a folded field. */
extern byte_set lexer_blanks;

/* Passes over CFWS: blanks, line ends and comments. True when anything was passed over. */
bool lexer_skip_cfws(struct cursor *cursor);

/* Takes "…" and gives what is between the quotes, still with its backslashes and folds. A missing
 * closing quote ends it at the end of the input; *ret_is_open then says so. False when there is no
 * '"' next. */
MUST_USE bool lexer_take_quoted(struct cursor *cursor, struct slice *ret_inner, bool *ret_is_open);

/* The same for a comment, at most LEXER_COMMENT_DEPTH_MAX deep. */
MUST_USE bool lexer_take_comment(struct cursor *cursor, struct slice *ret_inner,
                                 bool *ret_is_open);

/* What a quoted string or comment says: without backslashes of quoted pairs, CR, LF and NUL.
 * Borrows from `inner` when nothing had to be taken out, else lives in the arena. */
struct slice lexer_unquote(struct arena *arena, struct slice inner);

/* True when the text can stand as one atom, or as atoms with dots between (§3.2.3). */
MUST_USE bool lexer_is_atom(struct slice text);
MUST_USE bool lexer_is_dot_atom(struct slice text);

/* Puts "text" with quotes, and backslashes where needed; CR, LF and NUL are left out. */
void lexer_put_quoted(struct buffer *buffer, struct slice text);

#endif
