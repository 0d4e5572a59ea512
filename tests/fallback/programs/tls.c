/* A library with as much static TLS as ours. */
__thread char tls_bytes[16] __attribute__((tls_model("initial-exec")));
char *tls_address(void) { return tls_bytes; }
