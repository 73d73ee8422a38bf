export type SendResult =
  | { readonly status: 'accepted'; readonly response: Uint8Array }
  /** Worth another try, not before `retryAfterMs` where the server says so. */
  | { readonly status: 'retryable'; readonly error: Error; readonly retryAfterMs?: number | undefined }
  | { readonly status: 'rejected'; readonly error: Error };

/** Carries requests of one signal to its endpoint. */
export interface Transport {
  /** OTEL_EXPORTER_OTLP_TIMEOUT, ms. */
  readonly timeoutMs: number;
  /** Never rejects. */
  send(body: Uint8Array, timeoutMs: number): Promise<SendResult>;
  close(): void;
}
