import { bullmqKinds } from '../helpers/bullmq-kinds.ts';

bullmqKinds('bullmq5', 'ioredis');
bullmqKinds('bullmq', 'ioredis');
bullmqKinds('bullmq', 'redis');
