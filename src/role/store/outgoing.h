/* SPDX-License-Identifier: ISC */
/* Mail for other hosts, from the turn that took it to the turn that says what became of it. Private
 * to this folder.
 *
 * A lane (queue/lanes.h) says that something is due; a batch is taken from it: recipients of one
 * message in one domain. route is asked about each; those that go to the same destination make a
 * carriage, which transport is given when the destination's flow lets it. What became of its
 * letters is written in a turn. What was taken and not written yet is `in_flight`; a crash forgets
 * that, and it is due as before. */
#ifndef ROLE_STORE_OUTGOING_H
#define ROLE_STORE_OUTGOING_H

#include "mailbox/queue.h"
#include "note/store_route.h"
#include "note/store_transport.h"
#include "queue/entry.h"
#include "queue/flow.h"
#include "queue/lanes.h"
#include "queue/schedule.h"
#include "role/store/hops.h"
#include "role/store/store_role.h"

enum {
    OUTGOING_BATCHES_MAX = 4096,
    OUTGOING_TURN_CARRIAGES = 256, /* written in a turn: who hands in mail waits for its end */
    OUTGOING_RIDE_MS = 20,         /* results wait so long for a turn that takes them along, */
    OUTGOING_RIDE_CARRIAGES = 128, /* or until there are so many */
    OUTGOING_FAILED_MS = 1000,     /* until a turn that failed is tried again for them */
    OUTGOING_BATCHES_MANY = 2048,  /* from here on no lane gets more than one */
    OUTGOING_WAITING_MAX = 256,    /* carriages for one destination; others wait in the view */
    OUTGOING_SHUT_BATCHES = 64,    /* of a lane whose destination does not answer */
    OUTGOING_LETTERS_MAX = 100,    /* in a batch: what one transaction has at least (RFC 5321) */
    OUTGOING_ADDRESSES_MAX = 24 * 1024, /* octets of its recipients: they share a note */
    OUTGOING_BODIES_MAX = 256 << 20,    /* octets of messages on their way; one may always go */
    OUTGOING_INLINE_MAX = 24 * 1024,    /* a longer body travels as a blob */
    OUTGOING_ARENA_MAX = 4 << 20,
    OUTGOING_HAND = STORE_PEERS_MAX, /* its place among the transports */
    OUTGOING_WAIT_S = 3600,          /* a transport that is silent for so long is given up */
    OUTGOING_GROUP_BITS = 5,         /* a message's number: its body's, and its group */
    OUTGOING_FORGET_STEP = 500,      /* messages of which all is forgotten in a turn, */
    OUTGOING_COUNT_STEP = 1000,      /* and after the start so many are counted in one */
    OUTGOING_FACTS_ABOUT = 400,      /* octets of a record and its key, as they usually are */
    OUTGOING_REPORT_DELAY_S = 2,     /* results that come together are told together */
    OUTGOING_REPORT_AGAIN_S = 900,   /* until one that nobody could build is tried again */
    OUTGOING_REPORTS_MAX = 16,       /* on their way at a time: each may hold a whole message */
};

/* No domain has this name: messages whose sender is to be told something. */
#define OUTGOING_REPORTS "<report>"
/* What stands before the number of a customer's turn, as a destination. */
#define OUTGOING_TURN "turn "
enum { OUTGOING_TURN_NAME_MAX = 32 };
/* No recipient has this index: a notification and a recipient may be on their way at one time. */
#define OUTGOING_REPORT_INDEX (UINT32_MAX - 1)

struct outgoing_destination {
    uint64_t hash; /* of its name: its key */
    struct flow flow;
    struct list waiting; /* carriages */
    size_t waiting_count;
    struct list link;          /* among the stalled, while something waits */
    bool was_idle;             /* at the last sweep, and not used since */
    struct instant shut_until; /* the pause in which were passed over, and come first behind it, */
    unsigned first_count;      /* so many */
    char status[QUEUE_STATUS_MAX + 1];
    char text[QUEUE_TEXT_MAX + 1]; /* why it was not reached */
};

