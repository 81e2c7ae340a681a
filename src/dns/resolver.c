/* SPDX-License-Identifier: ISC */
/* The one file that knows libunbound. */
#include "dns/resolver.h"

#include "base/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>

enum {
    CLASS_IN = 1,
    RCODE_NO_ERROR = 0,
    RCODE_NO_NAME = 3,
    OPTION_MAX = 1024,
    LINE_MAX_READ = 4096, /* of the file of trust anchors: its names stand in front */
    ANSWER_BYTES_MAX = 1024 * 1024,
    TTL_FAILED_S = 30 /* of an answer that is none */
};

struct dns_resolver {
    struct ub_ctx *context;
    struct list questions;
    struct arena arena; /* of the answer in hand */
};

struct question {
    struct list link;
    struct dns_resolver *resolver;
    enum dns_type type;
    dns_answer_fn fn;
    void *context;
};

/* ---- options ------------------------------------------------------------------------------- */

/* The library wants C strings; text that cannot be one is refused as the option it stands in. */
static bool
to_string(struct slice text, char ret_string[OPTION_MAX])
{
    if (text.len >= OPTION_MAX || slice_find_byte(text, 0) < text.len)
        return false;
    if (text.len > 0)
        memcpy(ret_string, text.at, text.len);
    ret_string[text.len] = 0;
    return true;
}

/* A folder can be opened and not be read, and the library would try for ever. */
static bool
can_be_read(const char *path)
{
    FILE *file = fopen(path, "re");
    bool is_read = file && (fgetc(file) != EOF || !ferror(file));

    if (file)
        fclose(file);
    return is_read;
}

static const char *
set_forwarders(struct ub_ctx *context, const struct dns_resolver_options *options)
{
    char text[OPTION_MAX];

    for (size_t i = 0; i < options->forwarder_count; i++) {
        if (!to_string(options->forwarders[i], text) || ub_ctx_set_fwd(context, text) != 0)
            return "expected the address of a resolver: 192.0.2.1 or ::1@5353";
    }
    if (options->forwarder_count == 0 && !options->is_recursive &&
        ub_ctx_resolvconf(context, NULL) != 0)
        return "/etc/resolv.conf cannot be read; name the resolvers in dns_resolvers";
    return NULL;
}

/* The name is that of the zone or of one above it, but not the root. Names may end in a dot. */
static bool
is_zone_or_above(struct slice name, struct slice zone)
{
    name = slice_first(name, name.len - slice_ends_with(name, SLICE(".")));
    zone = slice_first(zone, zone.len - slice_ends_with(zone, SLICE(".")));
    if (name.len == 0 || name.len > zone.len)
        return false;
    size_t rest = zone.len - name.len;
    return slice_equal_nocase(slice_skip(zone, rest), name) &&
           (rest == 0 || zone.at[rest - 1] == '.');
}

/* Of the lines of a zone file those that begin with a name are enough: an anchor is written so. */
static bool
has_anchor(const char *anchors, struct slice zone)
{
    char line[LINE_MAX_READ];
    FILE *file = fopen(anchors, "re");
    bool is_found = false, is_whole = true;

    while (file && !is_found && fgets(line, sizeof(line), file)) {
        is_found =
            is_whole &&
            is_zone_or_above(slice_first(slice_of_string(line), strcspn(line, " \t\r\n;")), zone);
        is_whole = strchr(line, '\n') != NULL;
    }
    if (file)
        fclose(file);
    return is_found;
}

/* Zones that the rest of the world does not see are not vouched for by the zones above: what the
 * root's anchor says of them is that they do not exist. Whoever signs his own gives its anchor. */
static bool
set_insecure(struct ub_ctx *context, const struct dns_resolver_options *options, const char *zone)
{
    char anchors[OPTION_MAX];

    return options->trust_anchors.len == 0 || !to_string(options->trust_anchors, anchors) ||
           has_anchor(anchors, slice_of_string(zone)) ||
           ub_ctx_set_option(context, "domain-insecure:", zone) == 0;
}

/* ZONE ADDRESS[@PORT] */
static const char *
set_stubs(struct ub_ctx *context, const struct dns_resolver_options *options)
{
    char zone[OPTION_MAX], address[OPTION_MAX];

    for (size_t i = 0; i < options->stub_count; i++) {
        struct slice stub = slice_trim(options->stubs[i]);
        size_t blank = slice_find_byte(stub, ' ');
        if (blank == stub.len || !to_string(slice_first(stub, blank), zone) ||
            !to_string(slice_trim(slice_skip(stub, blank)), address) ||
            ub_ctx_set_stub(context, zone, address, 0) != 0 ||
            !set_insecure(context, options, zone))
            return "expected a zone and the address of its server: example.net 192.0.2.1@53";
    }
    return NULL;
}

