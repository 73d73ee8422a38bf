import { type Cluster, Command as IoCommand, type Redis } from 'ioredis';
import { bounded, isKeyless, type Link, pipelined } from './pipelines.ts';
import type { Command, Reply } from './system.ts';

/** Commands that are sent again, one by one, when their keys have moved. */
const MAX_REDIRECTED = 200;
const REDIRECTED = /^(MOVED|ASK|TRYAGAIN) /;

/** A cluster: one pipeline a node. @throws Error when it cannot be reached */
export async function clusterLink(cluster: Cluster): Promise<Link> {
  let last: Error | undefined;
  cluster.on('error', (error: Error) => {
    last = error;
  });
  cluster.on('node error', (error: Error) => {
    last = error;
  });
  try {
    await bounded(cluster.connect(), cluster);
  } catch (error) {
    cluster.disconnect();
    throw last ?? error;
  }
  return {
    nodes: () => masters(cluster).length,
    close: () => cluster.disconnect(),
    send: (commands, node = 0) => send(cluster, commands, node),
  };
}

function masters(cluster: Cluster): Redis[] {
  return cluster.nodes('master');
}

async function send(cluster: Cluster, commands: readonly Command[], node: number): Promise<Reply[]> {
  const groups = new Map<Redis, number[]>();
  for (const [at, command] of commands.entries()) {
    const to = isKeyless(command) ? masters(cluster)[node] : holder(cluster, command);
    if (to === undefined) throw new Error('CLUSTERDOWN no node holds the key');
    const group = groups.get(to);
    if (group === undefined) groups.set(to, [at]);
    else group.push(at);
  }
  const replies = new Array<Reply>(commands.length);
  await Promise.all(
    [...groups].map(async ([to, group]) => {
      const answers = await pipelined(
        to,
        group.map((at) => commands[at]!),
      );
      for (const [i, at] of group.entries()) replies[at] = answers[i]!;
    }),
  );
  await followRedirects(cluster, commands, replies);
  return replies;
}

/** The node that is asked for a command's key: a replica where those are to be read from. */
function holder(cluster: Cluster, [name, ...args]: Command): Redis | undefined {
  const slot = new IoCommand(name, args.map(String)).getSlot() ?? 0;
  const keys = cluster.slots[slot] ?? [];
  const replica = cluster.options.scaleReads === 'slave' ? keys[1] : undefined;
  const wanted = replica ?? keys[0];
  return cluster.nodes('all').find(({ options }) => `${options.host}:${options.port}` === wanted);
}

async function followRedirects(
  cluster: Cluster,
  commands: readonly Command[],
  replies: Reply[],
): Promise<void> {
  const moved = [...replies.entries()].filter(
    ([, reply]) => reply instanceof Error && REDIRECTED.test(reply.message),
  );
  await Promise.all(
    moved.slice(0, MAX_REDIRECTED).map(async ([at]) => {
      const [name, ...args] = commands[at]!;
      try {
        replies[at] = (await cluster.callBuffer(name, ...args.map(String))) as Reply;
      } catch (error) {
        if (error instanceof Error) replies[at] = error;
      }
    }),
  );
}