/* PASSED_OVER: it was not tried, since its destination does not answer; STRAY: not to be read;
 * POSTPONED: there is no room for it now. */
enum letter_outcome {
    LETTER_DELIVERED,
    LETTER_TEMPORARY,
    LETTER_PERMANENT,
    LETTER_PASSED_OVER,
    LETTER_STRAY,
    LETTER_POSTPONED
};

struct letter {
    struct list link;
    struct batch *batch;
    uint64_t ask;    /* of route */
    uint64_t key[2]; /* message, index: in in_flight */
    enum queue_class class;
    uint64_t due_s;
    struct slice address, original_type, original;
    uint8_t notify;
    enum letter_outcome outcome;
    struct wall turn;    /* of one that was passed over: when it is due again */
    bool is_reported_on; /* the next host sends the notification of success */
    bool is_by_passed;   /* the next host looks after DELIVERBY, too */
    struct queue_attempt attempt;
    bool is_final;    /* delivered here, not only passed on */
    bool waits_again; /* written: it has a new place */
    bool owes;        /* written: its sender is to be told */
    struct lane_place place;
    enum queue_class class_again;
};

struct batch {
    struct store_role *role;
    struct list link;
    struct arena arena;
    uint64_t message;
    struct slice domain; /* of its lane */
    struct queue_message facts;
    body_id body;
    uint32_t len;
    struct letter *letters;
    size_t count;
    struct list asked; /* letters */
    struct list carriages;
    size_t carriage_count;
    size_t open_count;  /* of them: their outcome is not known yet */
    bool is_postponed;  /* its lane is to be looked at later, not at once */
    bool is_rest_asked; /* route's first answer has come */
};

struct carriage {
    struct list link;       /* where it waits */
    struct list batch_link; /* among its batch's, until route has answered for all */
    struct batch *batch;
    struct list letters;
    size_t count;
    struct outgoing_destination *destination; /* NULL: its outcome is settled without one */
    uint64_t hint;                            /* its hash, or 0; may be known for longer */
    struct store_route_hop hop;               /* in the batch's arena */
    struct outgoing_transport *transport;     /* that has it */
    struct parcel_recipient *targets;         /* of a local one; in the batch's arena */
    size_t target_count;
    uint64_t id;
    struct instant sent;
    struct buffer body; /* while it is read, when it will travel inline */
    struct host_blob *blob;
    uint32_t read;
    bool is_flowing; /* counted in its flow */
};

struct outgoing_transport {
    struct store_role *role;
    unsigned index;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct list carriages;
};

/* A notification that is being built. */
struct report {
    struct list link;
    struct store_role *role;
    struct arena arena;
    uint64_t key[2]; /* the message's number and OUTGOING_REPORT_INDEX: in in_flight */
    uint64_t due_s;  /* of its place among the reports */
    uint64_t id;     /* of the note */
    struct queue_message facts;
    body_id body;
    uint32_t want; /* octets of the message that come back */
    bool returns_message, has_more, is_built;
    bool is_put_off; /* nobody could build it: it stays owed */
    unsigned tries;
    uint32_t indexes[STORE_DELIVER_REPORT_RECIPIENTS_MAX];
    struct store_deliver_reported rows[STORE_DELIVER_REPORT_RECIPIENTS_MAX];
    size_t count;
    char report_id[QUEUE_ID_MAX + 1];
    struct buffer original;
    struct store_deliver *deliver; /* that has it */
    struct instant sent;
    struct buffer text;       /* the notification, when it is built */
    struct queue_place place; /* of the new message */
    uint8_t domain[QUEUE_DOMAIN_MAX];
};

/* What is kept for `facteur trace` after it is done with. */
struct kept_trace {
    uint64_t bytes;         /* about */
    struct queue_done next; /* to be counted; without facts */
    bool is_counted;        /* all that was there at the start, too */
};

