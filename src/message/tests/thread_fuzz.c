/* SPDX-License-Identifier: ISC */
/* Messages made of octets: each comes out once, whatever they say. Where no two contradict each
 * other, the threads are those of a second program, which follows RFC 5256 §3 to the letter on
 * trees. */
#include "base/cursor.h"
#include "message/thread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MESSAGES_MAX = 24, IDS = 32, NODES = IDS + 2 * MESSAGES_MAX, REFS_MAX = 3 };

struct letter {
    int id; /* -1: none */
    int refs[REFS_MAX];
    int refs_count;
    int subject; /* 0: empty */
    bool is_reply;
    int date;
};

/* ---- to the letter --------------------------------------------------------------------------- */

struct tree {
    int parent[NODES];
    int letter[NODES]; /* -1: a dummy */
    bool is_gone[NODES];
    int nodes;
    const struct letter *letters;
};

static bool
is_below(const struct tree *tree, int node, int above)
{
    for (; node >= 0; node = tree->parent[node]) {
        if (node == above)
            return true;
    }
    return false;
}

static void
step_1(struct tree *tree, int count, const int *nodes)
{
    for (int i = 0; i < count; i++) {
        const struct letter *letter = &tree->letters[i];
        for (int k = 1; k < letter->refs_count; k++) {
            int parent = letter->refs[k - 1], child = letter->refs[k];
            if (tree->parent[child] < 0 && !is_below(tree, parent, child))
                tree->parent[child] = parent;
        }
        tree->parent[nodes[i]] = -1;
        if (letter->refs_count && !is_below(tree, letter->refs[letter->refs_count - 1], nodes[i]))
            tree->parent[nodes[i]] = letter->refs[letter->refs_count - 1];
    }
}

static int
children_of(const struct tree *tree, int node)
{
    int count = 0;

    for (int i = 0; i < tree->nodes; i++)
        count += !tree->is_gone[i] && tree->parent[i] == node;
    return count;
}

static void
step_3(struct tree *tree)
{
    for (bool has_changed = true; has_changed;) {
        has_changed = false;
        for (int i = 0; i < tree->nodes; i++) {
            int children = children_of(tree, i);
            if (tree->is_gone[i] || tree->letter[i] >= 0 || (tree->parent[i] < 0 && children > 1))
                continue;
            for (int k = 0; k < tree->nodes; k++) {
                if (tree->parent[k] == i)
                    tree->parent[k] = tree->parent[i];
            }
            tree->is_gone[i] = has_changed = true;
        }
    }
}

/* The letter that tells where a node stands among its siblings. */
static int
head(const struct tree *tree, int node)
{
    int best = tree->letter[node];

    if (best >= 0)
        return best;
    for (int i = 0; i < tree->nodes; i++) {
        int letter = tree->letter[i];
        if (tree->is_gone[i] || tree->parent[i] != node)
            continue;
        if (best < 0 || tree->letters[letter].date < tree->letters[best].date ||
            (tree->letters[letter].date == tree->letters[best].date && letter < best))
            best = letter;
    }
    return best;
}

/* The sibling behind `after` (-1: the first), by date; -1 at the end. */
static int
next_child(const struct tree *tree, int parent, int after)
{
    int best = -1;

    for (int i = 0; i < tree->nodes; i++) {
        if (tree->is_gone[i] || tree->parent[i] != parent)
            continue;
        int date = tree->letters[head(tree, i)].date * 100 + head(tree, i);
        int from = after < 0 ? -1 : tree->letters[head(tree, after)].date * 100 + head(tree, after);
        int until =
            best < 0 ? 1 << 30 : tree->letters[head(tree, best)].date * 100 + head(tree, best);
        if (date > from && date < until)
            best = i;
    }
    return best;
}

static void
join(struct tree *tree, int *chosen, int root)
{
    bool is_dummy = tree->letter[root] < 0;

    if (is_dummy) {
        for (int i = 0; i < tree->nodes; i++) {
            if (tree->parent[i] == root)
                tree->parent[i] = *chosen;
        }
        tree->is_gone[root] = true;
    } else if (tree->letter[*chosen] < 0 || (tree->letters[tree->letter[root]].is_reply &&
                                             !tree->letters[tree->letter[*chosen]].is_reply)) {
        tree->parent[root] = *chosen;
    } else {
        int dummy = tree->nodes++;
        tree->parent[dummy] = tree->letter[dummy] = -1;
        tree->is_gone[dummy] = false;
        tree->parent[root] = tree->parent[*chosen] = dummy;
        *chosen = dummy;
    }
}

static void
step_5(struct tree *tree)
{
    int table[256], roots[NODES], count = 0;

    memset(table, -1, sizeof(table));
    for (int root = next_child(tree, -1, -1); root >= 0; root = next_child(tree, -1, root))
        roots[count++] = root;
    for (int i = 0; i < count; i++) {
        int *chosen = &table[tree->letters[head(tree, roots[i])].subject];
        bool is_dummy = tree->letter[roots[i]] < 0;
        if (*chosen < 0 || (tree->letter[*chosen] >= 0 &&
                            (is_dummy || (tree->letters[tree->letter[*chosen]].is_reply &&
                                          !tree->letters[tree->letter[roots[i]]].is_reply))))
            *chosen = roots[i];
    }
    for (int i = 0; i < count; i++) {
        int subject = tree->letters[head(tree, roots[i])].subject;
        if (subject && table[subject] != roots[i])
            join(tree, &table[subject], roots[i]);
    }
}

