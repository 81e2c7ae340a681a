/* SPDX-License-Identifier: ISC */
/* One message for one program: run once for each recipient, judged, answered. */
#include "role/hand/hand_role.h"

#include "host/log.h"

#include <errno.h>
#include <stdlib.h>

enum { SIDE_STORE = 0, MESSAGE_BYTES_MAX = UINT32_MAX };

struct hand_task {
    struct list link;         /* in hand->tasks */
    struct list waiting_link; /* in hand->waiting */
    struct hand *hand;
    struct arena arena;
    struct store_transport_carry carry; /* lives in the arena */
    struct host_mapping mapping;
    bool is_mapped;
    struct slice content;
    struct program program;
    struct list errands;
    size_t next, open; /* recipients: the next to begin with, those under way */
    struct instant begun;
    struct store_transport_result results[STORE_TRANSPORT_CARRY_RECIPIENTS_MAX];
    struct store_transport_attempt attempt;
    enum store_transport_reach reach;
};

/* A program that runs. */
struct errand {
    struct list link;
    struct hand_task *task;
    size_t place;
    struct host_errand *errand;
    struct host_timer *timer;
    bool is_stopped;
};

/* ---- results ------------------------------------------------------------------------------- */

static void
set_result(struct hand_task *task, size_t place, enum store_transport_outcome outcome,
           struct envelope_status status, struct slice text)
{
    struct buffer written;

    buffer_init(&written, STORE_TRANSPORT_RESULT_STATUS_MAX);
    envelope_status_put(&written, status);
    task->results[place] = (struct store_transport_result){
        .outcome = outcome,
        .status = arena_copy(&task->arena, buffer_slice(&written)),
        .text = arena_copy(&task->arena, text),
    };
    buffer_finish(&written);
}

/* Of the operator, or of this moment: mail waits. */
static void
fail(struct hand_task *task, size_t place, const char *why)
{
    struct log_line line;

    log_begin(&line, task->hand->start.host, HOST_LEVEL_WARNING, "program_not_run");
    log_text(&line, "id", task->carry.queue_id);
    log_text(&line, "program", task->carry.path);
    log_string(&line, "why", why);
    log_end(&line);
    set_result(task, place, STORE_TRANSPORT_OUTCOME_TEMPORARY, ENVELOPE_STATUS(4, 3, 5),
               slice_of_string(why));
}

static void
log_result(const struct hand_task *task, size_t place)
{
    static const char *const names[] = {
        [STORE_TRANSPORT_OUTCOME_DELIVERED] = "delivered",
        [STORE_TRANSPORT_OUTCOME_TEMPORARY] = "temporary",
        [STORE_TRANSPORT_OUTCOME_PERMANENT] = "permanent",
        [STORE_TRANSPORT_OUTCOME_UNKNOWN] = "unknown",
    };
    const struct store_transport_result *result = &task->results[place];
    struct log_line line;

    log_begin(&line, task->hand->start.host, HOST_LEVEL_INFO, "carried");
    log_text(&line, "id", task->carry.queue_id);
    log_address(&line, "to", task->carry.recipients.at[place].address);
    log_string(&line, "outcome", names[result->outcome]);
    log_text(&line, "host", task->attempt.host);
    log_text(&line, "status", result->status);
    log_text(&line, "text", result->text);
    log_end(&line);
}