struct outgoing {
    struct store_role *role;
    struct lanes lanes;
    struct map in_flight;    /* letters, by message and index */
    struct map destinations; /* by hash */
    struct map asks;         /* letters, by ask */
    struct map carriages;    /* that a transport has, by id */
    struct map missed;       /* struct missed (outgoing_back.c), by address */
    uint64_t missed_seed;
    struct map locating; /* carriages, by the question to route */
    struct host_channel *route;
    struct note_ledger route_ledger;
    struct outgoing_transport transports[STORE_PEERS_MAX + 1]; /* the last is the role hand */
    struct list batches, reading;
    struct hops hops;
    struct policies *policies;           /* policies.c */
    struct feeds *feeds;                 /* feeds.c */
    struct probes *probes;               /* probes.c */
    struct tls_results *tls;             /* tls_results.c */
    struct list turns;                   /* outgoing_turn.c */
    struct list results, results_filing; /* carriages */
    size_t result_count;                 /* of results */
    bool are_results_due;                /* they have waited long enough for another turn */
    struct host_timer *ride_timer;
    struct list reports; /* being built */
    struct map reports_by_id;
    struct list reports_ready, reports_filing;
    struct list askings;
    bool is_asking_due;
    struct host_timer *timer;
    struct instant timer_at;
    struct list stalled;  /* destinations that something waits for */
    struct buffer record; /* one that is being put */
    uint64_t ask_count, carriage_count;
    size_t batch_count, report_count, body_bytes;
    bool is_run_due, is_purge_due;
    bool are_fronts_known; /* of what has waited since before the start */
    uint64_t purge_s; /* when it was done last */
    struct kept_trace kept;
    uint64_t taken, carried, delayed, failed, told;
};

/* outgoing.c: lanes, batches, route. Opened before the store is, started once it can be read. */
void outgoing_open(struct store_role *role);
void outgoing_start(struct store_role *role);
void outgoing_close(struct store_role *role);
/* Looks what is due, a turn of the loop later. */
void outgoing_run_soon(struct store_role *role);
struct outgoing_destination *outgoing_destination(struct store_role *role, struct slice name);
struct queue_policy outgoing_policy(const struct store_role *role);
/* The outcome of one of its carriages is known. When it is the last, its lane goes on: what the
 * turn still has to write is in_flight until then. */
void outgoing_settled(struct batch *batch);
/* Calls at that time, if nothing does before. */
void outgoing_wake(struct store_role *role, struct instant when);
/* The batch has one carriage less. */
void outgoing_leave(struct store_role *role, struct carriage *carriage);

/* Frees it, with what is known of its letters. */
void outgoing_close_batch(struct batch *batch);

/* Seconds since 1970. */
uint64_t outgoing_now_s(struct store_role *role);
/* How many batches of a lane may be on their way. */
uint32_t outgoing_lane_room(const struct outgoing *outgoing, const struct lane *lane);

/* outgoing_route.c: next hops */
void outgoing_attach_route(struct store_role *role, host_handle handle);
/* Asks about all letters of the batch. */
void outgoing_ask_route(struct store_role *role, struct batch *batch);
/* Asks about one address; the number of the question, or 0. */
uint64_t outgoing_ask(struct store_role *role, struct slice sender, struct slice recipient);
/* The same for a way that the configuration gives (note/store_route.notes). */
uint64_t outgoing_ask_way(struct store_role *role, struct slice way, struct slice recipient);
/* A carriage of the batch, and a letter more in it. hop may be NULL. */
struct carriage *outgoing_open_carriage(struct batch *batch, const struct store_route_hop *hop);
void outgoing_add_letter(struct carriage *carriage, struct letter *letter);

