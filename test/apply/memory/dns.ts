import { Duplex } from "node:stream";
import * as dns from "dns-packet";

/** A connection to a DNS server that knows every name by this address, or to one that nobody is. */
export function dnsConnection(address: string | undefined): Duplex {
  return new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      if (address === undefined) {
        this.push(null);
      } else {
        const { id = 0, questions = [] } = dns.streamDecode(chunk);
        const answers = questions.map(({ name }) => ({ type: "A" as const, name, data: address, ttl: 30 }));
        this.push(dns.streamEncode({ type: "response", id, questions, answers }));
      }
      done();
    },
  });
}
