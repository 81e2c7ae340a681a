/* SPDX-License-Identifier: ISC */
/* RFC 5256 §3, REFERENCES, without trees until the end: each id is a number, and a thread is what
 * the numbers of parents say. That a link makes no loop is known from the sets of ids that are
 * joined already (union-find), not by walking up; so the cost does not depend on how deep a thread
 * is. Links by messages' own last references come first (step 1B), then those between other
 * messages' references (1A): in the RFC's order a link of the second kind that is made before one
 * of the first is broken again. */
#include "message/thread.h"

#include "base/hash.h"
#include "message/lexer.h"
#include "message/sort.h"
#include "text/collate.h"
#include "text/utf8.h"

#define NONE UINT32_MAX

enum {
    REFERENCES_MAX = 4096, /* of one message; of more the first and the last count */
    SUBJECT_MAX = 1000,    /* octets of a subject that count */
};

/* Texts that have numbers. */
struct name {
    const uint8_t *at; /* NULL: no text has this number */
    uint32_t len;
    uint32_t hash;
};

struct names {
    struct name *names;
    uint32_t *places; /* open addressing: number + 1 */
    size_t count, capacity, size;
};

/* A message; its place among them is its number here. */
struct member {
    uint32_t number; /* the caller's */
    uint32_t id;     /* among the ids */
    uint32_t subject;
    uint32_t refs_count;
    uint32_t *refs; /* ids, oldest first */
    int64_t date;
    bool is_reply;
};

struct threader {
    struct arena *arena;
    enum thread_algorithm algorithm;
    uint64_t seed;
    struct member *members;
    size_t count, max;
    struct names ids;
    struct names subjects; /* 0: the empty one */
    uint32_t *owners;      /* by id: the message that has it, or NONE */
    uint32_t *stamps;      /* by id: the last message that named it, + 1 */
    size_t ids_capacity;
    uint32_t *refs; /* of the message that is being added */
    /* when it is finished */
    uint32_t *parents;     /* by id */
    uint32_t *sets;        /* by id: union-find */
    const uint32_t *order; /* members by date */
    size_t nodes;          /* ids and the dummies of step 5 */
    uint32_t *merged;      /* by node: the dummy that has its children now, or NONE */
    uint32_t *firsts;      /* by node: the first child */
    uint32_t *lasts;       /* and the last */
    uint32_t *nexts;       /* its sibling */
    uint32_t *children;    /* by node: how many */
};

/* ---- names ----------------------------------------------------------------------------------- */

/* An array twice as large; the old one stays in the arena: at most as much again. */
static void *
grow(struct arena *arena, void *old, size_t count, size_t capacity, size_t size)
{
    void *grown = arena_new_array(arena, capacity, size);

    if (grown && count)
        memcpy(grown, old, count * size);
    return grown;
}

static bool
names_grow(struct arena *arena, struct names *names)
{
    size_t capacity = names->capacity ? names->capacity * 2 : 64;
    size_t size = capacity * 2;
    struct name *grown = grow(arena, names->names, names->count, capacity, sizeof(*grown));
    uint32_t *places = ARENA_ARRAY(arena, uint32_t, size);

    if (!grown || !places)
        return false;
    for (size_t i = 0; i < names->count; i++) {
        size_t place = grown[i].hash & (size - 1);
        while (grown[i].at && places[place])
            place = (place + 1) & (size - 1);
        if (grown[i].at)
            places[place] = (uint32_t)i + 1;
    }
    names->names = grown;
    names->places = places;
    names->capacity = capacity;
    names->size = size;
    return true;
}

/* The number of a text, which is copied when it is new. False at the arena's limit. */
static bool
names_enter(struct arena *arena, uint64_t seed, struct names *names, struct slice text,
            uint32_t *ret_number)
{
    uint32_t hash = (uint32_t)hash64(text, seed);

    if (names->count == names->capacity && !names_grow(arena, names))
        return false;
    size_t place = hash & (names->size - 1);
    for (; names->places[place]; place = (place + 1) & (names->size - 1)) {
        const struct name *name = &names->names[names->places[place] - 1];
        if (name->hash == hash && slice_equal(slice_of(name->at, name->len), text)) {
            *ret_number = names->places[place] - 1;
            return true;
        }
    }
    struct slice copy = arena_copy(arena, text);
    if (copy.len != text.len || names->count == NONE - 1)
        return false;
    names->names[names->count] = (struct name){copy.at, (uint32_t)copy.len, hash};
    *ret_number = (uint32_t)names->count++;
    names->places[place] = *ret_number + 1;
    return true;
}

