/* SPDX-License-Identifier: ISC */
/* What a person presses or clicks. */
#ifndef SCREEN_KEY_H
#define SCREEN_KEY_H

#include "base/compiler.h"

enum key_kind {
    PRESS_CHARACTER, /* character: also control characters, as 1 for Ctrl-A */
    PRESS_ENTER,
    PRESS_ESCAPE,
    PRESS_TAB,
    PRESS_BACK_TAB,
    PRESS_BACKSPACE,
    PRESS_DELETE,
    PRESS_UP,
    PRESS_DOWN,
    PRESS_LEFT,
    PRESS_RIGHT,
    PRESS_HOME,
    PRESS_END,
    PRESS_PAGE_UP,
    PRESS_PAGE_DOWN,
    PRESS_HELP,  /* F1 */
    PRESS_CLICK, /* at row, column */
    PRESS_DOUBLE_CLICK,
    PRESS_WHEEL_UP,
    PRESS_WHEEL_DOWN
};

struct key {
    enum key_kind kind;
    uint32_t character; /* Unicode */
    size_t row, column;
};

#define KEY_CONTROL(letter) ((uint32_t)(letter)-0x40)

/* True for this character, pressed as itself. */
static inline bool
key_is(const struct key *key, uint32_t character)
{
    return key->kind == PRESS_CHARACTER && key->character == character;
}

#endif
