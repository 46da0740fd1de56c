// Many sessions on a PostgreSQL from one process: plain sockets instead of a psql each, so that the
// thousands of them cost the machine little.
import { connect } from 'node:net';
import { once } from 'node:events';

/** A message of the protocol, version 3.0: type, length, body. */
function message(type, body) {
    const length = Buffer.alloc(4);
    length.writeInt32BE(4 + body.length);
    return Buffer.concat([Buffer.from(type), length, body]);
}

/** A session on a server that trusts: it runs one text and stays open. */
export class WireSession {
    static async open(port, user, database, text) {
        const session = new WireSession();
        session.socket = connect(port, '127.0.0.1');
        await once(session.socket, 'connect');
        session.socket.resume(); // what comes back is of no interest
        session.socket.on('error', () => {}); // the server's end
        const fields = ['user', user, 'database', database, 'application_name', 'app', ''];
        const body = Buffer.concat([
            Buffer.from([0, 3, 0, 0]),
            ...fields.map((field) => Buffer.from(field + '\0')),
        ]);
        session.socket.write(message('', body));
        session.socket.write(message('Q', Buffer.from(text + '\0')));
        return session;
    }

    close() {
        this.socket.destroy();
    }
}
