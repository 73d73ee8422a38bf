// Preloaded before what is measured. threadCpuUsage came with Node 23.9.
globalThis.benchMark = { at: performance.now(), cpu: process.threadCpuUsage?.() };