/* outgoing_file.c: what turns hold. Each returns false when the view failed under it. */
MUST_USE bool outgoing_enter(struct parcel *parcel);
MUST_USE bool outgoing_file(struct store_role *role);
bool outgoing_has_results(const struct store_role *role);
/* A carriage has its results: they ride with the next turn, or get one of their own soon. */
void outgoing_add_results(struct store_role *role, struct carriage *carriage);
/* Whether something of it is worth a turn of its own now. */
bool outgoing_wants_turn(const struct store_role *role);
/* The turn is over. */
void outgoing_filed(struct store_role *role, bool is_durable);
void outgoing_entered(struct parcel *parcel);
/* All is done and told: gives the octets back, keeps the records for as long as trace wants. */
MUST_USE bool outgoing_close_message(struct store_role *role, uint64_t message,
                                     const struct queue_message *facts);
/* The domain of an address, as lanes have it: in lower case, never empty, in `ret_domain`. */
struct slice outgoing_domain(struct slice address, uint8_t ret_domain[QUEUE_DOMAIN_MAX]);

/* Records as turns hold them. */
void outgoing_put_recipient(struct store_role *role, uint64_t message, uint32_t index,
                            const struct queue_recipient *recipient);
MUST_USE enum store_result outgoing_put_message(struct store_role *role, uint64_t message,
                                                const struct queue_message *facts);
/* Where it stands in the order of its domain, whose name is in `domain`. */
struct queue_place outgoing_place(uint64_t message, uint32_t index,
                                  const struct queue_recipient *recipient,
                                  uint8_t domain[QUEUE_DOMAIN_MAX]);
/* Where the message stands among those whose senders are to be told something. */
struct queue_place outgoing_report_place(uint64_t message, struct wall at);
/* What is due there is looked at; only when the turn with it is over. */
void outgoing_note_lane(struct store_role *role, const struct queue_place *place);
/* Whether the sender wants to know (RFC 3461 §4.1, §5.2). Nobody is told of a null sender's mail.
 */
bool outgoing_must_report(const struct queue_message *facts,
                          const struct queue_recipient *recipient, uint8_t notify_bit);

/* outgoing_kept.c: keeps a message that is done with for as long as the options say. `record`: all
 * that is kept; empty when the message has records of its own. */
void outgoing_keep(struct store_role *role, uint64_t message, const struct queue_message *facts,
                   struct slice record);
/* Takes out what nobody will ask for any more, and the oldest when it is more than the option
 * allows; a bounded piece at a time, in the turn that is being built. */
void outgoing_forget(struct store_role *role);

/* outgoing_trace.c: what is remembered of mail that never waited */
void outgoing_trace(struct parcel *parcel);
/* As its parse record has it; "" when there is none. */
struct slice outgoing_message_id(const struct parcel *parcel);

/* outgoing_ask.c: what the operator asks, and has done */
/* Has all that waits for a domain tried at once (ETRN), while nobody looks on. False: nothing
 * waits, or (*ret_is_busy) too many such wishes are open. */
MUST_USE bool asking_retry(struct store_role *role, struct slice domain, bool *ret_is_busy);
void asking_open(struct store_tool *tool, const struct tool_store_queue_ask *ask);
/* There is room in the tool's channel again; the tool has gone. */
void askings_go_on(struct store_role *role);
void askings_lose(struct store_tool *tool);
/* As carriages are written, and as their turn ends. */
bool askings_wait(const struct store_role *role);
MUST_USE bool askings_file(struct store_role *role);
void askings_filed(struct store_role *role, bool is_durable);
void askings_close(struct store_role *role);

/* outgoing_back.c: hosts that did not answer and are heard of again */
void outgoing_back_init(struct outgoing *outgoing, uint64_t seed);
void outgoing_back_finish(struct outgoing *outgoing);
/* Remembers where nobody answered for the domain. */
void outgoing_missed(struct store_role *role, struct slice domain,
                     const struct store_transport_carried *carried);
/* Somebody at this address has connected to us. */
void outgoing_arrived(struct store_role *role, struct slice address);