/* Zones that the library answers itself otherwise: private networks, test., invalid., and what is
 * below them. After this no option can be set. */
static void
open_stubs(struct ub_ctx *context, const struct dns_resolver_options *options)
{
    char zone[OPTION_MAX];

    for (size_t i = 0; i < options->stub_count; i++) {
        struct slice stub = slice_trim(options->stubs[i]);
        if (!to_string(slice_first(stub, slice_find_byte(stub, ' ')), zone))
            continue;
        (void)ub_ctx_zone_remove(context, zone);
        (void)ub_ctx_zone_add(context, zone, "transparent");
    }
}

static const char *
set_options(struct ub_ctx *context, const struct dns_resolver_options *options)
{
    char text[OPTION_MAX];
    bool knows_servers = options->forwarder_count > 0 || options->stub_count > 0;

    if ((options->is_local_allowed || knows_servers || !options->is_recursive) &&
        ub_ctx_set_option(context, "do-not-query-localhost:", "no") != 0)
        return "this libunbound cannot ask loopback addresses";
    if (options->trust_anchors.len > 0 &&
        (!to_string(options->trust_anchors, text) || !can_be_read(text) ||
         ub_ctx_add_ta_file(context, text) != 0))
        return "the file of trust anchors cannot be read";
    if (options->root_hints.len > 0 &&
        (!to_string(options->root_hints, text) || !can_be_read(text) ||
         ub_ctx_set_option(context, "root-hints:", text) != 0))
        return "the file of root hints cannot be read";
    if (options->cache_bytes > 0) {
        snprintf(text, sizeof(text), "%u", options->cache_bytes);
        if (ub_ctx_set_option(context, "rrset-cache-size:", text) != 0 ||
            ub_ctx_set_option(context, "msg-cache-size:", text) != 0)
            return "expected another size of the cache";
    }
    const char *why = set_forwarders(context, options);
    return why ? why : set_stubs(context, options);
}

/* The library opens its files at the first question: one about itself, which it answers without
 * asking anybody, makes it do so now. */
static const char *
read_files(struct ub_ctx *context)
{
    struct ub_result *result = NULL;
    int error = ub_resolve(context, "localhost.", DNS_A, CLASS_IN, &result);

    ub_resolve_free(result);
    return error == 0 ? NULL : "the trust anchors or root hints are damaged";
}

struct dns_resolver *
dns_resolver_open(const struct dns_resolver_options *options, const char **ret_why)
{
    struct ub_ctx *context = ub_ctx_create();
    struct dns_resolver *resolver = calloc(1, sizeof(*resolver));

    if (!context || !resolver)
        abort();
    /* It would write to standard error in a form of its own: what matters is in the answers. */
    (void)ub_ctx_debugout(context, NULL);
    const char *why = set_options(context, options);
    if (!why && ub_ctx_async(context, 1) != 0)
        why = "this libunbound has no threads";
    if (!why)
        open_stubs(context, options);
    if (!why)
        why = read_files(context);
    if (why) {
        ub_ctx_delete(context);
        free(resolver);
        *ret_why = why;
        return NULL;
    }
    resolver->context = context;
    list_init(&resolver->questions);
    arena_init(&resolver->arena, ANSWER_BYTES_MAX);
    return resolver;
}

static void
forget(struct question *question)
{
    list_remove(&question->link);
    free(question);
}

void
dns_resolver_close(struct dns_resolver **resolver, void (*drop)(void *context))
{
    struct dns_resolver *old = *resolver;

    if (!old)
        return;
    ub_ctx_delete(old->context);
    LIST_EACH (link, &old->questions) {
        struct question *question = LIST_ITEM(link, struct question, link);
        if (drop)
            drop(question->context);
        forget(question);
    }
    arena_finish(&old->arena);
    free(old);
    *resolver = NULL;
}

/* ---- answers ------------------------------------------------------------------------------- */

static enum dns_outcome
outcome_of(const struct ub_result *result)
{
    if (result->bogus)
        return DNS_BOGUS;
    if (result->rcode == RCODE_NO_NAME)
        return DNS_NO_NAME;
    if (result->rcode != RCODE_NO_ERROR)
        return DNS_TEMPORARY;
    return result->havedata ? DNS_FOUND : DNS_NO_DATA;
}

static void
read_records(const struct ub_result *result, enum dns_type type, struct arena *arena,
             struct dns_answer *answer)
{
    struct dns_record *records = ARENA_ARRAY(arena, struct dns_record, DNS_RECORDS_MAX);