/* A number that no text has. */
static bool
names_enter_nameless(struct arena *arena, struct names *names, uint32_t *ret_number)
{
    if (names->count == names->capacity && !names_grow(arena, names))
        return false;
    names->names[names->count] = (struct name){0};
    *ret_number = (uint32_t)names->count++;
    return true;
}

/* ---- adding ---------------------------------------------------------------------------------- */

bool
thread_algorithm_find(struct slice name, enum thread_algorithm *ret_algorithm)
{
    static const char *const names[] = {
        [THREAD_ORDEREDSUBJECT] = "ORDEREDSUBJECT",
        [THREAD_REFERENCES] = "REFERENCES",
        [THREAD_REFS] = "REFS",
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (slice_equal_nocase(name, slice_of_string(names[i]))) {
            *ret_algorithm = (enum thread_algorithm)i;
            return true;
        }
    }
    return false;
}

struct threader *
threader_new(struct arena *arena, enum thread_algorithm algorithm, uint64_t seed,
             size_t messages_max)
{
    struct threader *threader = ARENA_NEW(arena, struct threader);
    uint32_t empty;

    if (!threader || messages_max >= NONE)
        return NULL;
    *threader = (struct threader){
        .arena = arena,
        .algorithm = algorithm,
        .seed = seed,
        .members = ARENA_ARRAY(arena, struct member, messages_max),
        .refs = ARENA_ARRAY(arena, uint32_t, REFERENCES_MAX),
        .max = messages_max,
    };
    return threader->members && threader->refs &&
                   names_enter(arena, seed, &threader->subjects, SLICE(""), &empty)
               ? threader
               : NULL;
}

/* Makes owners and stamps as long as the ids are. */
static bool
ids_follow(struct threader *threader)
{
    size_t old = threader->ids_capacity, capacity = threader->ids.capacity;

    if (old == capacity)
        return true;
    threader->owners = grow(threader->arena, threader->owners, old, capacity, sizeof(uint32_t));
    threader->stamps = grow(threader->arena, threader->stamps, old, capacity, sizeof(uint32_t));
    if (!threader->owners || !threader->stamps)
        return false;
    for (size_t i = old; i < capacity; i++)
        threader->owners[i] = NONE;
    threader->ids_capacity = capacity;
    return true;
}

static bool
enter_id(struct threader *threader, struct slice id, uint32_t *ret_id)
{
    return names_enter(threader->arena, threader->seed, &threader->ids, id, ret_id) &&
           ids_follow(threader);
}

/* The message's own id, or one of its own making when it has none or another message has it. */
static bool
enter_own_id(struct threader *threader, struct slice text, uint32_t *ret_id)
{
    struct slice id = message_id_parse(threader->arena, text);

    if (id.len && !enter_id(threader, id, ret_id))
        return false;
    if ((!id.len || threader->owners[*ret_id] != NONE) &&
        !(names_enter_nameless(threader->arena, &threader->ids, ret_id) && ids_follow(threader)))
        return false;
    threader->owners[*ret_id] = (uint32_t)threader->count;
    return true;
}

/* The usual form: ids in brackets, blanks between, nothing in them that has to be taken out. */
static bool
take_plain_id(struct cursor *cursor, struct slice *ret_id)
{
    struct cursor ahead = *cursor;
    struct slice id;
    bool has_at = false;

    if (!cursor_take_byte(&ahead, '<') || !cursor_take_until(&ahead, '>', &id))
        return false;
    for (size_t i = 0; i < id.len; i++) {
        if (id.at[i] <= ' ' || id.at[i] >= 127 || id.at[i] == '"' || id.at[i] == '(' ||
            id.at[i] == '<' || id.at[i] == '\\')
            return false;
        has_at |= id.at[i] == '@';
    }
    if (!has_at)
        return false;
    ahead.at++;
    cursor_skip_set(&ahead, lexer_blanks);
    *cursor = ahead;
    *ret_id = id;
    return true;
}