/* Recursion is bounded by NODES. */
static void
put_children(const struct tree *tree, struct buffer *out, int parent)
{
    for (int node = next_child(tree, parent, -1); node >= 0;
         node = next_child(tree, parent, node)) {
        int at = node, children;
        buffer_put_byte(out, '(');
        if (tree->letter[at] >= 0)
            buffer_put_decimal(out, (uint64_t)tree->letter[at] + 1);
        while ((children = children_of(tree, at)) == 1) {
            at = next_child(tree, at, -1);
            buffer_put_byte(out, ' ');
            buffer_put_decimal(out, (uint64_t)tree->letter[at] + 1);
        }
        if (children && tree->letter[at] >= 0)
            buffer_put_byte(out, ' ');
        put_children(tree, out, at);
        buffer_put_byte(out, ')');
    }
}

static void
put_expected(const struct letter *letters, int count, struct buffer *out)
{
    static struct tree tree;
    int nodes[MESSAGES_MAX];

    tree = (struct tree){.nodes = IDS, .letters = letters};
    for (int i = 0; i < NODES; i++)
        tree.parent[i] = tree.letter[i] = -1;
    for (int i = 0; i < count; i++) {
        bool has_id = letters[i].id >= 0 && tree.letter[letters[i].id] < 0;
        nodes[i] = has_id ? letters[i].id : tree.nodes++;
        tree.letter[nodes[i]] = i;
    }
    step_1(&tree, count, nodes);
    step_3(&tree);
    step_5(&tree);
    put_children(&tree, out, -1);
}

/* ---- the target ------------------------------------------------------------------------------ */

/* Nobody contradicts anybody when all follow one order: ids are referred to in rising order, by
 * higher ones. */
static bool
is_consistent(const struct letter *letter)
{
    for (int k = 0; k < letter->refs_count; k++) {
        if (letter->refs[k] >= (letter->id < 0 ? IDS : letter->id) ||
            (k > 0 && letter->refs[k] <= letter->refs[k - 1]))
            return false;
    }
    return true;
}

static int
read_letters(struct cursor *cursor, struct letter *letters, bool *ret_is_consistent)
{
    uint8_t octets[6];
    int count = 0;

    *ret_is_consistent = true;
    while (count < MESSAGES_MAX && cursor_left(cursor) >= sizeof(octets)) {
        for (size_t i = 0; i < sizeof(octets); i++)
            assert(cursor_take_any(cursor, &octets[i]));
        struct letter letter = {
            .id = octets[0] % (IDS + 2) < IDS ? octets[0] % IDS : -1,
            .refs_count = octets[1] % (REFS_MAX + 1),
            .subject = octets[1] >> 6,
            .is_reply = octets[1] & 32,
            .date = octets[2] % 8,
        };
        for (int k = 0; k < letter.refs_count; k++)
            letter.refs[k] = octets[3 + k] % IDS;
        *ret_is_consistent &= is_consistent(&letter);
        letters[count++] = letter;
    }
    return count;
}

static void
put_id(struct buffer *buffer, int id)
{
    buffer_put_byte(buffer, '<');
    buffer_put_decimal(buffer, (uint64_t)id);
    buffer_put_text(buffer, "@x> ");
}

static bool
add_letter(struct threader *threader, const struct letter *letter, uint32_t number)
{
    struct buffer id, references;
    uint8_t subject = (uint8_t)('a' + letter->subject);

    buffer_init(&id, 100);
    buffer_init(&references, 1000);
    if (letter->id >= 0)
        put_id(&id, letter->id);
    for (int k = 0; k < letter->refs_count; k++)
        put_id(&references, letter->refs[k]);
    struct thread_message message = {
        .number = number,
        .date = {letter->date},
        .arrival = {letter->date},
        .message_id = buffer_slice(&id),
        .references = buffer_slice(&references),
        .base_subject = slice_of(&subject, letter->subject ? 1 : 0),
        .is_reply_or_forward = letter->is_reply,
    };
    bool is_added = threader_add(threader, &message);
    buffer_finish(&id);
    buffer_finish(&references);
    return is_added;
}

static void
check_once(struct slice list, int count)
{
    struct cursor cursor = cursor_of(list);
    uint64_t seen = 0;
    uint8_t octet;

    while (!cursor_is_done(&cursor)) {
        uint64_t number;
        if (cursor_take_u64(&cursor, 1, (uint64_t)count, &number)) {
            assert(!(seen >> number & 1));
            seen |= UINT64_C(1) << number;
        } else {
            assert(cursor_take_any(&cursor, &octet));
        }
    }
    assert(seen == (UINT64_C(1) << (count + 1)) - 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cursor cursor = cursor_of(slice_of(data, len));
    struct letter letters[MESSAGES_MAX];
    bool is_consistent;
    int count = read_letters(&cursor, letters, &is_consistent);

    for (int algorithm = THREAD_ORDEREDSUBJECT; algorithm <= THREAD_REFS; algorithm++) {
        struct arena arena;
        struct buffer out, expected;
        const struct thread_node *first;
        arena_init(&arena, 1 << 24);
        buffer_init(&out, 10000);
        buffer_init(&expected, 10000);
        struct threader *threader =
            threader_new(&arena, (enum thread_algorithm)algorithm, len, MESSAGES_MAX);
        for (int i = 0; i < count; i++)
            assert(add_letter(threader, &letters[i], (uint32_t)i + 1));
        assert(threader_finish(threader, &first));
        assert(thread_list_put(&out, &arena, first));
        check_once(buffer_slice(&out), count);
        put_expected(letters, count, &expected);
        assert(algorithm != THREAD_REFERENCES || !is_consistent ||
               slice_equal(buffer_slice(&out), buffer_slice(&expected)));
        buffer_finish(&out);
        buffer_finish(&expected);
        arena_finish(&arena);
    }
    return 0;
}