static void
finish(struct hand_task *task)
{
    struct hand *hand = task->hand;
    struct instant now = host_now(hand->start.host);
    uint64_t *const counters[] = {
        [STORE_TRANSPORT_OUTCOME_DELIVERED] = &hand->delivered,
        [STORE_TRANSPORT_OUTCOME_TEMPORARY] = &hand->temporary,
        [STORE_TRANSPORT_OUTCOME_PERMANENT] = &hand->permanent,
        [STORE_TRANSPORT_OUTCOME_UNKNOWN] = &hand->temporary,
    };
    struct store_transport_carried carried = {
        .id = task->carry.id,
        .reach = task->reach,
        .results = {task->results, task->carry.recipients.count},
        .attempts = {&task->attempt, 1},
    };

    task->attempt.duration_ms = (uint32_t)(instant_since(now, task->begun).ns / duration_ms(1).ns);
    for (size_t i = 0; i < task->carry.recipients.count; i++) {
        log_result(task, i);
        (*counters[task->results[i].outcome])++;
    }
    bool is_put = store_transport_put_carried(&hand->note, &hand->store_ledger, &carried);
    assert(is_put);
    if (hand->store)
        host_channel_send(hand->store, buffer_slice(&hand->note), HOST_HANDLE_NONE);
    buffer_clear(&hand->note);
    task_close(&task);
}

/* ---- one program for one recipient --------------------------------------------------------- */

static void
close_errand(struct errand *errand)
{
    struct hand_task *task = errand->task;

    host_errand_close(&errand->errand);
    host_timer_close(&errand->timer);
    list_remove(&errand->link);
    task->hand->errand_count--;
    task->open--;
    free(errand);
}

static void
on_end(void *context, int status, struct slice output)
{
    static const enum store_transport_outcome outcomes[] = {
        [PROGRAM_DELIVERED] = STORE_TRANSPORT_OUTCOME_DELIVERED,
        [PROGRAM_TEMPORARY] = STORE_TRANSPORT_OUTCOME_TEMPORARY,
        [PROGRAM_PERMANENT] = STORE_TRANSPORT_OUTCOME_PERMANENT,
    };
    struct errand *errand = context;
    struct hand_task *task = errand->task;
    struct hand *hand = task->hand;
    struct program_verdict verdict;

    program_judge(status, output, &verdict);
    if (errand->is_stopped)
        set_result(task, errand->place, STORE_TRANSPORT_OUTCOME_TEMPORARY, ENVELOPE_STATUS(4, 3, 0),
                   SLICE("the program took longer than program_timer allows"));
    else
        set_result(task, errand->place, outcomes[verdict.outcome], verdict.status,
                   slice_of(verdict.text, verdict.text_len));
    close_errand(errand);
    if (task->open == 0 && task->next == task->carry.recipients.count)
        finish(task);
    task_work(hand);
}

static void
on_timer(void *context)
{
    struct errand *errand = context;
    struct hand *hand = errand->task->hand;

    host_errand_stop(errand->errand, errand->is_stopped);
    hand->stopped += !errand->is_stopped;
    errand->is_stopped = true;
    host_timer_set(errand->timer,
                   instant_after(host_now(hand->start.host), duration_s(HAND_GRACE_S)));
}

static void
take_facts(const struct hand_task *task, size_t place, struct program_facts *ret_facts)
{
    struct slice recipient = task->carry.recipients.at[place].address;
    struct slice separators = task->hand->start.config->subaddress_separator;
    size_t at = slice_find_last_byte(recipient, '@'), end = 1;
    struct slice local = slice_first(recipient, at);

    while (end < local.len && slice_find_byte(separators, local.at[end]) == separators.len)
        end++;
    *ret_facts = (struct program_facts){
        .sender = task->carry.reverse_path,
        .recipient = recipient,
        .local = slice_first(local, end),
        .detail = slice_skip(local, end + 1),
        .domain = slice_skip(recipient, at + 1),
        .queue_id = task->carry.queue_id,
        .size = task->content.len,
    };
}

/* What the program reads, in memory that only it reads. */
static int
make_input(const struct hand_task *task, const struct program_facts *facts, host_handle *ret_input)
{
    struct host *host = task->hand->start.host;
    struct host_blob *blob = NULL;
    struct buffer text;
    bool is_command = task->program.name.len == 0;

    buffer_init(&text, MESSAGE_BYTES_MAX);
    program_put_message(&text, is_command, host_wall(host), facts, task->content);
    int error = host_blob_open(host, &blob);
    if (error == 0)
        error = host_blob_put(blob, buffer_slice(&text));
    if (error == 0)
        error = host_blob_seal(&blob, ret_input);
    host_blob_close(&blob);
    buffer_finish(&text);
    return error;
}