/* policies.c: MTA-STS policies (RFC 8461) that were learned: kept on disk, told to each transport,
 * and looked after before they are too old. */
void policies_open(struct store_role *role, uint64_t seed);
/* The folder can be read: those that are kept are told. */
void policies_start(struct store_role *role);
void policies_close(struct store_role *role);
/* Tells a new transport of all. */
void policies_tell(struct store_role *role, struct outgoing_transport *transport);
/* False when the note is not to be believed. */
MUST_USE bool policies_learn(struct store_role *role, struct outgoing_transport *transport,
                             const struct store_transport_learned *learned);
/* True: the answer was for this. */
bool policies_take_hop(struct store_role *role, const struct store_route_hop *hop);
/* route is gone, and with it the question. */
void policies_lose_route(struct store_role *role);
/* The policy of a domain that holds now, as a text; or an empty one. */
struct slice policies_text(const struct store_role *role, struct slice domain);

/* feeds.c: names of domains that other servers keep (option relay_feeds): asked for at times, kept
 * on disk, told to route. */
void feeds_open(struct store_role *role);
/* The folder can be read. */
void feeds_start(struct store_role *role);
void feeds_close(struct store_role *role);
/* The configuration may be another one. */
void feeds_reload(struct store_role *role);
/* Tells a new route of all. */
void feeds_tell(struct store_role *role);
/* The names of that domain may be old: they are asked for soon. */
void feeds_wish(struct store_role *role, struct slice domain);
/* True: the answer was for this. */
bool feeds_take_hop(struct store_role *role, const struct store_route_hop *hop);
bool feeds_take_carried(struct store_role *role, const struct store_transport_carried *carried);
/* The names that a transport has got. False when the note is not to be believed. */
MUST_USE bool feeds_take_names(struct store_role *role, const struct store_transport_names *names,
                               host_handle handle);
/* route is gone, or a transport, and with them the questions. */
void feeds_lose_route(struct store_role *role);
void feeds_lose_transport(struct store_role *role);

/* probes.c: whether next hosts would take addresses (option call_ahead) */
void probes_init(struct store_role *role, uint64_t seed);
void probes_finish(struct store_role *role);
/* Answers at once, or when the host has. */
void probes_open(struct store_smtp *smtp, const struct smtp_store_probe *note);
/* True: the answer was for this. */
bool probes_take_hop(struct store_role *role, const struct store_route_hop *hop);
bool probes_take_carried(struct store_role *role, const struct store_transport_carried *carried);
void probes_lose_route(struct store_role *role);
void probes_lose_transport(struct store_role *role);
void probes_lose_smtp(struct store_smtp *smtp);

/* tls_results.c: what became of TLS, counted and kept (queue/tally.h) */
void tls_results_open(struct store_role *role, uint64_t seed);
void tls_results_start(struct store_role *role);
void tls_results_close(struct store_role *role);
void tls_results_count(struct store_role *role, const struct carriage *carriage,
                       const struct store_transport_carried *carried);
void tls_results_stats(const struct store_role *role, struct role_stats *stats);
void tls_results_tell(struct store_tool *tool, const struct tool_store_tls_ask *ask);

/* tls_reports.c: reports about it (RFC 8460) */
/* The configuration may be another one. */
void tls_reports_reload(struct store_role *role);
void tls_reports_on_addresses(struct store_role *role,
                              const struct store_route_report_addresses *note);
void tls_reports_lose_route(struct store_role *role);
/* As carriages are written, and as their turn ends. */
bool tls_reports_wait(const struct store_role *role);
MUST_USE bool tls_reports_file(struct store_role *role);
void tls_reports_filed(struct store_role *role, bool is_durable);

/* outgoing_turn.c: customers who fetch their mail (ATRN) */
/* Answers at once, or when a transport has made the stream. */
void turns_begin(struct store_smtp *smtp, const struct smtp_store_turn *note);
/* Takes the handle. */
void turns_take(struct store_role *role, const struct store_transport_turned *note,
                host_handle handle);