    for (size_t i = 0; records && result->data[i] && answer->count < DNS_RECORDS_MAX; i++) {
        struct slice wire = slice_of(result->data[i], (size_t)result->len[i]);
        if (dns_record_parse(type, wire, arena, &records[answer->count]))
            answer->count++;
    }
    answer->records = records;
}

/* CNAMEs may lead to any text: what is no sound name is not passed on. */
static struct slice
canonical_of(const struct ub_result *result, struct arena *arena)
{
    const char *name = result->canonname ? result->canonname : result->qname;
    struct slice text = slice_of_string(name);

    if (text.len > 0 && text.at[text.len - 1] == '.')
        text.len--;
    if (!dns_name_is_sound(text))
        return SLICE("");
    uint8_t *copy = arena_new(arena, text.len);
    for (size_t i = 0; copy && i < text.len; i++)
        copy[i] = byte_to_lower(text.at[i]);
    return slice_of(copy, copy ? text.len : 0);
}

static void
read_answer(const struct ub_result *result, enum dns_type type, struct arena *arena,
            struct dns_answer *ret_answer)
{
    struct dns_answer answer = {
        .outcome = outcome_of(result),
        .is_secure = result->secure && !result->bogus,
        .ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0,
        .canonical = canonical_of(result, arena),
        .why = SLICE(""),
    };

    if (answer.outcome == DNS_BOGUS)
        answer.why = arena_copy(arena, slice_of_string(result->why_bogus ? result->why_bogus : ""));
    if (answer.outcome == DNS_FOUND)
        read_records(result, type, arena, &answer);
    /* Records that are all unsound are as good as none, but that may change: not for good. */
    if (answer.outcome == DNS_FOUND && answer.count == 0) {
        answer.outcome = DNS_TEMPORARY;
        answer.why = SLICE("no record of the answer makes sense");
    }
    *ret_answer = answer;
}

static void
fail_answer(int error, struct arena *arena, struct dns_answer *ret_answer)
{
    *ret_answer = (struct dns_answer){
        .outcome = DNS_TEMPORARY,
        .ttl_s = TTL_FAILED_S,
        .canonical = SLICE(""),
        .why = arena_copy(arena, slice_of_string(ub_strerror(error))),
    };
}

static void
on_result(void *context, int error, struct ub_result *result)
{
    struct question *question = context;
    struct arena *arena = &question->resolver->arena;
    struct dns_answer answer;

    arena_reset(arena);
    if (error == 0)
        read_answer(result, question->type, arena, &answer);
    else
        fail_answer(error, arena, &answer);
    ub_resolve_free(result);
    dns_answer_fn fn = question->fn;
    void *owner = question->context;
    forget(question);
    fn(owner, &answer);
}

/* ---- questions ----------------------------------------------------------------------------- */

bool
dns_resolver_ask(struct dns_resolver *resolver, struct slice name, enum dns_type type,
                 dns_answer_fn fn, void *context)
{
    char text[OPTION_MAX];
    int id;

    if (!dns_name_is_sound(name) || !to_string(name, text))
        return false;
    struct question *question = malloc(sizeof(*question));
    if (!question)
        abort();
    *question = (struct question){.resolver = resolver, .type = type, .fn = fn, .context = context};
    list_append(&resolver->questions, &question->link);
    if (ub_resolve_async(resolver->context, text, (int)type, CLASS_IN, question, on_result, &id) ==
        0)
        return true;
    forget(question);
    return false;
}

int
dns_resolver_descriptor(struct dns_resolver *resolver)
{
    return ub_fd(resolver->context);
}

void
dns_resolver_process(struct dns_resolver *resolver)
{
    /* What it returns concerns single questions, and these are told by their fn. */
    (void)ub_process(resolver->context);
}

void
dns_resolver_look_up(struct dns_resolver *resolver, struct slice name, enum dns_type type,
                     struct arena *arena, struct dns_answer *ret_answer)
{
    struct ub_result *result = NULL;
    char text[OPTION_MAX];

    if (!dns_name_is_sound(name) || !to_string(name, text)) {
        *ret_answer = (struct dns_answer){.outcome = DNS_NO_NAME,
                                          .canonical = SLICE(""),
                                          .why = SLICE("no host can have that name")};
        return;
    }
    int error = ub_resolve(resolver->context, text, (int)type, CLASS_IN, &result);
    if (error == 0)
        read_answer(result, type, arena, ret_answer);
    else
        fail_answer(error, arena, ret_answer);
    ub_resolve_free(result);
}
