// SPDX-License-Identifier: ISC
// A session of imapflow: folders, append, fetch, search, flags, IDLE with a second connection, move, expunge.
// usage: node imapflow.js PORT USER PASSWORD; prints DONE at the end.
const assert = require('assert');
const { ImapFlow } = require('imapflow');

async function connect() {
    const [, , port, user, pass] = process.argv;
    const client = new ImapFlow({
        host: '127.0.0.1', port: Number(port), secure: true, tls: { rejectUnauthorized: false },
        auth: { user, pass }, logger: false, qresync: true
    });
    await client.connect();
    return client;
}

async function inside(client) {
    const seen = [];
    const wanted = { uid: true, envelope: true, bodyStructure: true, flags: true, threadId: true, source: true };
    for await (const one of client.fetch('1:*', wanted)) {
        seen.push([one.uid, one.envelope.subject, one.bodyStructure.type, one.source.length, one.flags.has('\\Seen')]);
    }
    assert.deepStrictEqual(seen, [[1, 'one', 'text/plain', 23, true]]);
    assert.deepStrictEqual(await client.search({ seen: true, subject: 'one' }), [1]);
    assert.ok(await client.messageFlagsAdd('1', ['\\Flagged', '$Label1']));
    assert.strictEqual((await client.messageCopy('1', 'Archive')).uidMap.size, 1);
    const exists = new Promise(resolve => client.once('exists', resolve));
    const other = await connect();
    client.idle();
    await other.append('flow/kid', Buffer.from('Subject: two\r\n\r\nhello\r\n'));
    assert.strictEqual((await exists).count, 2);
    await other.logout();
    assert.strictEqual((await client.messageMove('1', 'Trash')).destination, 'Trash');
    assert.ok(await client.messageDelete('1:*'));
    assert.strictEqual((await client.status('flow/kid', { messages: true })).messages, 0);
}

async function main() {
    const client = await connect();
    assert.ok(client.enabled.has('QRESYNC'));
    await client.mailboxCreate(['flow', 'kid']);
    await client.append('flow/kid', Buffer.from('Subject: one\r\n\r\nhello\r\n'), ['\\Seen']);
    const list = await client.list({ statusQuery: { messages: true } });
    assert.strictEqual(list.find(box => box.path === 'flow/kid').status.messages, 1);
    assert.ok(list.some(box => box.specialUse === '\\Sent'));
    const lock = await client.getMailboxLock('flow/kid');
    try {
        await inside(client);
    } finally {
        lock.release();
    }
    await client.mailboxRename('flow', 'flown');
    await client.mailboxDelete('flown/kid');
    await client.logout();
    console.log('DONE');
}

main().catch(wrong => {
    console.error(wrong);
    process.exit(1);
});