void turns_over(struct store_role *role, uint64_t id);
/* False: nobody fetches the domain's mail now. The hop borrows from the turn, and `host`. */
bool turns_hop(struct store_role *role, struct slice domain, struct store_route_host *host,
               struct store_route_hop *ret_hop);
/* That has the turn which the path of a hop names, or NULL. */
struct outgoing_transport *turns_transport(const struct outgoing *outgoing, struct slice path);
void turns_lose_transport(struct outgoing_transport *transport);
void turns_lose_smtp(struct store_smtp *smtp);
void turns_close_all(struct outgoing *outgoing);

/* outgoing_carry.c: transport */
/* One that can be given something that belongs to no destination, or NULL. */
struct outgoing_transport *outgoing_any_transport(struct outgoing *outgoing);
/* Hands a transport an errand (note/store_transport.notes) about one address or domain at this hop,
 * which lies in the arena of notes; its id, or 0 when none can take it now. */
uint64_t outgoing_errand(struct store_role *role, const struct store_route_hop *hop,
                         enum store_transport_errand errand, uint64_t serial, struct slice about);
/* Has a transport look after the policy of the hop's domain; false when none can now. */
MUST_USE bool outgoing_refresh(struct store_role *role, const struct store_route_hop *hop);
void outgoing_attach_transport(struct store_role *role, unsigned index, host_handle handle);
/* It waits for its destination. */
void outgoing_await(struct store_role *role, struct carriage *carriage);
/* Gives transport what the destination bears. */
void outgoing_kick(struct store_role *role, struct outgoing_destination *destination);
/* Settles all letters of a carriage in the same way, and has it written. */
void outgoing_settle(struct store_role *role, struct carriage *carriage,
                     enum letter_outcome outcome, uint16_t code, struct slice status,
                     struct slice text);
void outgoing_transports_close(struct store_role *role);
void outgoing_transports_watch(struct store_role *role);

/* Reads the octets of its message, then goes on. */
void outgoing_read(struct store_role *role, struct carriage *carriage);
/* The same as settle, for one that was with its destination. */
void outgoing_delivered(struct store_role *role, struct carriage *carriage,
                        enum letter_outcome outcome, struct slice status, struct slice text);
/* Frees what no transport has and no turn holds. */
void outgoing_close_all(struct store_role *role);

/* outgoing_local.c: recipients that turn out to be ours, our own notifications above all */
void local_begin(struct store_role *role, struct carriage *carriage);
void local_located(struct store_role *role, const struct store_route_located *located);
/* route is gone, and with it the questions. */
void local_lose(struct store_role *role);
/* The octets of the carriage's message are read. */
void local_deliver(struct store_role *role, struct carriage *carriage);
/* Its parcel's turn is over. */
void local_delivered(struct store_role *role, struct parcel *parcel);

/* outgoing_report.c: what senders are told */
/* Enters a message of our own, with the null sender, for one address; where it waits then. */
MUST_USE bool outgoing_enter_own(struct store_role *role, const struct queue_message *facts,
                                 struct slice text, struct slice address,
                                 uint8_t domain[QUEUE_DOMAIN_MAX], struct queue_place *ret_place);
void report_begin(struct store_role *role, uint64_t message, uint64_t due_s);
/* An answer of deliver. */
void report_on_built(struct store_role *role, const struct store_deliver_report_built *built,
                     host_handle handle);
/* A deliver process is gone: its reports go to another. */
void reports_lose(struct store_role *role, struct store_deliver *deliver);
/* Hands out what waits for a deliver process. */
void reports_go_on(struct store_role *role);
/* As carriages are written, and as their turn ends. */
MUST_USE bool report_file(struct report *report);
void report_filed(struct report *report, bool is_durable);
void reports_close(struct store_role *role);

#endif