/* Adds an id to the message's references, once. Of too many the last takes the place of the one
 * before: it is the parent. */
static bool
add_reference(struct threader *threader, struct member *member, struct slice id)
{
    uint32_t number;

    if (!enter_id(threader, id, &number))
        return false;
    if (number == member->id || threader->stamps[number] == threader->count + 1)
        return true;
    threader->stamps[number] = (uint32_t)threader->count + 1;
    member->refs_count -= member->refs_count == REFERENCES_MAX;
    threader->refs[member->refs_count++] = number;
    return true;
}

/* Adds the ids of a field, or its first. *ret_has_some: there were any. */
static bool
add_references(struct threader *threader, struct member *member, struct slice text,
               bool is_first_only, bool *ret_has_some)
{
    struct cursor cursor = cursor_of(slice_trim(text));
    struct message_id_list list;
    struct slice id;

    *ret_has_some = false;
    while (take_plain_id(&cursor, &id)) {
        *ret_has_some = true;
        if (!add_reference(threader, member, id))
            return false;
        if (is_first_only)
            return true;
    }
    if (cursor_is_done(&cursor))
        return true;
    message_id_list_parse(threader->arena, cursor_rest(&cursor), &list);
    for (size_t i = 0; i < list.count && !(is_first_only && i > 0); i++) {
        *ret_has_some = true;
        if (!add_reference(threader, member, list.ids[i]))
            return false;
    }
    return true;
}

/* §3: References, or the first of In-Reply-To when that has none. */
static bool
add_all_references(struct threader *threader, struct member *member,
                   const struct thread_message *message)
{
    bool has_some;

    if (!add_references(threader, member, message->references, false, &has_some) ||
        (!has_some && !add_references(threader, member, message->in_reply_to, true, &has_some)))
        return false;
    member->refs = ARENA_ARRAY(threader->arena, uint32_t, member->refs_count);
    if (member->refs && member->refs_count)
        memcpy(member->refs, threader->refs, member->refs_count * sizeof(*member->refs));
    return member->refs != NULL;
}

static bool
add_subject(struct threader *threader, struct member *member, struct slice subject)
{
    struct buffer key;

    buffer_init(&key, SUBJECT_MAX * COLLATE_GROWTH_MAX);
    collate_put_key(&key, COLLATION_UNICODE_CASEMAP, utf8_first(subject, SUBJECT_MAX));
    bool is_entered = names_enter(threader->arena, threader->seed, &threader->subjects,
                                  buffer_slice(&key), &member->subject);
    buffer_finish(&key);
    return is_entered;
}

bool
threader_add(struct threader *threader, const struct thread_message *message)
{
    bool has_ids = threader->algorithm != THREAD_ORDEREDSUBJECT;
    bool has_subject = threader->algorithm != THREAD_REFS;
    struct member member = {
        .number = message->number,
        .date = threader->algorithm == THREAD_REFS ? message->arrival.ns : message->date.ns,
        .is_reply = message->is_reply_or_forward,
    };

    if (threader->count >= threader->max ||
        (has_subject && !add_subject(threader, &member, message->base_subject)) ||
        (has_ids && (!enter_own_id(threader, message->message_id, &member.id) ||
                     !add_all_references(threader, &member, message))))
        return false;
    threader->members[threader->count++] = member;
    return true;
}

/* ---- who follows whom ------------------------------------------------------------------------ */

/* The name of the set an id is in; the way there is halved as it is gone. */
static uint32_t
set_of(uint32_t *sets, uint32_t id)
{
    while (sets[id] != id) {
        sets[id] = sets[sets[id]];
        id = sets[id];
    }
    return id;
}