static const char no_room[] = "there is no memory for the program's arguments";

/* Why it could not be begun, or NULL. */
static const char *
run(struct hand_task *task, struct errand *errand, const struct program_facts *facts,
    const char *const *arguments)
{
    const struct role_start *start = &task->hand->start;
    char *user = arena_copy_string(&task->arena, task->program.user);
    struct host_errand_order order = {
        .user = user,
        .arguments = arguments,
        .variables = program_variables(facts, &task->arena),
        .memory_bytes_max = start->config->program_memory_max,
        .processor_s_max = (uint32_t)(start->config->program_timer.ns / duration_s(1).ns) + 1,
        .output_bytes_max = HAND_OUTPUT_MAX,
    };

    if (arena_failed(&task->arena))
        return no_room;
    if (make_input(task, facts, &order.input) < 0)
        return "there is no memory for the message";
    int error = host_errand_open(start->host, &order, on_end, errand, &errand->errand);
    host_handle_close(start->host, order.input);
    if (error == -EPERM)
        return "its user is root or one that this server may not become";
    return error < 0 ? strerror(-error) : NULL;
}

static void
begin_next(struct hand_task *task)
{
    struct hand *hand = task->hand;
    struct errand *errand = calloc(1, sizeof(*errand));
    const char *const *arguments;
    struct program_facts facts;

    if (!errand)
        abort();
    errand->task = task;
    errand->place = task->next++;
    take_facts(task, errand->place, &facts);
    const char *unfit = program_expand(&task->program, &facts, &task->arena, &arguments);
    const char *problem = unfit ? NULL : run(task, errand, &facts, arguments);
    if (unfit && arena_failed(&task->arena)) {
        /* Those before it have used it up; the next time they are not there. */
        problem = no_room;
        unfit = NULL;
    }
    if (unfit)
        set_result(task, errand->place, STORE_TRANSPORT_OUTCOME_PERMANENT, ENVELOPE_STATUS(5, 1, 3),
                   slice_of_string(unfit));
    if (problem)
        fail(task, errand->place, problem);
    if (unfit || problem) {
        free(errand);
        return;
    }
    struct host *host = hand->start.host;
    errand->timer = host_timer_open(host, on_timer, errand);
    host_timer_set(errand->timer, instant_after(host_now(host), hand->start.config->program_timer));
    list_append(&task->errands, &errand->link);
    task->open++;
    hand->errand_count++;
    hand->started++;
    task->reach = STORE_TRANSPORT_REACH_REACHED;
    task->attempt.is_connected = true;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

void
task_work(struct hand *hand)
{
    while (!list_is_empty(&hand->waiting) && hand->errand_count < HAND_ERRANDS_MAX) {
        struct hand_task *task = LIST_ITEM(hand->waiting.next, struct hand_task, waiting_link);
        list_remove(&task->waiting_link);
        begin_next(task);
        if (task->next < task->carry.recipients.count)
            list_append(&hand->waiting, &task->waiting_link);
        else if (task->open == 0)
            finish(task);
    }
    if (hand->is_stopping && list_is_empty(&hand->tasks))
        host_stop(hand->start.host);
}

void
task_stop_all(struct hand *hand)
{
    while (!list_is_empty(&hand->waiting)) {
        struct hand_task *task = LIST_ITEM(hand->waiting.next, struct hand_task, waiting_link);
        list_remove(&task->waiting_link);
        while (task->next < task->carry.recipients.count)
            set_result(task, task->next++, STORE_TRANSPORT_OUTCOME_TEMPORARY,
                       ENVELOPE_STATUS(4, 3, 2), SLICE("the server stops"));
        if (task->open == 0)
            finish(task);
    }
}

/* The program that the configuration has by this name; NULL or a problem. */
static const char *
find_program(struct hand_task *task)
{
    const struct config_strings *programs = &task->hand->start.config->programs;
    struct slice path = task->carry.path;

    if (path.len > 0 && path.at[0] == '|') {
        arena_reset(&task->hand->arena);
        return forward_find_program(task->hand, path, &task->arena, &task->program);
    }
    for (size_t i = 0; i < programs->count; i++) {
        const char *problem = program_parse(programs->at[i], &task->arena, &task->program);
        if (!problem && slice_equal(task->program.name, task->carry.path))
            return NULL;
    }
    return "the option programs has no program of that name";
}

static bool
take_body(struct hand_task *task, host_handle handle)
{
    struct slice body = task->carry.body;

    if (handle != HOST_HANDLE_NONE) {
        task->is_mapped = host_blob_map(task->hand->start.host, handle, &task->mapping) == 0;
        if (!task->is_mapped)
            return false;
        body = task->mapping.bytes;
    }
    task->content = slice_skip(body, task->carry.skip);
    return true;
}

static void
prepare(struct hand_task *task, host_handle handle)
{
    struct hand *hand = task->hand;
    const char *problem = "this process runs programs only";
    struct buffer name;

    buffer_init(&name, STORE_TRANSPORT_ATTEMPT_HOST_MAX);
    buffer_put_text(&name, "pipe:");
    buffer_put(&name, slice_first(task->carry.path, PROGRAM_NAME_MAX));
    task->attempt = (struct store_transport_attempt){
        .host = arena_copy(&task->arena, buffer_slice(&name)),
        .address = SLICE(""),
        .tls = SLICE(""),
        .text = SLICE(""),
    };
    buffer_finish(&name);
    if (task->carry.carrier == STORE_TRANSPORT_CARRIER_PIPE)
        problem = find_program(task);
    if (!problem && !take_body(task, handle))
        problem = "the message cannot be read";
    if (!problem && hand->is_stopping)
        problem = "the server stops";
    while (problem && task->next < task->carry.recipients.count)
        fail(task, task->next++, problem);
}

bool
task_open(struct hand *hand, struct slice note, host_handle handle)
{
    struct hand_task *task = calloc(1, sizeof(*task));
    struct store_transport_note taken;

    if (!task)
        abort();
    task->hand = hand;
    arena_init(&task->arena, HAND_TASK_ARENA_MAX);
    list_init(&task->link);
    list_init(&task->waiting_link);
    list_init(&task->errands);
    task->begun = host_now(hand->start.host);
    task->reach = STORE_TRANSPORT_REACH_UNREACHABLE;
    struct slice copy = arena_copy(&task->arena, note);
    if (!store_transport_take(copy, handle, SIDE_STORE, &hand->store_ledger, &task->arena,
                              &taken) ||
        taken.kind != STORE_TRANSPORT_CARRY || taken.as.carry.recipients.count == 0) {
        task_close(&task);
        return false;
    }
    task->carry = taken.as.carry;
    list_append(&hand->tasks, &task->link);
    prepare(task, handle);
    if (task->next < task->carry.recipients.count)
        list_append(&hand->waiting, &task->waiting_link);
    else
        finish(task);
    task_work(hand);
    return true;
}

void
task_close(struct hand_task **task)
{
    struct hand_task *old = *task;

    LIST_EACH (link, &old->errands) {
        close_errand(LIST_ITEM(link, struct errand, link));
    }
    list_remove(&old->link);
    list_remove(&old->waiting_link);
    if (old->is_mapped)
        host_blob_unmap(old->hand->start.host, &old->mapping);
    arena_finish(&old->arena);
    free(old);
    *task = NULL;
}

struct hand_task *
task_first(struct hand *hand)
{
    return list_is_empty(&hand->tasks) ? NULL : LIST_ITEM(hand->tasks.next, struct hand_task, link);
}