/* Makes `parent` the parent of `child`, which has none, unless that would make a loop. */
static void
link_ids(struct threader *threader, uint32_t parent, uint32_t child)
{
    uint32_t above = set_of(threader->sets, parent), below = set_of(threader->sets, child);

    if (above == below)
        return;
    threader->sets[below] = above;
    threader->parents[child] = parent;
}

/* Step 1. */
static void
link_all(struct threader *threader)
{
    for (size_t i = 0; i < threader->count; i++) {
        const struct member *member = &threader->members[i];
        if (member->refs_count)
            link_ids(threader, member->refs[member->refs_count - 1], member->id);
    }
    for (size_t i = 0; i < threader->count; i++) {
        const struct member *member = &threader->members[i];
        for (size_t k = 1; k < member->refs_count; k++) {
            uint32_t child = member->refs[k], owner = threader->owners[child];
            /* A message that comes later would break the link again. */
            if (threader->parents[child] == NONE && (owner == NONE || owner <= i))
                link_ids(threader, member->refs[k - 1], child);
        }
    }
}

static bool
is_dummy(const struct threader *threader, uint32_t node)
{
    return node >= threader->ids.count || threader->owners[node] == NONE;
}

/* For each id the one that step 3 leaves in its place: itself when it is a message or has nothing
 * above it, else the next of that kind above. */
static bool
find_anchors(struct threader *threader, uint32_t **ret_anchors)
{
    size_t count = threader->ids.count;
    uint32_t *anchors = ARENA_ARRAY(threader->arena, uint32_t, count);
    uint32_t *path = ARENA_ARRAY(threader->arena, uint32_t, count);

    if (!anchors || !path)
        return false;
    memset(anchors, 0xFF, count * sizeof(*anchors));
    for (uint32_t id = 0; id < count; id++) {
        size_t len = 0;
        uint32_t at = id;
        while (anchors[at] == NONE && is_dummy(threader, at) && threader->parents[at] != NONE) {
            path[len++] = at;
            at = threader->parents[at];
        }
        if (anchors[at] == NONE)
            anchors[at] = at;
        while (len > 0)
            anchors[path[--len]] = anchors[at];
    }
    *ret_anchors = anchors;
    return true;
}

/* Steps 2 and 3: behind it only messages have parents, and dummies at the root two children or
 * more. */
static bool
prune(struct threader *threader)
{
    uint32_t *anchors, *parents = threader->parents;

    if (!find_anchors(threader, &anchors))
        return false;
    for (uint32_t id = 0; id < threader->ids.count; id++) {
        if (is_dummy(threader, id) || parents[id] == NONE)
            continue;
        parents[id] = anchors[parents[id]];
        threader->children[parents[id]]++;
    }
    for (uint32_t id = 0; id < threader->ids.count; id++) {
        if (is_dummy(threader, id))
            parents[id] = NONE;
        else if (parents[id] != NONE && is_dummy(threader, parents[id]) &&
                 threader->children[parents[id]] == 1)
            parents[id] = NONE;
    }
    return true;
}

/* ---- order ----------------------------------------------------------------------------------- */

static bool
order_members(struct threader *threader)
{
    static const struct sort_term by_date = {SORT_DATE, false};
    struct sorter *sorter = sorter_new(threader->arena, &by_date, 1, threader->count);
    size_t count = 0;

    for (uint32_t i = 0; sorter && i < threader->count; i++) {
        struct sort_values values = {.date = {threader->members[i].date}};
        if (!sorter_add(sorter, i, &values))
            return false;
    }
    threader->order = sorter ? sorter_finish(sorter, &count) : NULL;
    return threader->order != NULL;
}

/* The threads: nodes without parents in the order of their first message. */
struct roots {
    uint32_t *nodes;
    size_t count;
};

/* Where a node stands: dummies that were merged into others are passed over. */
static uint32_t
parent_of(const struct threader *threader, uint32_t node)
{
    uint32_t parent = threader->parents[node];

    while (parent != NONE && parent < threader->nodes && threader->merged[parent] != NONE)
        parent = threader->merged[parent];
    return parent;
}

static void
append_child(struct threader *threader, uint32_t parent, uint32_t node)
{
    if (threader->firsts[parent] == NONE)
        threader->firsts[parent] = node;
    else
        threader->nexts[threader->lasts[parent]] = node;
    threader->lasts[parent] = node;
}

/* Puts all messages, by date, at the end of their parents' children, and threads at the end of
 * `roots`: so all are in order (steps 4 and 6). */
static void
arrange(struct threader *threader, struct roots *roots)
{
    memset(threader->firsts, 0xFF, threader->nodes * sizeof(uint32_t));
    memset(threader->nexts, 0xFF, threader->nodes * sizeof(uint32_t));
    roots->count = 0;
    for (size_t i = 0; i < threader->count; i++) {
        uint32_t node = threader->members[threader->order[i]].id;
        uint32_t parent = parent_of(threader, node);
        if (parent == NONE) {
            roots->nodes[roots->count++] = node;
            continue;
        }
        if (is_dummy(threader, parent) && threader->firsts[parent] == NONE)
            roots->nodes[roots->count++] = parent;
        append_child(threader, parent, node);
    }
}

/* ---- step 5: threads of one subject ---------------------------------------------------------- */

/* The message whose subject is the thread's. */
static const struct member *
head_of(const struct threader *threader, uint32_t root)
{
    uint32_t node = is_dummy(threader, root) ? threader->firsts[root] : root;

    return &threader->members[threader->owners[node]];
}

static bool
is_reply(const struct threader *threader, uint32_t root)
{
    return !is_dummy(threader, root) && head_of(threader, root)->is_reply;
}

/* 5B: for each subject the thread that the others will join. */
static void
choose_threads(struct threader *threader, const struct roots *roots, uint32_t *table)
{
    for (size_t i = 0; i < roots->count; i++) {
        uint32_t root = roots->nodes[i];
        uint32_t *chosen = &table[head_of(threader, root)->subject];
        if (*chosen == NONE || (!is_dummy(threader, *chosen) &&
                                (is_dummy(threader, root) ||
                                 (is_reply(threader, *chosen) && !is_reply(threader, root)))))
            *chosen = root;
    }
}

/* 5C for one thread. */
static void
join_thread(struct threader *threader, uint32_t *chosen, uint32_t root)
{
    if (is_dummy(threader, root)) {
        threader->merged[root] = *chosen;
    } else if (is_dummy(threader, *chosen) ||
               (is_reply(threader, root) && !is_reply(threader, *chosen))) {
        threader->parents[root] = *chosen;
    } else {
        uint32_t dummy = (uint32_t)threader->nodes++;
        threader->parents[dummy] = threader->merged[dummy] = NONE;
        threader->parents[root] = threader->parents[*chosen] = dummy;
        *chosen = dummy;
    }
}

static bool
join_subjects(struct threader *threader, const struct roots *roots)
{
    uint32_t *table = ARENA_ARRAY(threader->arena, uint32_t, threader->subjects.count);

    if (!table)
        return false;
    memset(table, 0xFF, threader->subjects.count * sizeof(*table));
    choose_threads(threader, roots, table);
    for (size_t i = 0; i < roots->count; i++) {
        uint32_t subject = head_of(threader, roots->nodes[i])->subject;
        if (subject != 0 && table[subject] != roots->nodes[i])
            join_thread(threader, &table[subject], roots->nodes[i]);
    }
    return true;
}

/* ---- the other algorithms -------------------------------------------------------------------- */

/* Each message is an id of its own; the first of a subject is the parent of the others. */
static void
link_subjects(struct threader *threader, uint32_t *heads)
{
    memset(heads, 0xFF, threader->subjects.count * sizeof(*heads));
    for (size_t i = 0; i < threader->count; i++) {
        const struct member *member = &threader->members[threader->order[i]];
        uint32_t *head = &heads[member->subject];
        if (*head == NONE)
            *head = member->id;
        else
            threader->parents[member->id] = *head;
    }
}

/* REFS: threads in the order of their last message. */
static void
order_by_last(struct threader *threader, struct roots *roots)
{
    uint32_t *sets = threader->sets;
    size_t at = roots->count;

    for (uint32_t node = 0; node < threader->nodes; node++) {
        uint32_t parent = threader->parents[node];
        sets[node] = parent == NONE ? node : parent;
    }
    memset(threader->children, 0, threader->nodes * sizeof(uint32_t));
    for (size_t i = threader->count; i > 0; i--) {
        uint32_t root = set_of(sets, threader->members[threader->order[i - 1]].id);
        if (threader->children[root]++ == 0)
            roots->nodes[--at] = root;
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Room for all ids and as many dummies as threads can be joined under. */
static bool
make_room(struct threader *threader, struct roots *roots)
{
    size_t most = threader->ids.count + threader->count;
    struct arena *arena = threader->arena;

    threader->nodes = threader->ids.count;
    threader->parents = ARENA_ARRAY(arena, uint32_t, most);
    threader->merged = ARENA_ARRAY(arena, uint32_t, most);
    threader->sets = ARENA_ARRAY(arena, uint32_t, most);
    threader->firsts = ARENA_ARRAY(arena, uint32_t, most);
    threader->lasts = ARENA_ARRAY(arena, uint32_t, most);
    threader->nexts = ARENA_ARRAY(arena, uint32_t, most);
    threader->children = ARENA_ARRAY(arena, uint32_t, most);
    roots->nodes = ARENA_ARRAY(arena, uint32_t, most);
    if (arena_failed(arena))
        return false;
    memset(threader->parents, 0xFF, most * sizeof(uint32_t));
    memset(threader->merged, 0xFF, most * sizeof(uint32_t));
    for (uint32_t id = 0; id < most; id++)
        threader->sets[id] = id;
    return true;
}

static bool
give_ids(struct threader *threader)
{
    for (size_t i = 0; i < threader->count; i++) {
        uint32_t *id = &threader->members[i].id;
        if (!names_enter_nameless(threader->arena, &threader->ids, id) || !ids_follow(threader))
            return false;
        threader->owners[*id] = (uint32_t)i;
    }
    return true;
}

/* The nodes as the caller sees them. */
static const struct thread_node *
make_nodes(struct threader *threader, const struct roots *roots)
{
    struct thread_node *nodes = ARENA_ARRAY(threader->arena, struct thread_node, threader->nodes);

    if (!nodes)
        return NULL;
    for (size_t i = 0; i + 1 < roots->count; i++)
        threader->nexts[roots->nodes[i]] = roots->nodes[i + 1];
    for (uint32_t i = 0; i < threader->nodes; i++) {
        nodes[i] = (struct thread_node){
            .number = is_dummy(threader, i) ? 0 : threader->members[threader->owners[i]].number,
            .child = threader->firsts[i] == NONE ? NULL : &nodes[threader->firsts[i]],
            .next = threader->nexts[i] == NONE ? NULL : &nodes[threader->nexts[i]],
        };
    }
    return &nodes[roots->nodes[0]];
}

static bool
link_by_subject(struct threader *threader, struct roots *roots)
{
    uint32_t *heads = ARENA_ARRAY(threader->arena, uint32_t, threader->subjects.count);

    if (!heads || !give_ids(threader) || !make_room(threader, roots))
        return false;
    link_subjects(threader, heads);
    arrange(threader, roots);
    return true;
}

static bool
link_by_references(struct threader *threader, struct roots *roots)
{
    if (!make_room(threader, roots))
        return false;
    link_all(threader);
    if (!prune(threader))
        return false;
    arrange(threader, roots);
    if (threader->algorithm == THREAD_REFS) {
        order_by_last(threader, roots);
        return true;
    }
    if (!join_subjects(threader, roots))
        return false;
    arrange(threader, roots);
    return true;
}

bool
threader_finish(struct threader *threader, const struct thread_node **ret_first)
{
    struct roots roots = {0};

    threader->max = 0;
    if (threader->count == 0) {
        *ret_first = NULL;
        return true;
    }
    if (!order_members(threader) ||
        !(threader->algorithm == THREAD_ORDEREDSUBJECT ? link_by_subject(threader, &roots)
                                                       : link_by_references(threader, &roots)))
        return false;
    const struct thread_node *first = make_nodes(threader, &roots);
    if (!first)
        return false;
    *ret_first = first;
    return true;
}
